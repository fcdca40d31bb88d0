"""Which endpoints are new."""

from __future__ import annotations

from httptop.model import OWN_PATHS
from httptop.view.newcomers import NEW_S, Newcomers
from tests.factory import key, row, snapshot


def test_newcomers() -> None:
    newcomers, name = Newcomers(), key("/late")
    first = snapshot([row(), row(key(OWN_PATHS[0]))], tick=10)
    newcomers.note(first)
    assert newcomers.new(first, "server") == {}
    there = [row(), row(name), row(key(OWN_PATHS[1])), row(key("/c", side="client"))]
    newcomers.note(later := snapshot(there, tick=200))
    assert newcomers.new(later, "server") == {name: 200.0}
    assert newcomers.new(later, "client") == {key("/c", side="client"): 200.0}
    newcomers.note(again := snapshot([row(name)], tick=210))
    assert newcomers.new(again, "server") == {name: 200.0}
    newcomers.note(long := snapshot([row(name)], tick=200 + int(NEW_S) + 1))
    assert newcomers.new(long, "server") == {}


def test_what_is_gone_is_not_new() -> None:
    newcomers = Newcomers()
    newcomers.note(snapshot([row()], tick=100))
    newcomers.note(snapshot([row(key("/gone"))], tick=101))
    newcomers.note(shown := snapshot([row()], tick=102))
    assert newcomers.new(shown, "server") == {row().key: 102.0}


def test_what_comes_in_the_first_minute_is_not_new() -> None:
    newcomers = Newcomers()
    newcomers.note(snapshot([row()], tick=1))
    newcomers.note(shown := snapshot([row(), row(key("/soon"))], tick=59))
    assert newcomers.new(shown, "server") == {}


def test_what_was_there_at_first_is_not_new() -> None:
    newcomers = Newcomers()
    newcomers.note(shown := snapshot([row()], tick=200))
    assert newcomers.new(shown, "server") == {}
