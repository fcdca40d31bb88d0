"""Trends in a capture: each as its difference to that of the snapshot before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from httptop.capture.problems import CaptureError
from httptop.model import SIDES, Side, Snapshot, Totals

Trend = tuple[Any, ...]
#: The fields of the totals that are trends.
TRENDS: Final = tuple(name for name in Totals.__dataclass_fields__ if name.startswith("trend_"))
_LONGEST: Final = 100_000
#: The most bands of latencies of a tick that have any, and how many there are: of one that is much
#: higher the latency is no number any more.
_MOST_BANDS: Final = 64
_BANDS: Final = 2000


def difference(before: Sequence[Any], now: Sequence[Any]) -> tuple[int, Sequence[Any]]:
    """Return how many values went at the front, and what was added: a few for each tick."""
    for new in range(min(3, len(now) + 1)):
        kept = len(now) - new
        if kept <= len(before) and tuple(before[len(before) - kept :]) == tuple(now[:kept]):
            return len(before) - kept, now[kept:]
    return len(before), now


def follow(before: Trend, dropped: int, added: Sequence[Any]) -> Trend:
    """Return the trend that differs so from the one before; raise :class:`CaptureError`."""
    if dropped < 0:
        raise CaptureError("holds a number out of range")
    if not (dropped or added):
        return before
    found = (*before[dropped:], *added)
    if len(found) > _LONGEST:
        raise CaptureError("holds a trend that is too long")
    return found


class TotalsTrends:
    """The trends of both sides' totals, which follow each other."""

    def __init__(self) -> None:
        self._before: dict[str, Trend] = {}

    def fork(self) -> TotalsTrends:
        """Return others that go on from here."""
        other = TotalsTrends()
        other._before = dict(self._before)
        return other

    def differences(self, snapshot: Snapshot) -> tuple[dict[str, int], dict[Side, Totals]]:
        """Return how many values went, by side and name, and totals with those that were added."""
        dropped: dict[str, int] = {}
        totals: dict[Side, Totals] = {}
        for side in SIDES:
            found = snapshot.totals.get(side)
            if found is not None:
                added: dict[str, Any] = {}
                for name in TRENDS:
                    now = getattr(found, name)
                    place = side + name
                    dropped[place], added[name] = difference(self._before.get(place, ()), now)
                    self._before[place] = now
                totals[side] = replace(found, **added)
        return dropped, totals

    def follow(self, place: str, dropped: int, added: Sequence[Any]) -> Trend:
        """Return the trend of a side and name that differs so from the one before."""
        if place.endswith("trend_bands"):
            for bands in added:
                if len(bands) > _MOST_BANDS or any(band >= _BANDS for band, _ in bands):
                    raise CaptureError("holds latencies out of range")
        found = self._before[place] = follow(self._before.get(place, ()), dropped, added)
        return found
