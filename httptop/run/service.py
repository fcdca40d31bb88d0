"""Tell the service manager what the run does: that it has begun, that it goes on, that it ends."""

from __future__ import annotations

from typing import Final

from httptop.collect.feed import Observer
from httptop.humanize import count, rate
from httptop.linux.service_manager import ServiceManager
from httptop.model import SIDES, Snapshot, Totals

#: Seconds between two messages, at least: each wakes the manager.
_EVERY_S: Final = 5.0
#: Messages within the time that the watchdog waits, at least.
_OFTEN: Final = 4


class ManagedService(Observer):
    """Tells the manager of ticks, in the collector's thread: if that hangs, nobody else does."""

    def __init__(self, manager: ServiceManager) -> None:
        self._manager = manager
        self._told_s: float | None = None

    def see(self, snapshot: Snapshot) -> None:
        """Tell of a tick, unless another was told of just before."""
        every_s = min(_EVERY_S, (self._manager.watchdog_s or _EVERY_S * _OFTEN) / _OFTEN)
        if self._told_s is None or not 0 <= snapshot.uptime_s - self._told_s < every_s:
            self._told_s = snapshot.uptime_s
            self._manager.alive(snapshot.interval_s, f"STATUS={status(snapshot)}")

    def end(self, last: Snapshot | None) -> None:  # noqa: ARG002
        """Tell of the end, where nothing has before."""
        self._manager.stopping()


def observers_for(manager: ServiceManager | None) -> list[Observer]:
    """Return who tells the manager of a run, if there is a manager."""
    return [] if manager is None else [ManagedService(manager)]


def status(snapshot: Snapshot) -> str:
    """Return in a line what the run has counted."""
    sides = (snapshot.totals.get(side, Totals()) for side in SIDES)
    told = [
        f"{count(totals.requests)} requests {verb} ({rate(totals.rps)}/s)"
        for totals, verb in zip(sides, ("served", "sent"), strict=True)
    ]
    notes = len(snapshot.notes)
    return ", ".join((*told, *([f"{notes} note{'s' * (notes > 1)}"] if notes else ())))
