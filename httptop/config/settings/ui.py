"""The settings of ``[ui]``: what the screen looks like at first."""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.settings.string_types import KEYS, SCREEN_FILTER
from httptop.config.value_types import Choice, Duration, Many, Switch
from httptop.model import SIDES
from httptop.view.sorts import SORTS

_S: Final = 1_000_000_000
_THEMES: Final = ("dark", "light", "high-contrast", "colour-blind", "ansi")
_COLUMNS: Final = (
    "host",
    "process",
    "user",
    "container",
    "port",
    "protocol",
    "method",
    "path",
    "rps",
    "share",
    "error_share",
    "requests",
    "2xx",
    "3xx",
    "4xx",
    "5xx",
    "unanswered",
    "p50",
    "p90",
    "p95",
    "p99",
    "change",
    "p999",
    "mean",
    "max",
    "in_flight",
    "oldest",
    "request_bytes",
    "response_bytes",
    "trend",
)

UI_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "ui",
        "theme",
        Choice(_THEMES),
        "Colours of the screen; ansi: the 16 of the terminal.",
        live=True,
    ),
    Setting(
        "ui",
        "window",
        Duration(_S, 3600 * _S, seconds=True),
        "Time that rates, errors and latencies on the screen cover at first; + and - change it. "
        "--window takes precedence.",
        "window_s",
    ),
    Setting(
        "ui",
        "refresh",
        Duration(0, 3600 * _S, seconds=True),
        "Shortest time between two updates of the figures; 0s: with every tick.",
        "refresh_s",
        live=True,
    ),
    Setting(
        "ui",
        "symbols",
        Choice(("braille", "block", "ascii")),
        "What trends are drawn with; ascii: nothing else on the whole screen, the default where "
        "locale or terminal have no UTF-8.",
    ),
    Setting(
        "ui",
        "columns",
        Many(Choice(_COLUMNS)),
        "Columns of the endpoint table, in order; empty: as many as fit, in the default order.",
        live=True,
    ),
    Setting("ui", "sort", Choice(tuple(SORTS)), "Column that endpoints are sorted by.", live=True),
    Setting("ui", "side", Choice(SIDES), "Side shown first.", live=True),
    Setting(
        "ui",
        "filter",
        SCREEN_FILTER,
        "Filter that the screen starts with; endpoints that it hides are still counted.",
        live=True,
    ),
    Setting(
        "ui",
        "latency_unit",
        Choice(("auto", "us", "ms", "s")),
        "Unit of latencies on the screen; a value too long for its column is shown as with auto.",
        live=True,
    ),
    Setting(
        "ui",
        "byte_units",
        Choice(("iec", "si")),
        "Units of bytes on the screen. iec: KiB of 1024 bytes; si: kB of 1000 bytes.",
        live=True,
    ),
    Setting(
        "ui",
        "confirm_quit",
        Switch(),
        "Whether q asks for confirmation before quitting.",
        live=True,
    ),
    Setting(
        "ui",
        "alert",
        Choice(("none", "bell", "notify")),
        "What the terminal is told when a watch passes its limit: nothing, its bell, or a "
        "notification (OSC 9), which not every terminal shows.",
        live=True,
    ),
    Setting(
        "ui",
        "keys",
        KEYS,
        "Your own keys, such as pause=space; ? on the screen lists the actions. A key is taken "
        "away from the action that has it, unless that action has no other.",
        live=True,
    ),
)
