"""The settings of ``[metrics]``: what all outputs of metrics have in common."""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.value_types import Integer

METRICS_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "metrics",
        "max_series",
        Integer(16, 1 << 20),
        "Number of series that outputs of metrics have, one for each status of an endpoint: those "
        "that come first. All others are counted under ~other of their process and method, where a "
        "fourth of that number is left for these.",
    ),
)
