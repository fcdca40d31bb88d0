"""What has been sent of each series, where increments are sent instead of sums (delta temporality).

An increment is what a series has counted beyond what a receiver has accepted. So it is taken down
only once its batch was accepted: what was not makes the next increment larger, and nothing is lost
or sent twice.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from httptop.collect.histogram import Histogram


@dataclass(frozen=True, slots=True)
class Sum:
    """A count, or a histogram, over some time."""

    began_at: float  # Unix time, seconds
    value: int  # a count; of a histogram, the sum of its latencies in nanoseconds
    buckets: Histogram | None = None


class _Taken:
    """What has been accepted of a series; packed, as there may be thousands."""

    __slots__ = ("_packed", "at", "began_at", "push", "value")

    def __init__(self, at: float, total: Sum, push: int) -> None:
        self.at, self.began_at, self.value = at, total.began_at, total.value
        self.push = push  # the last one that had the series
        self._packed = b""
        if total.buckets:
            buckets, counts = array("H", total.buckets), array("Q", total.buckets.values())
            self._packed = buckets.tobytes() + counts.tobytes()

    def _buckets(self) -> Histogram:
        buckets, counts = array("H"), array("Q")
        number = len(self._packed) // (buckets.itemsize + counts.itemsize)
        buckets.frombytes(self._packed[: number * buckets.itemsize])
        counts.frombytes(self._packed[number * buckets.itemsize :])
        return dict(zip(buckets, counts, strict=True))

    def increment(self, total: Sum) -> Sum | None:
        """Return what a series has beyond this; None if it has less: it has begun anew."""
        value = total.value - self.value
        if total.buckets is None:
            return Sum(self.at, value) if value >= 0 else None
        before = self._buckets()
        more = {
            bucket: count - before.get(bucket, 0)
            for bucket, count in total.buckets.items()
            if count != before.get(bucket, 0)
        }
        shrunk = min(more.values(), default=0) < 0 or not before.keys() <= total.buckets.keys()
        return None if value < 0 or shrunk else Sum(self.at, value, more)


class Increments:
    """Turns sums since start into increments; for one thread."""

    def __init__(self) -> None:
        self._taken: dict[Hashable, _Taken] = {}
        self._to_take: list[tuple[Hashable, float, Sum]] = []
        self._push = 0

    def of(self, series: Hashable, total: Sum, at: float) -> Sum | None:
        """Return what a series has counted up to a moment, and has not been accepted yet.

        None: nothing.
        """
        more = total
        taken = self._taken.get(series)
        if taken is not None:
            taken.push = self._push
            if taken.began_at == total.began_at:
                more = taken.increment(total) or total
        if not (more.value or more.buckets):
            return None
        self._to_take.append((series, at, total))
        return more

    def batch(self) -> Callable[[], None]:
        """Return what is to be called if the batch that holds the increments so far is accepted."""
        to_take, self._to_take = self._to_take, []
        push = self._push

        def accepted() -> None:
            for series, at, total in to_take:
                self._taken[series] = _Taken(at, total, push)

        return accepted

    def begin(self) -> None:
        """Begin a push: what a batch would have had that was not taken comes again."""
        self._to_take.clear()
        self._push += 1

    def end(self) -> None:
        """End a push that had all series: forget those that it had not."""
        self._taken = {
            series: taken for series, taken in self._taken.items() if taken.push >= self._push
        }

    def __len__(self) -> int:
        return len(self._taken)
