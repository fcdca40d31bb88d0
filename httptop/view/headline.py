"""What stands out now: what a watch says, what fails, hangs, is slower than usual, is new.

Each finding names the endpoint that it is about, in several wordings: how much of each is shown
depends on the room that there is (:func:`fitted`). Without Textual.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from httptop import humanize
from httptop.humanize import Units
from httptop.model import EndpointKey, EndpointStats, Side, Snapshot
from httptop.view.failures import Failing, Failures
from httptop.view.in_flight import Waiting, hanging
from httptop.view.jumps import jumped
from httptop.view.newcomers import Newcomers
from httptop.view.rows import RowsOnDemand, keys_of
from httptop.view.state import Scene
from httptop.view.watch_texts import event_text, lasting
from httptop.view.watches import Event

Kind = Literal["watch", "failing", "hangs", "slower", "new"]

#: An endpoint is slower from this change of its 99th percentile on.
SLOWER: Final = 1.5
#: Of so many latencies no single one is the 99th percentile.
_MANY: Final = 300
_MOST_LOOKED_AT: Final = 10
#: Cells that a mark takes before a text, and blanks behind it; the least cells of a text.
MARKED: Final = 4
_LEAST_WIDTH: Final = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that stands out."""

    kind: Kind
    wordings: tuple[str, ...]  # the shortest first; each says more than the one before it
    key: EndpointKey | None  # None: it is about several

    @property
    def text(self) -> str:
        """All that there is to say."""
        return self.wordings[-1]


def fitted(
    findings: Sequence[Finding], room: int, width_of: Callable[[str], int]
) -> list[tuple[Finding, str, int]]:
    """Return the findings that are shown, in their order, with the text and the cells of each.

    All get their shortest wording, then in turn longer ones as far as there is room. What is new
    is told where there is still enough room for that. Where the shortest are too long, the first
    gets what it wants, the others at least a few cells.
    """
    urgent = [one for one in findings if one.kind != "new"]
    urgent = urgent[: max(1, (room + 1) // (_LEAST_WIDTH + MARKED))]
    levels = [0] * len(urgent)

    def taken() -> int:
        shown = zip(urgent, levels, strict=True)
        return sum(width_of(one.wordings[level]) + MARKED for one, level in shown)

    if taken() > room:
        texts = [one.wordings[0] for one in urgent]
        widths = shared([width_of(text) for text in texts], room - MARKED * len(texts))
        return list(zip(urgent, texts, widths, strict=True))
    grows = True
    while grows:
        grows = False
        for at, one in enumerate(urgent):
            if levels[at] + 1 < len(one.wordings):
                levels[at] += 1
                if taken() > room:
                    levels[at] -= 1
                else:
                    grows = True
    left = room - taken()
    texts = [one.wordings[level] for one, level in zip(urgent, levels, strict=True)]
    new = [one for one in findings if one.kind == "new" and width_of(one.text) + MARKED <= left]
    shown = (*zip(urgent, texts, strict=True), *((one, one.text) for one in new))
    return [(one, text, width_of(text)) for one, text in shown]


def shared(wanted: list[int], room: int) -> list[int]:
    """Return how many cells each text gets: the first what it wants, the others at least a few."""
    left, found = max(room, 0), list[int]()
    for at, cells in enumerate(wanted):
        least = sum(min(_LEAST_WIDTH, more) for more in wanted[at + 1 :])
        found.append(max(0, min(cells, max(left - least, min(left, _LEAST_WIDTH)))))
        left -= found[-1]
    return found


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
        self._latest_s = 0.0  # uptime

    def note(self, snapshot: Snapshot) -> None:
        """Note the next snapshot; after a jump, what was seen before says nothing any more."""
        if jumped(self._latest_s, snapshot.uptime_s, snapshot.interval_s):
            self._newcomers, self._failures = Newcomers(), Failures()
        self._latest_s = snapshot.uptime_s
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
            wordings = _slower(row, others, snapshot, units, self._arrow)
            found.append(Finding("slower", wordings, row.key))
        found += _watched(events, side, {one.kind for one in found}, units)
        if new := self._newcomers.new(snapshot, side):
            newest = max(new, key=new.__getitem__)
            more = f" and {len(new) - 1} more" if len(new) > 1 else ""
            found.append(Finding("new", (f"new: {_name(newest)}{more}",), newest))
        return tuple(found)


def _watched(
    events: Sequence[Event], side: Side, told: set[Kind], units: Units
) -> Iterator[Finding]:
    """Yield what a watch says of a side that the other findings do not tell anyway."""
    on = [
        event
        for event in events
        if event.on
        and event.side == side
        and not (event.watch.usual and ("slower" in told or event.ending))
        and not (event.watch.measure in ("5xx", "errors") and "failing" in told)
        and not (event.watch.measure in ("in_flight", "oldest") and "hangs" in told)
    ]
    if on:
        newest = on[0]
        what = f"watch: {event_text(newest, units.duration)}"
        since = f"{what}, {lasting(newest.seconds, at_least=newest.at_least)}"
        more = (f"{since}; {len(on) - 1} more",) if len(on) > 1 else ()
        key = newest.subject if isinstance(newest.subject, EndpointKey) and not more else None
        yield Finding("watch", (what, since, *more), key)


def _where(key: EndpointKey) -> str:
    return f"{key.host} " if key.host else ""


def _name(key: EndpointKey) -> str:
    return f"{_where(key)}{key.process} {key.method} {key.path}"


def _short_name(key: EndpointKey) -> str:
    return f"{_where(key)}{key.process} {key.path}"


def _failing(failing: Failing, others: int) -> tuple[str, ...]:
    share = humanize.percent(failing.share)
    only = "" if failing.pid is None else f", only pid {failing.pid}"
    short, name = _short_name(failing.key), f"{_name(failing.key)}{only}"
    if failing.ended_s is not None:
        until = f"5xx {share} until {lasting(failing.ended_s)} ago"
        return f"{until}: {short}", *_and_more(f"{until}: {name}", others)
    since = _for(failing.seconds, at_least=failing.at_least)
    now = f"5xx {share}"
    return (
        f"{now}: {short}",
        f"{now}: {short}{only}",
        *(f"{now}: {text}" for text in (name, *_and_more(f"{name}{since}", others))),
    )


def _for(seconds: float, *, at_least: bool = False) -> str:
    return f", for {lasting(seconds, at_least=at_least)}" if seconds >= 1 else ""


def _and_more(text: str, endpoints: int) -> tuple[str, ...]:
    if not endpoints:
        return (text,)
    return text, f"{text}, {endpoints} more endpoint{'s' * (endpoints > 1)}"


def _hanging(requests: tuple[Waiting, ...], units: Units) -> tuple[str, ...]:
    oldest = requests[0].request
    name, age = _name(oldest.key), units.duration(oldest.age_ns)
    if len(requests) == 1:
        return f"1 hangs {age}: {_short_name(oldest.key)}", f"1 hangs for {age}: {name}"
    number = f"{len(requests):,} hang"
    short = f"{number}, {age}: {_short_name(oldest.key)}"
    return short, f"{number}, {age}: {name}", f"{number}, oldest {age}: {name}"


def _slower(
    row: EndpointStats, others: int, snapshot: Snapshot, units: Units, arrow: str
) -> tuple[str, ...]:
    before, now = units.duration(row.usual_p99_ns), units.duration(row.latency.p99_ns)
    ticks, times = slower_for(row), row.p99_change or 0.0
    since = "" if ticks is None else _for(ticks * snapshot.interval_s)
    figures = f"{times:.1f}x slower" if times < 9.95 else f"{times:.0f}x slower"
    unit = now.lstrip("0123456789.")  # said once where both have it
    change, name = f"{before.removesuffix(unit)}{arrow}{now}", _name(row.key)
    return (
        f"{figures} {change}: {_short_name(row.key)}",
        f"{figures} {change}: {name}",
        f"{figures}, p99 {change}: {name}",
        *_and_more(f"{figures}, p99 {change}: {name}{since}", others),
    )
