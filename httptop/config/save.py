"""Write settings to a configuration file: atomically, and only without errors."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from httptop.config.load import build, check_text, read_config, user_file
from httptop.config.settings import BY_KEY, GUARDED, Settings
from httptop.config.toml_document import to_toml
from httptop.errors import UsageError
from httptop.linux.files import FileText, InvokingUser, write_text
from httptop.printable import clean

_NOTHING = "nothing was written"


def save_all(settings: Settings, path: Path, invoker: InvokingUser) -> Path:
    """Write all settings and return the path; the user's comments in an existing file are kept.

    Under sudo the file is the user's, so what is guarded is written as comments. Raises
    :class:`UsageError` if an existing file is not one of httptop's, or cannot be read or replaced.
    """
    try:
        previous = read_config(path, invoker)
        strange = sorted(tomllib.loads(previous).keys() - {key.split(".")[0] for key in BY_KEY})
        if strange:
            name = clean(strange[0].encode("utf-8", "replace"), 60)
            raise UsageError(
                f"{path}: exists and is no configuration of httptop, which has no {name!r}; "
                f"{_NOTHING}"
            )
        stated = BY_KEY.keys() - GUARDED if invoker.elevated else BY_KEY.keys()
        return write_text(path, to_toml(settings, previous, stated), invoker)
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
    read: Callable[[Path], FileText] | None = None,
    write: Callable[[Path, str], Path] | None = None,
) -> Path:
    """Change settings, by key, in ``file``, by default the user's own; return its path.

    All others keep the values of that file, whatever flags or the environment say; what it does
    not set is not written. ``read`` and ``write`` replace file access with this process's
    permissions. Raises :class:`UsageError` with all errors of the file, including those that the
    changes would cause.
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
