"""The settings of ``[output]``: what batch mode prints."""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.value_types import Choice

OUTPUT_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "output",
        "format",
        Choice(("text", "json")),
        "Format of batch output; json is one object per line.",
        flags=("--format",),
        metavar="text|json",
        group="output",
        live=True,
    ),
)
