"""The settings of ``[metrics]``: what all outputs of metrics have in common."""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.value_types import Ascending, Duration, Integer

_US: Final = 1000
_HOUR: Final = 3600 * 1_000_000_000

METRICS_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "metrics",
        "max_series",
        Integer(16, 1 << 20),
        "Number of series that outputs of metrics have, one for each status of an endpoint: those "
        "that come first. All others are counted under ~other of their process and method, where a "
        "fourth of that number is left for these.",
    ),
    Setting(
        "metrics",
        "bounds",
        Ascending(Duration(_US, _HOUR), 60),
        "Upper bounds of the buckets of classic histograms, ascending; OpenTelemetry's, and some "
        "below 5ms. Native and exponential histograms have their own.",
        "bounds_ns",
    ),
)
