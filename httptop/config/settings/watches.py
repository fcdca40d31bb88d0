"""The settings of ``[watches]``: which figures are watched on the screen."""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.settings.string_types import WATCHES

WATCHES_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "watches",
        "rules",
        WATCHES,
        "What is watched on the screen, and its limits (docs/watches.md); key a shows it.",
        live=True,
    ),
)
