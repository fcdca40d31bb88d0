"""The settings of ``[prometheus]``: metrics for who comes and asks for them."""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.settings.string_types import LISTEN
from httptop.config.value_types import Switch

PROMETHEUS_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "prometheus",
        "listen",
        LISTEN,
        "Serve metrics to Prometheus at /metrics, and how httptop is at /healthz, on this address "
        "and port (docs/prometheus.md); a port alone is one of 127.0.0.1. Empty: nowhere.",
        flags=("--prometheus",),
        metavar="ADDR:PORT",
        bare="127.0.0.1:9742",
        group="output",
    ),
    Setting(
        "prometheus",
        "native",
        Switch(),
        "Whether a Prometheus that prefers native histograms has these, without classic buckets.",
    ),
)
