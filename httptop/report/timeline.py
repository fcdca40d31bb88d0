"""What happened when: counts and latencies of a run in a limited number of stretches of time.

A stretch is that of one snapshot at first. Once there are too many, neighbours are joined, so their
sums stay exact: those of all stretches are what the last snapshot has counted since start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from httptop.model import SIDES, STATUS_CLASSES, Side, Snapshot, Totals, class_of

#: The most stretches, an even number; of more, neighbours are joined.
MOST_STRETCHES: Final = 240


@dataclass(slots=True)
class Activity:
    """What a side did in a stretch of time."""

    #: Requests by the class of their status; 0: unanswered, or with no known status.
    classes: list[int] = field(default_factory=lambda: [0] * STATUS_CLASSES)
    #: Latencies by band, as in ``Totals.trend_bands``, as far as they are known.
    bands: Counter[int] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        """The requests that ended."""
        return sum(self.classes)

    def add(self, other: Activity) -> None:
        """Add another stretch to this one."""
        self.classes = [a + b for a, b in zip(self.classes, other.classes, strict=True)]
        self.bands.update(other.bands)


@dataclass(slots=True)
class Stretch:
    """A stretch of time; its ends are seconds since the start of the run."""

    begin_s: float
    end_s: float
    sides: Mapping[Side, Activity]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end_s - self.begin_s

    def join(self, later: Stretch) -> Stretch:
        """Return this stretch and the one behind it as one."""
        for side, activity in self.sides.items():
            activity.add(later.sides[side])
        return Stretch(self.begin_s, later.end_s, self.sides)


class Timeline:
    """Makes stretches of the snapshots of a run, given in their order."""

    def __init__(self) -> None:
        self._joined = 1  # snapshots in each stretch
        self._in_last = 0  # and in the last one so far
        self._stretches: list[Stretch] = []
        self._counted: dict[Side, list[int]] = {side: [0] * STATUS_CLASSES for side in SIDES}
        self._at_s = 0.0

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """The stretches so far, which follow each other without a gap."""
        return tuple(self._stretches)

    def see(self, snapshot: Snapshot) -> None:
        """Take what is new in a snapshot."""
        passed_s = max(0.0, snapshot.uptime_s - self._at_s)
        interval_s = snapshot.interval_s if snapshot.interval_s > 0 else 1.0
        ticks = max(1, round(passed_s / interval_s)) if passed_s else 0
        sides = {side: self._new(side, snapshot.total(side), ticks) for side in SIDES}
        if snapshot.hosts:  # each has counted since a time of its own
            sides = {side: _by_rates(snapshot.total(side), passed_s, sides[side]) for side in SIDES}
        latest = Stretch(self._at_s, self._at_s + passed_s, sides)
        self._at_s = latest.end_s
        if self._stretches and (self._in_last < self._joined or not passed_s):
            self._stretches[-1] = self._stretches[-1].join(latest)
        else:
            self._stretches.append(latest)
            self._in_last = 0
        self._in_last += 1
        if len(self._stretches) > MOST_STRETCHES:
            self._halve()

    def _new(self, side: Side, totals: Totals, ticks: int) -> Activity:
        """Return what a side did since the snapshot before, ``ticks`` ago."""
        counted = [0] * STATUS_CLASSES
        for code, responses in totals.status.items():
            number = class_of(code)
            counted[number if number < STATUS_CLASSES else 0] += responses
        counted[0] += totals.unanswered
        before, self._counted[side] = self._counted[side], counted
        new = [max(0, now - then) for now, then in zip(counted, before, strict=True)]
        bands: Counter[int] = Counter()
        for tick in totals.trend_bands[-ticks:] if ticks else ():
            bands.update({band: count for band, count in tick if count})
        return Activity(new, bands)

    def _halve(self) -> None:
        """Join neighbours, which are complete but for the last one: that stays alone."""
        found = self._stretches
        pairs = zip(found[::2], found[1::2], strict=False)
        self._stretches = [*(one.join(other) for one, other in pairs), found[-1]]
        self._joined *= 2


def _by_rates(totals: Totals, seconds: float, new: Activity) -> Activity:
    """Return what a side of a fleet did in some time, by its rates at the end of it."""
    rates = totals.trend_classes[-1] if totals.trend_classes else (0.0,) * STATUS_CLASSES
    return Activity([round(rate * seconds) for rate in rates], new.bands)
