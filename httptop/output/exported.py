"""Files that the screen exports: httptop names them, and never replaces one.

Whoever chooses the contents has no say in the name but for the host's, of which only letters,
digits, dots and hyphens are taken.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Final

from httptop.linux.files import FileError, InvokingUser, write_new
from httptop.output import EXPORTS, LARGEST_EXPORT

_LONGEST_HOST: Final = 64
#: How many files of a kind may be of the same second.
_TRIES: Final = 9


def export_name(host: str, at_s: float, kind: str, nth: int = 1) -> str:
    """Return the name of a file: ``httptop-web-1-20260131-235959.svg``, in local time.

    ``at_s``: the moment that is exported, Unix time. ``nth``: among those of this second. Raises
    :class:`ValueError` or :class:`OverflowError` if there is no such kind or moment.
    """
    if kind not in EXPORTS:
        raise ValueError(f"unknown kind of file: {kind!r}")
    return file_name(host, at_s, f"-{nth}.{kind}" if nth > 1 else f".{kind}")


def file_name(host: str, at_s: float, end: str) -> str:
    """Return the name of a file about a host and a moment, Unix time, with an end."""
    of = re.sub(r"[^A-Za-z0-9.-]+", "-", host)[:_LONGEST_HOST].strip(".-") or "host"
    when = time.strftime("%Y%m%d-%H%M%S", time.localtime(at_s))
    return f"httptop-{of}-{when}{end}"


def write_export(
    directory: Path, host: str, at_s: float, kind: str, data: bytes, invoker: InvokingUser
) -> Path:
    """Write a new file into a directory with the invoking user's permissions; return its path.

    Raises :class:`FileError` with the reason, and as :func:`export_name` does.
    """
    if len(data) > LARGEST_EXPORT:
        raise FileError(f"it would be larger than {LARGEST_EXPORT >> 20} MiB")
    for nth in range(1, _TRIES + 1):
        try:
            return write_new(directory / export_name(host, at_s, kind, nth), data, invoker)
        except FileExistsError:
            continue
    raise FileError(f"{directory / export_name(host, at_s, kind)}: exists, and others of its time")
