"""What the screen has told the user: the message that is shown, and the others to read again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from httptop.printable import clean

#: How many messages are kept, and how many lines and characters of a line of each.
MOST: Final = 100
_MOST_LINES: Final = 60
_LONGEST_LINE: Final = 1024


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to the user."""

    lines: tuple[str, ...]  # printable
    wrong: bool
    at: float | None  # Unix time of the newest figures then; None: there were none yet


class Notices:
    """The messages of a run; for one thread alone."""

    def __init__(self) -> None:
        self._kept: deque[Notice] = deque(maxlen=MOST)
        #: The message that is shown; None: it was dismissed, or has been there for long enough.
        self.shown: Notice | None = None

    @property
    def newest_first(self) -> tuple[Notice, ...]:
        """The messages that are kept."""
        return tuple(reversed(self._kept))

    def add(self, text: str, at: float | None, *, wrong: bool = False) -> None:
        """Keep a message, and have it shown in place of the one before."""
        lines = text.splitlines()[:_MOST_LINES]
        printable = (clean(line.encode("utf-8", "replace"), _LONGEST_LINE) for line in lines)
        self.shown = Notice(tuple(printable), wrong, at)
        self._kept.append(self.shown)

    def dismiss(self) -> None:
        """Show none."""
        self.shown = None
