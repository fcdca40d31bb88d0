"""What the page of health says: what is seen, what was missed, what httptop costs."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from httptop.humanize import DEFAULT_UNITS
from httptop.model import Health, Overhead, SinkStats
from httptop.view.health import (
    LOSSES,
    Fact,
    cost,
    is_exact,
    losses,
    missed,
    seen,
    sinks_at_fault,
)
from tests.factory import OVERHEAD, busy


def test_each_counter_of_health_has_words_and_is_serious_where_health_is_not_good() -> None:
    assert {loss.field for loss in LOSSES} == {field.name for field in fields(Health)}
    for loss in LOSSES:
        health = replace(Health(), **{loss.field: 1})
        assert losses(health) == ([(loss, 1)] if loss.fault else [])
        assert health.good is not loss.serious
        assert loss.serious or not loss.counts


def test_serious_losses_come_first() -> None:
    serious = [loss.serious for loss in LOSSES]
    assert serious == sorted(serious, reverse=True)


def _missed(health: Health, *notes: str) -> dict[str, Fact]:
    found = missed(replace(busy(), health=health, notes=notes), "every process", "+", "!")
    return {fact.name: fact for fact in found}


def test_what_is_seen_is_one_sentence() -> None:
    shown = busy()
    requests = sum(totals.requests for totals in shown.totals.values())
    counted = f"{requests:,} requests in 18 rows of 5 processes by name"
    assert seen(shown) == f"All HTTP/1 that could be seen is counted: {counted}."
    shown = replace(shown, health=Health(missed_calls=1200, late_ticks=3, orphan_responses=9))
    assert seen(shown) == f"Not all is counted: {counted}, and 1,200 calls missed."
    assert seen(replace(busy(), endpoints=(), totals={})).endswith(
        "counted: 0 requests in 0 rows of 0 processes by name."
    )


@pytest.mark.parametrize("field", ["lost_samples", "overflow_requests", "late_ticks"])
def test_what_lacks_nothing_but_detail_leaves_the_counts_exact(field: str) -> None:
    assert is_exact(replace(Health(), **{field: 7}))


def test_each_kind_has_its_count_with_cause_and_what_helps() -> None:
    found = _missed(Health(overflow_requests=1234, late_ticks=2, orphan_responses=5), "a note")
    assert (found["exact"].figure, found["exact"].hue) == ("+", "good")
    assert found["in ~other"].figure == "1,234"
    assert "tables" in found["in ~other"].text or "no room" in found["in ~other"].text
    assert "What helps: A higher performance.max_endpoints" in found["in ~other"].text
    assert "this host is busy" in found["late ticks"].text
    assert found["orphans"].hue == "muted"
    assert found["note"].text == "a note"
    assert found["traced"].text == "every process."
    assert "HTTP/2" in found["never seen"].text
    zeros = found[""]
    assert (zeros.figure, "samples lost" in zeros.text) == ("0", True)
    assert "late ticks" not in zeros.text
    assert _missed(Health(lost_pieces=1))["not exact"].hue == "bad"


def test_costs_are_those_that_are_known() -> None:
    assert list(cost(Overhead(), DEFAULT_UNITS)) == []
    known = replace(OVERHEAD, tables={"endpoints": 0.012, "connections": 0.8}, shed=("samples",))
    found = {fact.name: fact for fact in cost(known, DEFAULT_UNITS)}
    assert found["cpu"].figure == "1.2%"
    assert found["kernel"].text.endswith("120ns a call")
    assert found["tables"].figure == "80%"
    assert found["tables"].text == "taken of the fullest: endpoints 1.2%, connections 80%"
    assert found["tables"].hue == "warn"
    assert found["left out"].text.startswith("samples")


def test_a_sink_is_told_of_once_it_lacks_something() -> None:
    sinks = (
        SinkStats("one", "working", sent=9, failed=3, reconnects=1, error="over"),
        SinkStats("two", "working", sent=9, waiting=2, dropped=1200),
        SinkStats("three", "failing", waiting=1, error="nobody is there"),
        SinkStats("four", "ended", dropped=1, error="the disk is full"),
    )
    shown = replace(busy(), sinks=sinks)
    assert [short for _, short in sinks_at_fault(shown)] == [
        "two lacks 1200",
        "three stands still",
        "four has ended",
    ]
    told = [fact for fact in missed(shown, "", "+", "!") if fact.name == "not sent"]
    assert [(fact.figure, fact.hue) for fact in told] == [
        ("1,200", "warn"),
        ("0", "bad"),
        ("1", "bad"),
    ]
    assert told[0].text == "two lacks 1200: 1,200 of 1,211 snapshots dropped, 2 waiting."
    assert told[2].text == (
        "four has ended: 1 of 1 snapshot dropped, 0 waiting. Last error: the disk is full."
    )
