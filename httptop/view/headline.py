"""What stands out now: what a watch says, what fails, hangs, is slower than usual, is new.

Each finding names the endpoint that it is about. Without Textual.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from httptop import humanize
from httptop.humanize import Units
from httptop.model import EndpointKey, EndpointStats, Side, Snapshot
from httptop.view.failures import Failing, Failures
from httptop.view.in_flight import Waiting, hanging
from httptop.view.newcomers import Newcomers
from httptop.view.rows import RowsOnDemand, keys_of
from httptop.view.state import Scene
from httptop.view.watches import Event, event_text, lasting

Kind = Literal["watch", "failing", "hangs", "slower", "new"]

#: An endpoint is slower from this change of its 99th percentile on.
SLOWER: Final = 1.5
#: Of so many latencies no single one is the 99th percentile.
_MANY: Final = 300
_MOST_LOOKED_AT: Final = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that stands out."""

    kind: Kind
    text: str
    key: EndpointKey | None  # None: it is about several


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
    """Return the row of the shown side that has changed most, and how many others are slower.

    A row with few requests has to be slower for longer than one of them is in the window.
    """
    snapshot = scene.snapshot
    if snapshot is None:
        return None, 0
    rows, side = snapshot.endpoints, scene.view.side
    keys = keys_of(rows)
    values = rows.values("change") if isinstance(rows, RowsOnDemand) else None
    changes = [row.p99_change or 0.0 for row in rows] if values is None else values
    slower = [at for at, change in enumerate(changes) if change >= SLOWER and keys[at].side == side]
    slower.sort(key=changes.__getitem__, reverse=True)
    for number, at in enumerate(slower[:_MOST_LOOKED_AT]):
        if _lasts(rows[at], snapshot):
            return rows[at], len(slower) - number - 1
    return None, 0


def _lasts(row: EndpointStats, snapshot: Snapshot) -> bool:
    ticks = slower_for(row)
    if ticks is None or row.latency.count >= _MANY:
        return True
    return ticks * snapshot.interval_s > snapshot.covered_s + snapshot.interval_s


class Headlines:
    """Finds what stands out; remembers what it takes of former snapshots."""

    def __init__(self, arrow: str) -> None:
        """``arrow`` stands between a value then and now."""
        self._newcomers, self._failures = Newcomers(), Failures()
        self._arrow = arrow
        self._latest_at = 0.0

    def note(self, snapshot: Snapshot) -> None:
        """Note the next snapshot; one that is older than the last begins anew."""
        if snapshot.taken_at < self._latest_at:
            self._newcomers, self._failures = Newcomers(), Failures()
        self._latest_at = snapshot.taken_at
        self._newcomers.note(snapshot)
        self._failures.note(snapshot)

    def findings(
        self, scene: Scene, units: Units, events: Sequence[Event] = ()
    ) -> tuple[Finding, ...]:
        """Return what stands out on the shown side, the most urgent first.

        ``events`` are those of the watches, the newest first.
        """
        snapshot, side = scene.snapshot, scene.view.side
        if snapshot is None:
            return ()
        found = []
        failing, others = self._failures.worst(side)
        if failing is not None:
            found.append(Finding("failing", _failing(failing, others), failing.key))
        if hang := hanging(snapshot, side):
            found.append(Finding("hangs", _hanging(hang, units), hang[0].request.key))
        row, others = slowest(scene)
        if row is not None:
            text = _slower(row, others, snapshot, units, self._arrow)
            found.append(Finding("slower", text, row.key))
        if new := self._newcomers.new(snapshot, side):
            newest = max(new, key=new.__getitem__)
            more = f" and {len(new) - 1} more" if len(new) > 1 else ""
            found.append(Finding("new", f"new: {_name(newest)}{more}", newest))
        return (*_watched(events, side, {one.kind for one in found}, units), *found)


def _watched(
    events: Sequence[Event], side: Side, told: set[Kind], units: Units
) -> Iterator[Finding]:
    """Yield what a watch says of a side that the other findings do not tell anyway."""
    on = [
        event
        for event in events
        if event.on
        and (event.subject.side if isinstance(event.subject, EndpointKey) else event.subject)
        == side
        and not (event.watch.usual and "slower" in told)
        and not (event.watch.measure in ("5xx", "errors") and "failing" in told)
        and not (event.watch.measure in ("in_flight", "oldest") and "hangs" in told)
    ]
    if on:
        newest = on[0]
        more = f", {len(on) - 1} more on" if len(on) > 1 else ""
        text = f"{event_text(newest, units.duration)} for {lasting(newest.seconds)}{more}"
        key = newest.subject if isinstance(newest.subject, EndpointKey) and not more else None
        yield Finding("watch", text, key)


def _name(key: EndpointKey) -> str:
    return f"{key.process} {key.method} {key.path}"


def _failing(failing: Failing, others: int) -> str:
    only = "" if failing.pid is None else f", pid {failing.pid} only"
    share, seconds = humanize.percent(failing.share), failing.seconds
    since = f" for {lasting(seconds)}" if seconds >= 1 else ""
    return f"5xx {share}: {_name(failing.key)}{only}{since}{_more(others)}"


def _more(endpoints: int) -> str:
    return f", {endpoints} more endpoint{'s' * (endpoints > 1)}" if endpoints else ""


def _hanging(requests: tuple[Waiting, ...], units: Units) -> str:
    oldest = requests[0].request
    name, age = _name(oldest.key), units.duration(oldest.age_ns)
    if len(requests) == 1:
        return f"1 hangs for {age}: {name}"
    return f"{len(requests):,} hang, oldest {age}: {name}"


def _slower(row: EndpointStats, others: int, snapshot: Snapshot, units: Units, arrow: str) -> str:
    before, now = units.duration(row.usual_p99_ns), units.duration(row.latency.p99_ns)
    ticks = slower_for(row)
    since = "" if ticks is None else f" for {lasting(ticks * snapshot.interval_s)}"
    return f"{_name(row.key)} p99 {before}{arrow}{now}{since}{_more(others)}"
