"""Summaries of latencies, as histograms have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from httptop.collect import histogram
from httptop.model import Latency

MS: Final = 1e6


def summary_of(values_ns: Sequence[float]) -> Latency:
    """Return the summary of latencies."""
    buckets = Counter(histogram.bucket_of(int(value)) for value in values_ns)
    return histogram.summary(buckets, int(sum(values_ns)), int(max(values_ns)))
