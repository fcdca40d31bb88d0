"""Lines that wait to be written, what is put around them, and what writes them."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple, Protocol

#: About how much is written at once, bytes.
_CHUNK: Final = 1 << 16


class Line(NamedTuple):
    """A line with all that its destination wants around it."""

    data: bytes
    units: int = 1  # requests in it: none where it tells what is missing


class Framing(Protocol):
    """What a destination wants around a line."""

    #: The most bytes of the line itself; None: any number.
    most_bytes: int | None

    def framed(self, text: str, at: float, host: str, serial: int | None) -> bytes:
        """Return a line as it is written; ``serial`` None: it tells what is missing."""


class LineByLine:
    """Each line ends in a newline, which it cannot contain."""

    most_bytes: int | None = None

    def framed(self, text: str, at: float, host: str, serial: int | None) -> bytes:  # noqa: ARG002
        """Return a line with its end."""
        return text.encode("utf-8", "backslashreplace") + b"\n"


class Medium(Protocol):
    """Where lines are written to; one thread uses it, but for ``reopen``."""

    #: A sentence on what could not be done besides; empty: there is nothing.
    trouble: str
    #: Whether lines are missing that are not known, and so count as written.
    lacks_some: bool

    def write(self, lines: deque[Line]) -> None:
        """Write lines, and remove from the left those that are written.

        Raises :class:`OSError` or SendError; the lines that are left come again, others perhaps
        behind them.
        """

    def reopen(self) -> None:
        """Go on in another file if the one that is open has another name now; any thread may."""

    def close(self) -> None:
        """Finish and close; raise as ``write`` does if what was written is not complete."""


def chunk_of(lines: deque[Line]) -> bytes:
    """Return the first lines as one text: at least one, and not many bytes."""
    chunk: list[bytes] = []
    size = 0
    for line in lines:
        if chunk and size + len(line.data) > _CHUNK:
            break
        chunk.append(line.data)
        size += len(line.data)
    return b"".join(chunk)


def pop_whole(lines: deque[Line], size: int) -> int:
    """Remove the lines that are whole within so many bytes; return the bytes beyond them."""
    while lines and size >= len(lines[0].data):
        size -= len(lines.popleft().data)
    return size
