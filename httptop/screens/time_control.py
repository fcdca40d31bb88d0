"""What keys of time do: to the past of this run, or to a capture."""

from __future__ import annotations

from typing import Protocol

from httptop.model import Snapshot
from httptop.view.moment import Moment


class TimeControl(Protocol):
    """Shows other moments than the newest one; for the thread of the screen."""

    @property
    def shown(self) -> Moment | None:
        """The moment that is shown; None: now."""

    @property
    def steps(self) -> bool:
        """Whether each snapshot that comes has been asked for by a key."""

    def see(self, snapshot: Snapshot) -> None:
        """Take the newest snapshot, before it is drawn."""

    def travel(self, steps: int, seconds: float = 0.0) -> None:
        """Show the moment so many ticks, or seconds, later than the one shown, and stay there."""

    def go_to(self, at: float, *, stays: bool = True) -> bool:
        """Show the moment of a Unix time; return whether there is one that is near.

        ``stays=False``: what is played goes on from there.
        """

    def pause(self) -> None:
        """Stay at the moment that is shown; if that was so already, go on."""

    def play(self) -> None:
        """Play on from the moment that is shown; if that was so already, stay at it."""

    def newest(self) -> None:
        """Show the newest moment, and what comes."""

    def change_speed(self, step: int) -> None:
        """Play faster (``step`` 1) or slower (-1)."""
