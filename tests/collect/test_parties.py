"""Which process and which peer has how much of a row."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.collect.parties import MOST_SHOWN, PartyBook, PartyTable
from httptop.collect.party_figures import Party, PartyFigures
from httptop.collect.path_rules import PathRules
from httptop.collect.source import RawResponse
from httptop.collect.window import SLOTS
from httptop.config.scope import limited
from httptop.model import IDLE_PATH, OTHER_PEERS, OTHER_PIDS, EndpointStats, PartyStats
from tests.collect.cells import FedRows, Reading, answered, delta, endpoint
from tests.collect.reference_sums import ReferenceFigures, ReferenceParties

ROW: Final = 7


def had(requests: int, errors: int = 0) -> PartyFigures:
    return PartyFigures(requests, errors, requests, 1000 * requests, 1000)


def party(pid: int, peer: str = "10.0.0.1", cell: int = 5) -> Party:
    return Party(cell, pid, peer)


def table(
    *parties: tuple[Party, PartyFigures], before: dict[int, PartyFigures] | None = None
) -> PartyTable:
    return PartyTable(
        {ROW: range(len(parties))},
        {number: one for number, (one, _) in enumerate(parties)},
        ReferenceFigures(enumerate(figures for _, figures in parties)),
        ReferenceFigures(before or {}),
    )


def test_what_each_has() -> None:
    made = table(
        (party(1, "10.0.0.1"), had(3, 1)),
        (party(1, "10.0.0.2"), had(4)),
        (party(2, "10.0.0.1"), PartyFigures(9, 2, 8, 16_000, 5000)),
    )
    assert made.pids(ROW) == (1, 2)
    assert made.by_pid(ROW, 16, 3) == {
        2: PartyStats(9, 2, 8, 2000.0, 5000.0),
        1: PartyStats(7, 1, 7, 1000.0, 1000.0),
    }
    assert list(made.by_peer(ROW, 16, 3)) == ["10.0.0.1", "10.0.0.2"]
    assert made.by_peer(ROW, 16, 3)["10.0.0.1"] == PartyStats(12, 3, 11, 19_000 / 11, 5000.0)
    assert made.by_pid(8, 0, 0) == {}


def test_what_no_party_has_is_the_rest() -> None:
    made = table((party(1), had(3, 1)), (party(0), had(2)))
    assert made.pids(ROW) == (1,)
    assert made.by_pid(ROW, 10, 4) == {1: PartyStats(3, 1, 3, 1000.0, 1000.0), 0: PartyStats(7, 3)}
    found = made.by_peer(ROW, 10, 4)
    assert found[OTHER_PEERS] == PartyStats(5, 3)
    assert made.by_pid(8, 5, 0) == {OTHER_PIDS: PartyStats(5, 0)}


@pytest.mark.parametrize("count", [MOST_SHOWN, MOST_SHOWN + 1, 100])
def test_the_most_active_are_shown(count: int) -> None:
    made = table(*((party(n, f"10.0.0.{n}"), had(n)) for n in range(1, count + 1)))
    requests = count * (count + 1) // 2
    found = made.by_peer(ROW, requests, 0)
    assert len(found) == MOST_SHOWN
    assert sum(stats.requests for stats in found.values()) == requests
    assert found[f"10.0.0.{count}"].requests == count
    assert (OTHER_PEERS in found) is (count > MOST_SHOWN)


def test_what_came_after_the_row_was_read_is_left_out() -> None:
    made = table(
        (party(1), had(100, 7)), (party(2), had(50, 5)), before={0: had(100, 7), 1: had(40)}
    )
    found = made.by_pid(ROW, 147, 10)
    assert {pid: (stats.requests, stats.errors) for pid, stats in found.items()} == {
        1: (100, 7), 2: (47, 3),
    }  # fmt: skip


ANSWERED: Final = {15: RawResponse(5, 200)}

# ---- in the rows of a run -----------------------------------------------------------------------


def rows_with(*parties: Party, responses: int = 4, errors: int = 2) -> FedRows:
    """Rows of two endpoints, /a with cell 5 and /b with cell 6; each party has had two requests."""
    made = FedRows()
    for number, one in enumerate(parties, 1):
        made.source.parties.add(number, one, had(2, 1))
    count = responses + errors
    made.take(
        Reading(
            endpoints={5: endpoint("/a"), 6: endpoint("/b")},
            responses={15: RawResponse(5, 200), 16: RawResponse(6, 200), 17: RawResponse(5, 404)},
            deltas=[
                delta(5, counted=count), answered(15, responses), answered(17, errors),
                delta(6, counted=3), answered(16, 3),
            ],
        )
    )  # fmt: skip
    return made


def pids_of(row: EndpointStats) -> dict[int, tuple[int, int]]:
    assert row.by_pid is not None
    return {pid: (stats.requests, stats.errors) for pid, stats in row.by_pid.items()}


def test_rows_have_their_parties() -> None:
    made = rows_with(party(1), party(2), party(3, cell=6))
    rows = made.by_path()
    assert pids_of(rows["/a"]) == {1: (2, 1), 2: (2, 1), OTHER_PIDS: (2, 0)}
    assert pids_of(rows["/b"]) == {3: (2, 0), OTHER_PIDS: (1, 0)}


def test_a_party_of_a_cell_that_is_not_known_yet() -> None:
    made = rows_with(party(1, cell=9))
    assert made.by_path()["/a"].pids == ()
    made.take(Reading(endpoints={9: endpoint("/c")}, deltas=[delta(9, counted=1)]))
    assert made.by_path()["/c"].pids == (1,)


def test_a_snapshot_keeps_what_it_had() -> None:
    made = rows_with(party(1))
    before = made.by_path()["/a"], made.table(1.0)
    made.source.parties.add(2, party(2), had(2))
    made.take(Reading())
    assert [row.pids for row in before[1] if row.key.path == "/a"] == [(1,)]
    assert made.by_path()["/a"].pids == (1, 2)


def test_rows_that_become_one_have_the_parties_of_both() -> None:
    made = rows_with(party(1), party(3, cell=6))
    made.regroup(PathRules(["/{name}"]))
    (row,) = made.table(1.0)
    assert (row.requests, row.pids) == (9, (1, 3))
    assert pids_of(row) == {1: (2, 1), 3: (2, 1), OTHER_PIDS: (5, 0)}
    made.regroup(PathRules([]))
    made.take(Reading(deltas=[delta(5, counted=1), answered(15, 1)]))
    rows = made.by_path()
    assert {path: row.requests for path, row in rows.items()} == {"/{name}": 9, "/a": 1}
    # What they had belongs to the row that was counted in; they have others from now on.
    assert pids_of(rows["/{name}"]) == {OTHER_PIDS: (9, 2)}
    assert pids_of(rows["/a"]) == {OTHER_PIDS: (1, 0)}
    assert sorted(made.source.parties.given_back) == [1, 2]


def test_what_is_forgotten_is_in_the_rest() -> None:
    made = rows_with(party(1), party(3, cell=6))
    found = []
    for tick in range(1, 7):
        made.end_tick(1.0)
        made.forget(float(tick), 2.0, made.source.names)
        made.take(Reading(), slot=tick)
        found.append({path: pids_of(row) for path, row in made.by_path().items()})
    assert set(found[0]) == {"/a", "/b"}
    assert found[-1] == {IDLE_PATH: {OTHER_PIDS: (9, 2)}}
    assert sorted(made.source.parties.given_back) == [1, 2]


def test_a_filter_on_the_status_leaves_the_parties_unknown() -> None:
    made = FedRows(scope=limited("status = 404"))
    made.source.parties.add(1, party(1), had(2, 1))
    made.take(
        Reading(
            endpoints={5: endpoint("/a")}, responses={15: RawResponse(5, 404)},
            deltas=[delta(5, counted=2), answered(15, 1)],
        )
    )  # fmt: skip
    (row,) = made.table(1.0)
    assert (row.requests, row.pids, row.by_pid, row.by_peer) == (1, (1,), None, None)


def test_where_room_is_short_the_longest_idle_of_whoever_has_most_go() -> None:
    source = ReferenceParties(most=100)
    book = PartyBook(source)
    numbers = itertools.count(1)
    few = [next(numbers) for _ in range(10)]
    many = [next(numbers) for _ in range(85)]
    for number in (*few, *many):
        source.add(number, party(number, cell=5 if number in few else 6), had(1))
    for tick in range(1, 4):
        for number in many[:20]:
            source.add(number, source.known[number], had(tick))
        book.take(lambda _: ROW)
        book.make_room(tick, str)
    assert 30 <= len(source.given_back) < 40
    assert set(source.given_back) <= set(many[20:])
    before = len(source.given_back)
    book.make_room(4, str)
    assert len(source.given_back) == before


# ---- in the window ------------------------------------------------------------------------------

#: A slot further or not; what each of three parties has had since; what no party has had; what
#: parties have counted already that rows have only at the next reading.
TICKS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)),
        st.integers(0, 2),
        st.sampled_from([0, 0, 0, 1, 2]),
    ),
    min_size=1,
    max_size=30,
)
WHO: Final = (party(1, "10.0.0.1"), party(2, "10.0.0.1"), party(1, "10.0.0.2"))


@given(TICKS)
def test_what_each_has_in_the_window(
    ticks: list[tuple[int, tuple[int, int, int], int, int]],
) -> None:
    """Figures of parties may be ahead of the row's: of the first one, by what it has next."""
    made, slot, waiting = FedRows(), 0, 0
    had_by_now = [0, 0, 0]
    events: list[tuple[int, tuple[int, ...], int, bool]] = []
    for step, more, unknown, ahead in ticks:
        slot += step
        had_by_now = [now + some for now, some in zip(had_by_now, more, strict=True)]
        for number, (one, count) in enumerate(zip(WHO, had_by_now, strict=True), 1):
            made.source.parties.add(number, one, had(count))
        first, waiting = more[0] + waiting, min(ahead, more[0])
        counted = (first - waiting, *more[1:])
        count = sum(counted) + unknown
        reading = Reading(deltas=[delta(5, counted=count), answered(15, count)])
        if not events:
            reading = replace(reading, endpoints={5: endpoint("/a")}, responses=ANSWERED)
        made.take(reading, slot)
        events.append((slot, counted, unknown, waiting > 0))
        inside = [event for event in events if event[0] > slot - SLOTS]
        wanted = [sum(event[1][at] for event in inside) for at in range(3)]
        rest = sum(event[2] for event in inside)
        before = events[-len(inside) - 1] if len(inside) < len(events) else None
        exact = not waiting and not (before and before[3])
        for name, shares in (
            ("pid", {1: wanted[0] + wanted[2], 2: wanted[1], OTHER_PIDS: rest}),
            ("peer", {"10.0.0.1": wanted[0] + wanted[1], "10.0.0.2": wanted[2], OTHER_PEERS: rest}),
        ):
            _compare(made, name, shares, exact=exact)


def _compare(made: FedRows, by: str, shares: Mapping[Any, int], *, exact: bool) -> None:
    rows = made.table(1.0)
    parts, since_start = rows.divided(by, range(len(rows)), window=True)  # type: ignore[arg-type]
    found = {id: part.requests for id, part in parts.items()}
    assert not since_start
    assert sum(found.values()) == sum(shares.values())
    assert all(count > 0 for count in found.values())
    looked_at = made.look_at(rows.keys[0]) if len(rows) else None
    if looked_at is not None:
        alone = looked_at.by_pid if by == "pid" else looked_at.by_peer
        assert alone is not None
        assert {id: one.requests for id, one in alone.items()} == found
    if exact:
        assert found == {id: count for id, count in shares.items() if count}
