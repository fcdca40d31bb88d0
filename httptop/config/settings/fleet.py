"""The settings of ``[fleet]``: how ``--from`` asks a Prometheus server."""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.settings.string_types import LABEL
from httptop.config.value_types import Duration, Integer

_S: Final = 1_000_000_000

FLEET_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "fleet",
        "host_label",
        LABEL,
        "The label of metrics that names their host: instance is the address that Prometheus "
        "scrapes; in Kubernetes a label such as node may be the better one.",
    ),
    Setting(
        "fleet",
        "max_endpoints",
        Integer(10, 50_000),
        "The most endpoints of a side that have rows; those with fewest requests in the window "
        "count in the row ~other of their host.",
    ),
    Setting(
        "fleet",
        "timeout",
        Duration(_S // 10, 120 * _S, seconds=True),
        "How long the queries of a tick may take together.",
        "timeout_s",
    ),
)
