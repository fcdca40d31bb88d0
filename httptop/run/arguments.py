"""Parse the command line: what to run, and which settings it changes.

The flags of settings come from the table in :mod:`httptop.config.settings`; the others are defined
here.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from httptop import __version__
from httptop.config import destination
from httptop.config.load import Flag
from httptop.config.settings import BY_KEY, SETTINGS
from httptop.console import program, say
from httptop.errors import UsageError
from httptop.literals import nearest, parse_integer
from httptop.report import FORMATS
from httptop.run.exclusions import check_exclusions

_GROUPS: Final = {
    "output": "output",
    "filters": "filters (-p 1,2 or -p 1 -p 2: any may match; different flags: all must)",
    "sampling": "sampling (counts are never sampled)",
}
EXAMPLES: Final = (
    ("watch this host", "sudo {program}"),
    ("watch a small demo, traced for real", "sudo {program} --demo"),
    ("errors of one process", "sudo {program} -p 1234 --status 4xx,5xx"),
    ("part of an API", "sudo {program} --filter 'path ~ /api/* and not status = 2xx'"),
    ("five snapshots for a script", "sudo {program} -b -n 5 --format json"),
    ("record what is seen ...", "sudo {program} --record today.capture"),
    ("... and look at it later, without root", "{program} --replay today.capture"),
    ("a page about it, for others", "{program} --replay today.capture --export html"),
    ("many hosts, without root", "{program} --from prometheus:http://prometheus:9090"),
)
EXIT_STATUSES: Final = (
    (0, "done"),
    (1, "a run-time failure"),
    (2, "bad usage or bad configuration"),
    (77, "live tracing is not possible here; the message says what to do"),
)
_EPILOG: Final = """\
Flags override the environment (HTTPTOP_SECTION__NAME), which overrides the configuration files.
There are more settings than flags: --print-config lists them, --set KEY=VALUE sets any.
"""
#: ``--save-config`` and ``--validate-config`` without a file.
UNNAMED: Final = Path("")
#: ``--export`` to standard output.
STANDARD_OUTPUT: Final = Path("-")


@dataclass(frozen=True, slots=True)
class Export:
    """A report that is asked for."""

    kind: str  # one of report.FORMATS
    path: Path | None = None  # None: named after what is reported


@dataclass(frozen=True, slots=True)
class Arguments:
    """The parsed command line."""

    settings: dict[str, Flag]  # by the key of the setting
    batch: bool = False
    iterations: int | None = None
    config: Path | None = None
    save_config: Path | None = None  # UNNAMED: the user's own
    validate_config: Path | None = None  # UNNAMED: the effective configuration
    print_config: bool = False
    record: Path | None = None
    replay: Path | None = None
    source: str | None = None  # of --from
    exports: tuple[Export, ...] = ()
    demo: bool = False
    doctor: bool = False
    service: bool = False  # of the doctor: for httptop as a service
    selftest: bool = False


def parse(words: Sequence[str]) -> Arguments:
    """Return the parsed command line; raise :class:`UsageError`.

    Prints and raises :class:`SystemExit` for ``--help`` and ``--version``.
    """
    found = command_line().parse_args(list(words))
    settings = {
        key: Flag(_flag_name(key), tuple(texts))
        for key, texts in vars(found).items()
        if key in BY_KEY and texts is not None
    }
    if found.log:
        settings["request_log.to"] = Flag("--log requests", tuple(found.log))
    for key, texts in _set(found.set or []):
        settings[key] = Flag(f"--set {key}", (texts,))
    arguments = Arguments(
        settings=settings,
        batch=found.batch or getattr(found, "output.quiet") is not None,
        iterations=found.iterations,
        config=found.config,
        save_config=found.save_config,
        validate_config=found.validate_config,
        print_config=found.print_config,
        record=found.record,
        replay=found.replay,
        source=found.source,
        exports=tuple(found.export or ()),
        demo=found.demo,
        doctor=found.doctor,
        service=found.service,
        selftest=found.selftest,
    )
    if arguments.service and not arguments.doctor:
        raise UsageError("--service belongs to --doctor: httptop --doctor --service")
    check_exclusions(
        {
            "--replay": arguments.replay is not None,
            "--from": arguments.source is not None,
            "--demo": arguments.demo,
            "--record": arguments.record is not None,
            "--prometheus": bool(settings.get("prometheus.listen")),
            "--otlp": bool(settings.get("otlp.endpoint")),
            "--log": bool(settings.get("request_log.to")),
        }
    )
    _check_exports(arguments)
    return arguments


def _check_exports(arguments: Arguments) -> None:
    if arguments.exports and arguments.replay and "request_log.to" in arguments.settings:
        raise UsageError("--export makes a report of a capture at once; --log needs it played")
    asked = [export.path or export.kind for export in arguments.exports]
    twice = next((one for one in asked if asked.count(one) > 1), None)
    if twice is not None:
        raise UsageError(f"--export: {twice} is asked for twice")
    if STANDARD_OUTPUT in asked and arguments.replay is None:
        raise UsageError("--export: standard output has the snapshots; name a file")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see httptop --help)")

    def _print_message(self, message: str, file: object = None) -> None:  # noqa: ARG002
        say(message.rstrip("\n"))  # which reports an output that cannot be written


def command_line() -> argparse.ArgumentParser:
    """Return the parser; manual page and completions are made of it, too."""
    parser = _Parser(
        prog="httptop",
        usage="httptop [options]",
        description="top for HTTP: every request that this host's processes serve and send.",
        epilog=_examples() + _exit_statuses() + _EPILOG,
        formatter_class=_Format,
        allow_abbrev=False,
        add_help=False,
    )
    groups = {name: parser.add_argument_group(title) for name, title in _GROUPS.items()}
    output = groups["output"]
    output.add_argument(
        "-b", "--batch", action="store_true", help="print snapshots, no screen (default in a pipe)"
    )
    output.add_argument(
        "-n", "--iterations", type=_iterations, metavar="N", help="stop after N snapshots"
    )
    for setting in SETTINGS:
        if not setting.flags:
            continue
        group, brief = groups[setting.group], _brief(setting.doc).replace("%", "%%")
        if not setting.metavar:
            group.add_argument(*setting.flags, dest=setting.key, action=_TurnOn, help=brief)
            continue
        group.add_argument(
            *setting.flags,
            dest=setting.key,
            metavar=setting.metavar,
            action="append" if setting.many else _Last,
            help=brief,
            nargs="?" if setting.bare else None,
            const=setting.bare or None,
        )
    groups["output"].add_argument(
        "--log",
        type=_request_log,
        action="append",
        metavar="requests[=DEST]",
        help="a line for each sampled request, to standard output or DEST: a file, "
        "tcp://host:port, unix:///path, syslog:, syslog+udp://host, syslog+tcp://host",
    )
    captures = parser.add_argument_group("captures, many hosts, the demo")
    captures.add_argument("--record", type=_path, metavar="FILE", help="write a capture")
    captures.add_argument(
        "--replay", type=_path, metavar="FILE", help="play a capture; needs neither root nor BCC"
    )
    captures.add_argument(
        "--export",
        type=_export,
        action="append",
        metavar="FORMAT[=FILE]",
        help=f"write a report ({', '.join(FORMATS)}): of the capture at once, of a batch run at "
        "its end",
    )
    captures.add_argument(
        "--demo", action="store_true", help="start demo services with traffic, and trace them"
    )
    captures.add_argument(
        "--from",
        dest="source",
        metavar="prometheus:URL",
        help="show many hosts, whose httptops export to a Prometheus server; needs neither root "
        "nor BCC",
    )
    config = parser.add_argument_group("configuration")
    config.add_argument(
        "--config", type=_path, metavar="FILE", help="read this file instead of the usual ones"
    )
    config.add_argument(
        "--set",
        action="append",
        metavar="KEY=VALUE",
        help="set any setting, such as general.window=30s",
    )
    for name, text in (
        ("--save-config", "write the effective settings to a file and print its path"),
        ("--validate-config", "check the configuration and list every error; exit 0 or 2"),
    ):
        config.add_argument(name, nargs="?", type=_path, const=UNNAMED, metavar="FILE", help=text)
    config.add_argument(
        "--print-config",
        action="store_true",
        help="print the effective settings and where each came from",
    )
    about = parser.add_argument_group("about")
    about.add_argument(
        "--doctor",
        action="store_true",
        help="check what can be traced here, what is missing and how to fix it",
    )
    about.add_argument(
        "--service",
        action="store_true",
        help="with --doctor: the same for httptop as a service, without root",
    )
    about.add_argument(
        "--selftest",
        action="store_true",
        help="play known traffic through this host's kernel and check the counts",
    )
    about.add_argument(
        "--version",
        action="version",
        version=f"httptop {__version__}",
        help="show the version and exit",
    )
    about.add_argument("-h", "--help", action="help", help="show this help and exit")
    return parser


def _examples() -> str:
    """Return the examples, ready to be pasted, each below its description."""
    lines = ["examples:"]
    for what, command in EXAMPLES:
        lines += [f"  # {what}", f"  {command.format(program=program())}"]
    return "\n".join(lines) + "\n\n"


def _exit_statuses() -> str:
    lines = [f"  {status:<3} {meaning}" for status, meaning in EXIT_STATUSES]
    return "\n".join(("exit status:", *lines)) + "\n\n"


class _Format(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)


class _Last(argparse.Action):
    """Keep the last value of a repeated flag."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        setattr(namespace, self.dest, (values,))


class _TurnOn(argparse.Action):
    """Turn a setting on by a flag without a value."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002
        namespace: argparse.Namespace,
        values: object,  # noqa: ARG002
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        setattr(namespace, self.dest, ("true",))


def _brief(doc: str) -> str:
    """Return the first clause of a setting's description; docs/settings.md has all of it."""
    clause = re.split(r"[;:.] |\.$", doc)[0]
    return clause[0].lower() + clause[1:]


def _flag_name(key: str) -> str:
    return BY_KEY[key].flags[-1]


def _iterations(text: str) -> int:
    try:
        return parse_integer(text, 1, 10**9)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, found {text!r}") from None


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError("a file name is needed")
    return Path(text)


def _export(text: str) -> Export:
    kind, equals, name = text.partition("=")
    if kind not in FORMATS:
        known = ", ".join(FORMATS)
        raise argparse.ArgumentTypeError(f"a format is needed ({known}), found {kind!r}")
    return Export(kind, _path(name) if equals else None)


def _request_log(text: str) -> str:
    """Return destinations as the setting has them: files by their absolute paths."""
    what, equals, to = text.partition("=")
    if what != "requests" or (equals and not all(to.split(","))):
        raise argparse.ArgumentTypeError(f"requests or requests=DEST is needed, found {text!r}")
    if not equals:
        return destination.STANDARD_OUTPUT
    each = (one if destination.has_scheme(one) else os.path.abspath(one) for one in to.split(","))
    return ",".join(each)


def _set(words: list[str]) -> list[tuple[str, str]]:
    pairs = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"--set {word}: KEY=VALUE is needed")
        if key not in BY_KEY:
            raise UsageError(f"--set {key}: no such setting{nearest(key, BY_KEY)}")
        pairs.append((key, value))
    return pairs
