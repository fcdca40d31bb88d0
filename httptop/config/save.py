"""Write settings to a configuration file: in one step, and only if nothing is wrong."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from httptop.config.load import build, check_text, read_config, user_file
from httptop.config.settings import Settings
from httptop.config.toml_document import to_toml
from httptop.errors import UsageError
from httptop.linux.files import InvokingUser, write_text

_NOTHING = "nothing was written"


def save_all(settings: Settings, path: Path, invoker: InvokingUser) -> Path:
    """Write all settings and return the path; the user's comments of an existing file are kept.

    Raises :class:`UsageError` where that file is not valid TOML, or cannot be read or replaced.
    """
    try:
        previous = read_config(path, invoker)
        tomllib.loads(previous)
        return write_text(path, to_toml(settings, previous), invoker)
    except (ValueError, RecursionError):
        raise UsageError(f"{path}: exists and is not valid TOML; {_NOTHING}") from None
    except OSError as error:
        raise UsageError(f"{error}; {_NOTHING}") from None


def save_changes(
    changes: Mapping[str, object],
    environ: Mapping[str, str],
    invoker: InvokingUser,
    file: Path | None = None,
    *,
    read: Callable[[Path], str] | None = None,
    write: Callable[[Path, str], Path] | None = None,
) -> Path:
    """Change the settings named by key in ``file``, else in the user's own; return where.

    All others stay as they are in that file, whatever flags or the environment say; what it does
    not set is still left to other files and the defaults. ``read`` and ``write`` replace access
    with the rights of this process.
    Raises :class:`UsageError` with all errors of the file, and those the changes would bring.
    """
    path = Path(os.path.abspath(file or user_file(environ, invoker)))
    try:
        previous = read_config(path, invoker, read)
        before = check_text(previous, path)
        stated = {key for key, origin in before.origins.items() if origin != "default"}
        settings = build(changes, before.settings)
        text = to_toml(settings, previous, stated | changes.keys())
        check_text(text, path)
        return write_text(path, text, invoker) if write is None else write(path, text)
    except OSError as error:
        raise UsageError(f"{error}; {_NOTHING}") from None
