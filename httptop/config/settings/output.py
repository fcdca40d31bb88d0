"""The settings of ``[output]``: what batch mode prints."""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.value_types import Choice, Switch
from httptop.view.sorts import SORTS

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
    Setting(
        "output",
        "sort",
        Choice(tuple(SORTS)),
        "Column that sorts endpoints in batch output, and as a flag on the screen; ui.sort gives "
        "way to it there. Figures descend, names ascend.",
        flags=("--sort",),
        metavar="COLUMN",
        group="output",
        live=True,
    ),
    Setting(
        "output",
        "active",
        Switch(),
        "Only endpoints with a request in the window, in batch output; it ended there or is in "
        "flight. Totals stay whole, and the number of the other endpoints is said.",
        flags=("--active",),
        group="output",
        live=True,
    ),
    Setting(
        "output",
        "in_flight",
        Switch(),
        "The requests in flight in batch output, the oldest first, at most 1000: age, process and "
        "peer. The screen has them anyway; in batch they are read only if this is on, which costs "
        "half a microsecond a tick for each open connection.",
        flags=("--in-flight",),
        group="output",
        live=True,
    ),
    Setting(
        "output",
        "quiet",
        Switch(),
        "No snapshots on standard output, only the outputs asked for: a recording, a report, the "
        "log file, metrics; without any of them a quiet run is refused. As a flag it means batch, "
        "on a terminal as well.",
        flags=("--quiet",),
        group="output",
    ),
)
