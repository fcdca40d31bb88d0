"""Declare every setting once: its place, kind, meaning and flag; defaults are in sections.py.

The flags, the checks, ``--print-config``, the comments of ``--save-config`` and docs/settings.md
are made from the table ``SETTINGS``. A setting is listed only if changing it has an effect.
"""

from __future__ import annotations

from typing import Final

from httptop.config.settings.filter import FILTER_SETTINGS
from httptop.config.settings.fleet import FLEET_SETTINGS
from httptop.config.settings.general import GENERAL_SETTINGS
from httptop.config.settings.metrics import METRICS_SETTINGS
from httptop.config.settings.otlp import OTLP_SETTINGS
from httptop.config.settings.output import OUTPUT_SETTINGS
from httptop.config.settings.paths import PATHS_SETTINGS
from httptop.config.settings.performance import PERFORMANCE_SETTINGS
from httptop.config.settings.prometheus import PROMETHEUS_SETTINGS
from httptop.config.settings.request_log import REQUEST_LOG_SETTINGS
from httptop.config.settings.sampling import SAMPLING_SETTINGS
from httptop.config.settings.sections import (
    DEFAULTS,
    EventFilter,
    ExportedMetrics,
    Filter,
    Fleet,
    General,
    HttpFilter,
    NetworkFilter,
    Otlp,
    Output,
    Paths,
    Performance,
    ProcessFilter,
    Prometheus,
    RequestLog,
    Sampling,
    Security,
    Settings,
    Ui,
    Watches,
)
from httptop.config.settings.security import SECURITY_SETTINGS
from httptop.config.settings.setting import Setting
from httptop.config.settings.string_types import FILE, LISTEN, LOG_DESTINATION, OTLP_ENDPOINT
from httptop.config.settings.ui import UI_SETTINGS
from httptop.config.settings.watches import WATCHES_SETTINGS
from httptop.config.value_types import Many

SETTINGS: Final[tuple[Setting, ...]] = (
    *GENERAL_SETTINGS,
    *FILTER_SETTINGS,
    *PATHS_SETTINGS,
    *SAMPLING_SETTINGS,
    *OUTPUT_SETTINGS,
    *REQUEST_LOG_SETTINGS,
    *METRICS_SETTINGS,
    *PROMETHEUS_SETTINGS,
    *OTLP_SETTINGS,
    *PERFORMANCE_SETTINGS,
    *SECURITY_SETTINGS,
    *FLEET_SETTINGS,
    *WATCHES_SETTINGS,
    *UI_SETTINGS,
)

BY_KEY: Final = {setting.key: setting for setting in SETTINGS}

#: What decides where root writes, what it gives up, and whom it tells what it sees. Who calls sudo
#: may not set these in a file of their own, or any program of theirs would be root at the next
#: start, or show others what root sees.
GUARDED: Final = frozenset(
    setting.key
    for setting in SETTINGS
    if setting.section == "security"
    or setting.kind in (FILE, LISTEN, OTLP_ENDPOINT)
    or (isinstance(setting.kind, Many) and setting.kind.item is LOG_DESTINATION)
)

__all__ = [
    "BY_KEY",
    "DEFAULTS",
    "GUARDED",
    "SETTINGS",
    "EventFilter",
    "ExportedMetrics",
    "Filter",
    "Fleet",
    "General",
    "HttpFilter",
    "NetworkFilter",
    "Otlp",
    "Output",
    "Paths",
    "Performance",
    "ProcessFilter",
    "Prometheus",
    "RequestLog",
    "Sampling",
    "Security",
    "Setting",
    "Settings",
    "Ui",
    "Watches",
]
