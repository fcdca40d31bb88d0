"""Where latencies belong in Prometheus' histograms, by the buckets that they are counted in.

A bucket's latencies are taken for its middle, which is within 1.6 % of each (collect/histogram.py).
So where a bound of Prometheus' cuts a bucket in two, the whole of it is on the side of its middle;
and since that never changes, no bucket of Prometheus' ever falls.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from httptop.collect.histogram import MIDDLES

#: Of native histograms: 2^5 buckets an octave, as in the kernel.
SCHEMA: Final = 5
#: The native bucket of +Inf: the one above the largest finite number's, 2^1024.
INFINITE: Final = (1024 << SCHEMA) + 1


@lru_cache(4)
def places(bounds_ns: Sequence[int]) -> tuple[int, ...]:
    """Return for each of our buckets the index of the first bound that it is not above.

    ``bounds_ns`` ascend; what is above all of them has their number as index.
    """
    return tuple(bisect_left(bounds_ns, middle) for middle in MIDDLES)


def native_index(value_s: float) -> int:
    """Return the native bucket i of a latency, above 2^((i - 1) / 32) and at most 2^(i / 32)."""
    return math.ceil(math.log2(value_s) * (1 << SCHEMA))


@lru_cache(1)
def native_places() -> tuple[int, ...]:
    """Return for each of our buckets the native one, ascending."""
    return tuple(native_index(middle / 1e9) for middle in MIDDLES)


def as_seconds(bound_ns: int) -> str:
    """Return a bound as the label ``le`` has it, in Go's way: 0.005, 5."""
    return f"{bound_ns / 1e9:.9f}".rstrip("0").rstrip(".")
