"""Write lines to the standard streams, safe to show on a terminal."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from httptop.errors import HttptopError
from httptop.printable import clean

_LONGEST_LINE = 2000
#: How the names begin of terminals that have no UTF-8, and of those that have no colours.
_MONOCHROME = "vt", "dumb"
_ASCII_TERMINALS = *_MONOCHROME, "linux", "ansi", "cons"
_ASCII_LOCALES = "C", "POSIX"
_held: int | None = None


def say(text: str) -> None:
    """Write a line to standard output immediately.

    Raises :class:`BrokenPipeError` if the reader is gone, :class:`HttptopError` if it cannot be
    written.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        forget_output()
        raise HttptopError(unwritten(error)) from None


def unwritten(error: OSError) -> str:
    """Return the message for an output that cannot be written."""
    return f"cannot write the output: {(error.strerror or type(error).__name__).lower()}"


def complain(message: str) -> None:
    """Write a message to standard error, with our name before each line."""
    with contextlib.suppress(OSError, AttributeError):
        for line in message.splitlines() or [""]:
            text = clean(line.encode("utf-8", "surrogateescape"), _LONGEST_LINE)
            print(f"httptop: {text}", file=sys.stderr, flush=True)


def program(called_by: str | None = None) -> str:
    """Return how to call this program in a shell, from any directory and under sudo.

    ``called_by`` is the first word of the command line, by default that of this process.
    """
    path = Path(sys.argv[0] if called_by is None else called_by).absolute()
    if path.name == "httptop":
        return shlex.quote(str(path))
    if path.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m httptop"
    return "httptop"


def command_line(words: Sequence[str] | None = None) -> str:
    """Return a command line, by default that of this process, for a shell to repeat."""
    called_by, *rest = sys.argv if words is None else words
    how = program(called_by)
    return how if how == "httptop" else f"{how} {shlex.join(rest)}".rstrip()


def can_draw(environ: Mapping[str, str]) -> bool:
    """Return whether standard output is a terminal that can show a screen, and one has its keys."""
    if not _is_terminal(sys.stdout) or environ.get("TERM") == "dumb":
        return False
    if _is_terminal(sys.stdin):
        return True
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.__stdin__.fileno()  # type: ignore[union-attr]
        os.close(_controlling_terminal())
        return True
    return False


def read_keys() -> None:
    """Have standard input be the controlling terminal, if it is none; raise OSError."""
    if not _is_terminal(sys.stdin):
        terminal = _controlling_terminal()
        os.dup2(terminal, 0)
        os.close(terminal)


def _controlling_terminal() -> int:
    return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)


def is_ascii_only(environ: Mapping[str, str]) -> bool:
    """Return whether a screen is to be drawn in plain ASCII: by the locale, or by the terminal.

    Python sets LC_CTYPE to C.UTF-8 itself where it finds the locale C (PEP 538). Where nothing
    names a locale, as in many containers, the terminal decides.
    """
    if environ.get("TERM", "").startswith(_ASCII_TERMINALS):
        return True
    names = [environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    if names[1] == "C.UTF-8" and names[2] in _ASCII_LOCALES:
        names[1] = ""
    locale = next(filter(None, names), "UTF-8")
    return "utf8" not in locale.lower().replace("-", "")


def has_no_colors(environ: Mapping[str, str]) -> bool:
    """Return whether a screen is to be drawn without colours: as asked for (no-color.org), or as
    the terminal has none.
    """
    return bool(environ.get("NO_COLOR")) or environ.get("TERM", "").startswith(_MONOCHROME)


def forget_output() -> None:
    """Keep Python from flushing standard output again at exit, and reporting the error."""
    with contextlib.suppress(OSError):
        os.dup2(nothing(), 1)


def hold_nothing() -> None:
    """Open /dev/null now: later this process may open nothing for writing. Raises OSError."""
    global _held
    if _held is None:
        _held = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def nothing() -> int:
    """Return a new descriptor, not inherited, whatever is written to which is gone."""
    if _held is None:
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    return os.dup(_held)


def _is_terminal(stream: object) -> bool:
    isatty = getattr(stream, "isatty", None)
    try:
        return bool(isatty and isatty())
    except ValueError:  # closed
        return False
