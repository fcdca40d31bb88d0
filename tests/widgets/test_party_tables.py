"""Who has an endpoint's requests."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.style import Style

from httptop.humanize import DEFAULT_UNITS
from httptop.model import OTHER_PEERS, OTHER_PIDS, LookedAt, PartyStats
from httptop.widgets.party_tables import MOST_ROWS, parties_of, party_table
from tests.factory import row


def _lines(parties: dict[str, PartyStats], width: int = 60) -> list[str]:
    strips = party_table("FROM", parties, width, DEFAULT_UNITS, "ascii", lambda _: Style())
    return [strip.text for strip in strips]


def test_figures() -> None:
    lines = _lines({"::1": PartyStats(30, 3, 30, 2e6, 5e6), "unix": PartyStats(10, 0)})
    assert [line.split() for line in lines] == [
        ["FROM", "REQS", "SHARE", "ERR%", "MEAN", "MAX"],
        ["::1", "30", "75%", "10%", "2.0ms", "5.0ms"],
        ["unix", "10", "25%", "0%", "-", "-"],
    ]


@pytest.mark.parametrize("width", [46, 57, 60, 98])
def test_many_are_summed_up(width: int) -> None:
    parties = {f"2001:db8:1234:5678:9abc::{n}": PartyStats(100 - n, 1) for n in range(16)}
    lines = _lines(parties, width)
    assert len(lines) == MOST_ROWS + 2
    assert f"and 10 more, {sum(100 - n for n in range(6, 16))} requests" in lines[-1]
    assert all(len(line) <= width for line in lines)


def test_the_longest_latencies_of_the_window_are_not_known() -> None:
    strips = party_table(
        "FROM", {"::1": PartyStats(30, 3, 30, 2e6)}, 60, DEFAULT_UNITS, "ascii", lambda _: Style(),
        since_start=False,
    )  # fmt: skip
    assert [strip.text.split() for strip in strips] == [
        ["FROM", "REQS", "SHARE", "ERR%", "MEAN"],
        ["::1", "30", "100%", "10%", "2.0ms"],
    ]


def test_what_has_no_entry_of_its_own_is_called_others() -> None:
    one = PartyStats(1, 0)
    known = replace(row(), by_pid={7: one, OTHER_PIDS: one}, by_peer={OTHER_PEERS: one})
    found = parties_of(known, None, since_start=False)
    assert found is not None
    assert (list(found.pids), list(found.peers)) == (["7", "others"], ["others"])
    assert parties_of(row(), None, since_start=False) is None


def test_parties_are_those_of_the_window_where_they_are_known() -> None:
    known = replace(row(), by_pid={7: PartyStats(9, 1)}, by_peer={"::1": PartyStats(9, 1)})
    window = LookedAt(known.key, {}, (), {7: PartyStats(2, 0)}, {"::1": PartyStats(2, 0)})
    other = replace(window, key=replace(known.key, path="/other"))
    for looked_at, since_start, requests in (
        (window, False, 2), (window, True, 9), (other, False, 9),
        (replace(window, by_pid=None), False, 9), (None, False, 9),
    ):  # fmt: skip
        found = parties_of(known, looked_at, since_start=since_start)
        assert found is not None
        assert (found.pids["7"].requests, found.since_start) == (requests, requests == 9)
