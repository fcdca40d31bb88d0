"""Read the settings from all their sources, and report every error in them.

Later sources override earlier ones: defaults, OpenTelemetry's variables where anything is sent by
its protocol, ``/etc/httptop/config.toml``, the user's ``config.toml`` (or the file of ``--config``
instead of both), environment (``HTTPTOP_FILTER__PROCESS__PIDS=1,2``), flags. A configuration with
an error is not used at all: all errors are raised together.

As root, a file is read only if nobody but root can change it. Under sudo the user's own file, read
with that user's permissions, may set all but what is ``GUARDED``.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from httptop.config import LARGEST_FILE
from httptop.config.conflicts import Contradiction, contradictions
from httptop.config.problems import (
    MOST_PROBLEMS,
    SECTIONS,
    ConfigError,
    Problem,
    found_instead,
    hint_at,
    shortened,
    syntax_problem,
)
from httptop.config.scope import scope_of
from httptop.config.settings import BY_KEY, DEFAULTS, GUARDED, SETTINGS, Setting, Settings
from httptop.config.settings.otlp import STANDARD_VARIABLES
from httptop.config.toml_lines import lines_of_keys, too_deep
from httptop.errors import UsageError
from httptop.linux.files import FileText, InvokingUser, read_text
from httptop.literals import nearest
from httptop.printable import clean

#: Returns the text of a file and who could have written it; raises FileNotFoundError, or an
#: OSError whose text is the reason.
Read = Callable[[Path], FileText]

SYSTEM_FILE: Final = Path("/etc/httptop/config.toml")
_VARIABLES: Final = {setting.variable: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag of the command line: its name as written, and its values."""

    name: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """The effective settings and where each came from."""

    settings: Settings
    origins: Mapping[str, str]  # key of the setting -> "default", a file, a variable or a flag
    files: tuple[Path, ...] = ()  # that were read


def user_file(environ: Mapping[str, str], invoker: InvokingUser) -> Path:
    """Return the path of the user's file; under sudo that of the invoking user."""
    base = None if invoker.elevated else environ.get("XDG_CONFIG_HOME")
    root = Path(base) if base and base.startswith("/") else invoker.home / ".config"
    return root / "httptop" / "config.toml"


def config_files(
    environ: Mapping[str, str],
    invoker: InvokingUser,
    file: Path | None = None,
    system_file: Path | None = None,
) -> tuple[Path, ...]:
    """Return the files that :func:`load` reads if they exist."""
    if file is not None:
        return (file,)
    return (system_file or SYSTEM_FILE, user_file(environ, invoker))


def load(
    flags: Mapping[str, Flag],
    environ: Mapping[str, str],
    invoker: InvokingUser,
    file: Path | None = None,
    system_file: Path | None = None,
    read: Read | None = None,
) -> Config:
    """Return the effective configuration; raise :class:`ConfigError` with all its errors.

    ``file`` (that of ``--config``) must exist and is read instead of the usual ones. ``read``
    replaces reading files with this process's permissions.
    """
    gathering = _Gathering(under_sudo=invoker.elevated)
    for path in config_files(environ, invoker, file, system_file):
        gathering.file(path, read or own_reader(invoker, system_file), required=file is not None)
    gathering.environment(environ)
    gathering.flags(flags)
    gathering.standard_environment(environ)
    return gathering.result()


def check_file(path: Path, invoker: InvokingUser) -> Config:
    """Return the configuration of one file over the defaults; raise :class:`ConfigError`."""
    gathering = _Gathering(under_sudo=invoker.elevated)
    gathering.file(path, own_reader(invoker), required=True)
    return gathering.result()


def check_text(text: str, path: Path) -> Config:
    """Return the configuration of a text to be written to ``path``; raise :class:`ConfigError`."""
    gathering = _Gathering()
    gathering.text(FileText(text), path)
    return gathering.result()


def read_config(path: Path, invoker: InvokingUser, read: Read | None = None) -> str:
    """Return the text of a file, empty if it does not exist; raise :class:`OSError`."""
    try:
        return (read or own_reader(invoker))(path).text
    except FileNotFoundError:
        return ""


def own_reader(invoker: InvokingUser, system_file: Path | None = None) -> Read:
    """Return what reads files with this process's permissions: those of the invoking user.

    The file of the system is root's: nobody chose its name.
    """

    def read(path: Path) -> FileText:
        system = path == (system_file or SYSTEM_FILE)
        reader = dataclasses.replace(invoker, elevated=False) if system else invoker
        return read_text(path, LARGEST_FILE, reader)

    return read


def build(values: Mapping[str, object], base: Settings = DEFAULTS) -> Settings:
    """Return settings with the given values, by key, and all others of ``base``."""
    settings: Any = base
    for key, value in values.items():
        setting = BY_KEY[key]
        settings = _replaced(settings, [*setting.path], value)
    assert isinstance(settings, Settings)
    return settings


def _replaced(holder: Any, path: list[str], value: object) -> Any:
    name, *rest = path
    inner = _replaced(getattr(holder, name), rest, value) if rest else value
    return dataclasses.replace(holder, **{name: inner})


class _Gathering:
    """Collects values and errors of one load; later values replace earlier ones."""

    def __init__(self, *, under_sudo: bool = False) -> None:
        self.under_sudo = under_sudo
        self.values: dict[str, object] = {}
        self.origins = {setting.key: "default" for setting in SETTINGS}
        self.lines: dict[str, int] = {}  # in the file that is the origin
        self.problems: list[Problem] = []
        self.files: list[Path] = []

    def result(self) -> Config:
        settings = build(self.values)
        self.problems += map(self.problem_of, contradictions(settings))
        try:
            scope_of(settings.filter)
        except UsageError as error:
            self.problems.append(self.problem("filter.expression", str(error)))
        if self.problems:
            raise ConfigError(self.problems)
        return Config(settings, self.origins, tuple(self.files))

    def keep(self, setting: Setting, value: object, origin: str, line: int | None = None) -> None:
        self.values[setting.key] = value
        self.origins[setting.key] = origin
        self.lines.pop(setting.key, None)
        if line is not None:
            self.lines[setting.key] = line

    def refuse(self, setting: Setting, problem: Problem) -> None:
        """Record an error; the setting's earlier value is discarded, too."""
        self.problems.append(problem)
        self.values.pop(setting.key, None)

    def problem(self, key: str, message: str) -> Problem:
        """Return an error in a setting's value, with the place that set it."""
        origin = self.origins[key]
        shown = "" if origin.endswith(key) else key  # "--set filter.expression"
        return Problem(origin, message, self.lines.get(key), shown)

    def problem_of(self, found: Contradiction) -> Problem:
        """Return a contradiction as an error that names all the places involved."""
        values = build(self.values)
        others = []
        for key in found.others:
            line = f":{self.lines[key]}" if key in self.lines else ""
            value = BY_KEY[key].kind.show(BY_KEY[key].of(values))
            others.append(f"{key} = {shortened(value)} ({self.origins[key]}{line})")
        against = f"; it conflicts with {' and '.join(others)}" if others else ""
        return self.problem(found.key, found.message + against)

    def flags(self, flags: Mapping[str, Flag]) -> None:
        for key, flag in flags.items():
            setting, text = BY_KEY[key], ",".join(flag.texts)
            try:
                self.keep(setting, setting.kind.parse_text(text), flag.name)
            except ValueError as error:
                self.refuse(setting, Problem(flag.name, found_instead(str(error), text)))

    def environment(self, environ: Mapping[str, str]) -> None:
        for name in sorted(environ):
            if not name.startswith("HTTPTOP_") or "__" not in name:
                continue
            if len(self.problems) >= MOST_PROBLEMS:
                return
            setting = _VARIABLES.get(name)
            if setting is None:
                hint = nearest(name, _VARIABLES)
                self.problems.append(
                    Problem(clean(name.encode(errors="replace")), f"no such setting{hint}")
                )
                continue
            try:
                self.keep(setting, setting.kind.parse_text(environ[name]), name)
            except ValueError as error:
                self.refuse(setting, Problem(name, found_instead(str(error), environ[name])))

    def standard_environment(self, environ: Mapping[str, str]) -> None:
        """Adopt OpenTelemetry's variables for what nothing else has set, if they matter."""
        if not self.values.get("otlp.endpoint"):
            return
        for key, (name, convert) in STANDARD_VARIABLES.items():
            if self.origins[key] != "default" or not environ.get(name):
                continue
            try:
                self.keep(BY_KEY[key], convert(environ[name]), name)
            except ValueError as error:
                self.problems.append(Problem(name, found_instead(str(error), environ[name])))

    def file(self, path: Path, read: Read, required: bool = False) -> None:
        try:
            text = read(path)
        except FileNotFoundError:
            if required:
                self.problems.append(Problem(str(path), "no such file"))
            return
        except OSError as error:
            self.problems.append(Problem("", str(error)))
            return
        self.text(text, path)

    def text(self, found: FileText, path: Path) -> None:
        self.files.append(path)
        if (line := too_deep(found.text)) is not None:
            self.problems.append(Problem(str(path), "invalid TOML: a key of too many parts", line))
            return
        try:
            document = tomllib.loads(found.text)
        except (ValueError, RecursionError) as error:
            self.problems.append(syntax_problem(str(path), error, found.text))
            return
        offence = found.offence if self.under_sudo else ""
        self.table(document, (), str(path), lines_of_keys(found.text), offence)

    def table(
        self,
        table: Mapping[str, object],
        above: tuple[str, ...],
        where: str,
        lines: dict[str, int],
        offence: str,
    ) -> None:
        """Adopt a table; ``offence``: why it may not set what is guarded, empty if it may."""
        for name, value in table.items():
            if len(self.problems) >= MOST_PROBLEMS:
                return
            path = (*above, name)
            key = ".".join(path)
            line = next(
                (lines[at] for n in range(len(path), 0, -1) if (at := ".".join(path[:n])) in lines),
                None,
            )
            shown = clean(key.encode("utf-8", "replace"), 80)
            if key in SECTIONS:
                if isinstance(value, dict):
                    self.table(value, path, where, lines, offence)
                else:
                    message = found_instead(f"a table is needed: [{key}]", value)
                    self.problems.append(Problem(where, message, line, shown))
            elif key in BY_KEY:
                setting = BY_KEY[key]
                try:
                    parsed = setting.kind.parse(value)
                    if offence and key in GUARDED and parsed != setting.of(build(self.values)):
                        message = f"under sudo only a file of root's may set this, and {offence}"
                        self.problems.append(Problem(where, message, line, shown))
                    else:
                        self.keep(setting, parsed, where, line)
                except ValueError as error:
                    self.refuse(
                        setting, Problem(where, found_instead(str(error), value), line, shown)
                    )
            else:
                self.problems.append(Problem(where, f"unknown key{hint_at(path)}", line, shown))
