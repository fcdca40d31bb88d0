"""What stands out now, in a few words each: what is slower than usual, and what is new.

Pure functions, without Textual. Each finding names the endpoint that it is about.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from httptop.humanize import Units
from httptop.model import OWN_PATHS, EndpointKey, EndpointStats, Snapshot
from httptop.view.rows import RowsOnDemand, keys_of, row_of
from httptop.view.state import Scene

Kind = Literal["slower", "new"]

#: An endpoint is slower from this change of its 99th percentile on.
SLOWER: Final = 1.5
#: An endpoint is new for so long, and not in the first seconds of a run, when all are.
NEW_S: Final = 300.0
_START_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that stands out."""

    kind: Kind
    text: str
    key: EndpointKey


class Newcomers:
    """Remembers since when there are endpoints; as far as snapshots have been shown."""

    def __init__(self) -> None:
        self._since_s: dict[EndpointKey, float] = {}
        self._seen: object = None  # the keys of the last snapshot

    def note(self, snapshot: Snapshot) -> None:
        """Note the endpoints of the next snapshot."""
        keys = keys_of(snapshot.endpoints)
        if keys is self._seen:
            return
        # Since when there are those of the first snapshot is not known.
        now_s = 0.0 if self._seen is None else snapshot.uptime_s
        before, self._seen = self._since_s, keys
        self._since_s = {key: before.get(key, now_s) for key in keys}

    def new(self, snapshot: Snapshot) -> dict[EndpointKey, float]:
        """Return the uptime (s) at which each endpoint came that is new."""
        least_s = max(snapshot.uptime_s - NEW_S, _START_S)
        return {
            key: since_s
            for key, since_s in self._since_s.items()
            if since_s > least_s and key.path not in OWN_PATHS
        }


def slower_for(row: EndpointStats) -> int | None:
    """Return for how many ticks a row has been slower than usual; None: longer than is known."""
    usual_ns, change = row.usual_p99_ns, row.p99_change
    if usual_ns is None or change is None:
        return None
    border_ns = usual_ns * math.sqrt(change)
    for ticks, value in enumerate(reversed(row.trend_ns)):
        if value is not None and value < border_ns:
            return ticks
    return None


def slowest(scene: Scene) -> tuple[EndpointStats | None, int]:
    """Return the row of the shown side that has changed most, and how many others are slower."""
    snapshot = scene.snapshot
    if snapshot is None:
        return None, 0
    rows, side = snapshot.endpoints, scene.view.side
    keys = keys_of(rows)
    values = rows.values("change") if isinstance(rows, RowsOnDemand) else None
    changes = [row.p99_change or 0.0 for row in rows] if values is None else values
    slower = [at for at, change in enumerate(changes) if change >= SLOWER and keys[at].side == side]
    if not slower:
        return None, 0
    return rows[max(slower, key=changes.__getitem__)], len(slower) - 1


def findings(
    scene: Scene, newcomers: Mapping[EndpointKey, float], units: Units, arrow: str
) -> tuple[Finding, ...]:
    """Return what stands out on the shown side, the most urgent first.

    ``newcomers``: as :meth:`Newcomers.new` has them; ``arrow``: stands between then and now.
    """
    snapshot = scene.snapshot
    if snapshot is None:
        return ()
    found = []
    row, others = slowest(scene)
    if row is not None:
        found.append(Finding("slower", _slower(row, others, snapshot, units, arrow), row.key))
    new = [key for key in newcomers if key.side == scene.view.side]
    new = [key for key in new if row_of(snapshot.endpoints, key) is not None]
    if new:
        newest = max(new, key=newcomers.__getitem__)
        more = f" and {len(new) - 1} more" if len(new) > 1 else ""
        found.append(Finding("new", f"new: {_name(newest)}{more}", newest))
    return tuple(found)


def _name(key: EndpointKey) -> str:
    return f"{key.process} {key.method} {key.path}"


def _slower(row: EndpointStats, others: int, snapshot: Snapshot, units: Units, arrow: str) -> str:
    before, now = units.duration(row.usual_p99_ns), units.duration(row.latency.p99_ns)
    ticks = slower_for(row)
    since = "" if ticks is None else f" for {_time(ticks * snapshot.interval_s)}"
    more = f", {others} more slower" if others else ""
    return f"{_name(row.key)} p99 {before}{arrow}{now}{since}{more}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
