"""The latencies of one endpoint tick by tick, from what it has had since start in each snapshot."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from httptop.model import Bands, EndpointKey, Snapshot

#: Ticks that are kept.
MOST_TICKS: Final = 300


def without(now: Bands, before: Bands) -> Bands:
    """Return what is in ``now`` beyond what was there before."""
    had = dict(before)
    return tuple((band, more) for band, count in now if (more := count - had.get(band, 0)) > 0)


class BandHistory:
    """What was added in each tick for which the endpoint has been looked at."""

    def __init__(self, key: EndpointKey) -> None:
        self._key = key
        #: The ticks, the oldest first; one that was missed has nothing, the next one what both had.
        self.ticks: deque[Bands] = deque(maxlen=MOST_TICKS)
        #: Since start.
        self.all: Bands = ()
        self._at_s: float | None = None  # the uptime of the last snapshot that was noted

    def note(self, snapshot: Snapshot) -> None:
        """Note the next snapshot, if it knows the endpoint's latencies."""
        looked_at, last_s = snapshot.looked_at, self._at_s
        if looked_at is None or looked_at.key != self._key:
            return
        if last_s is not None and snapshot.uptime_s <= last_s:
            return  # the same one, or a moment in the past
        if self._at_s is not None and snapshot.interval_s > 0:
            passed = round((snapshot.uptime_s - self._at_s) / snapshot.interval_s)
            self.ticks.extend([()] * (min(passed, MOST_TICKS) - 1))
            self.ticks.append(without(looked_at.bands, self.all))
        self._at_s, self.all = snapshot.uptime_s, looked_at.bands

    def newest(self, ticks: int) -> Sequence[Bands]:
        """Return the newest ticks, at most so many."""
        return list(self.ticks)[-ticks:] if ticks > 0 else []
