"""The settings of ``[sampling]``: which requests are shown one by one."""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.value_types import Choice, Duration, Integer, Number

_S: Final = 1_000_000_000

SAMPLING_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "sampling",
        "strategy",
        Choice(("tail", "all", "random", "per-endpoint")),
        "Which requests are sampled first. tail: failed and slow ones; all: as they come; random: "
        "each with probability sampling.rate; per-endpoint: up to per_second for each endpoint.",
        flags=("--sampling",),
        metavar="tail|all|random|per-endpoint",
        group="sampling",
        live=True,
    ),
    Setting(
        "sampling",
        "rate",
        Number(0, 1),
        "Share of requests that may be sampled, at random; with tail, of those that neither failed "
        "nor were slow; with all, it has no effect.",
        live=True,
    ),
    Setting(
        "sampling",
        "per_second",
        Integer(0, 100_000),
        "Samples per second; counts are never limited.",
        flags=("--sample-rate",),
        metavar="N",
        group="sampling",
        live=True,
    ),
    Setting(
        "sampling",
        "burst",
        Integer(1, 100_000),
        "Number of samples that may come at once after a pause; an eighth of them is for processes "
        "that have had few.",
        live=True,
    ),
    Setting(
        "sampling",
        "slow_threshold",
        Duration(1000, 3600 * _S),
        "Latency from which a request counts as slow.",
        "slow_threshold_ns",
        flags=("--slow",),
        metavar="500ms",
        group="sampling",
        live=True,
    ),
)
