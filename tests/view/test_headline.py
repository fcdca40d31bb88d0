"""What stands out: what is slower than usual, for how long, and what is new."""

from __future__ import annotations

from dataclasses import replace

import pytest

from httptop.humanize import DEFAULT_UNITS
from httptop.model import OWN_PATHS, EndpointKey, EndpointStats
from httptop.view.headline import NEW_S, Finding, Newcomers, findings, slower_for
from httptop.view.state import View, scene
from tests.factory import key, row, snapshot

MS = 1e6


def _slow(name: EndpointKey, change: float, trend: tuple[float | None, ...] = ()) -> EndpointStats:
    return replace(
        row(name, trend=trend),
        usual_p99_ns=10 * MS,
        p99_change=change,
        latency=replace(row().latency, p99_ns=10 * MS * change),
    )


def _found(*rows: EndpointStats, new: dict[EndpointKey, float] | None = None) -> list[Finding]:
    return list(findings(scene(snapshot(rows), View()), new or {}, DEFAULT_UNITS, "->"))


def test_nothing_stands_out() -> None:
    assert _found(row(), _slow(key("/a"), 1.0), _slow(key("/b"), 0.5)) == []
    assert list(findings(scene(None, View()), {}, DEFAULT_UNITS, "->")) == []


def test_the_endpoint_that_has_changed_most_is_named() -> None:
    slow = _slow(key("/stock", process="stockd"), 8.0)
    (found,) = _found(row(), _slow(key("/b"), 1.6), slow, _slow(key("/c", side="client"), 20.0))
    assert (found.kind, found.key) == ("slower", slow.key)
    assert found.text == "stockd GET /stock p99 10.0ms->80.0ms, 1 more slower"


@pytest.mark.parametrize(
    ("trend", "ticks"),
    [
        ((10.0, 11.0, 80.0, 79.0, 85.0), 3),
        ((10.0, None, None, 80.0), 3),
        ((10.0, 80.0, None, 80.0), 3),
        ((80.0,) * 9, None),  # longer than is known
        ((), None),
    ],
)
def test_since_when(trend: tuple[float | None, ...], ticks: int | None) -> None:
    values = tuple(None if value is None else value * MS for value in trend)
    slow = _slow(key("/a"), 8.0, values)
    assert slower_for(slow) == ticks
    (found,) = _found(slow)
    assert (" for " in found.text) == (ticks is not None)
    if ticks is not None:
        assert f" for {ticks}s" in found.text


def test_new_endpoints() -> None:
    new = {key("/n1"): 100.0, key("/n2"): 130.0, key("/c", side="client"): 140.0}
    (found,) = _found(*(row(name) for name in new), new=new)
    assert (found.kind, found.key) == ("new", key("/n2"))
    assert found.text == f"new: {key().process} GET /n2 and 1 more"
    assert _found(row(), new={key("/gone"): 100.0}) == []


def test_newcomers() -> None:
    newcomers, name = Newcomers(), key("/late")
    first = snapshot([row(), row(key(OWN_PATHS[0]))], tick=10)
    newcomers.note(first)
    assert newcomers.new(first) == {}
    later = snapshot([row(), row(name), row(key(OWN_PATHS[1]))], tick=200)
    newcomers.note(later)
    assert newcomers.new(later) == {name: 200.0}
    newcomers.note(again := snapshot([row(name)], tick=210))
    assert newcomers.new(again) == {name: 200.0}
    newcomers.note(long := snapshot([row(name)], tick=200 + int(NEW_S) + 1))
    assert newcomers.new(long) == {}


def test_what_comes_in_the_first_minute_is_not_new() -> None:
    newcomers = Newcomers()
    newcomers.note(snapshot([row()], tick=1))
    newcomers.note(shown := snapshot([row(), row(key("/soon"))], tick=59))
    assert newcomers.new(shown) == {}


def test_what_was_there_at_first_is_not_new() -> None:
    newcomers = Newcomers()
    newcomers.note(shown := snapshot([row()], tick=200))
    assert newcomers.new(shown) == {}
