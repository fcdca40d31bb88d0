"""The requests in flight: which a view shows, and what is usual for them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from httptop.filters.on_screen import parse_for_screen
from httptop.model import (
    MOST_IN_FLIGHT,
    UNIX_PEER,
    EndpointStats,
    Latency,
    RequestInFlight,
    Snapshot,
)
from httptop.view.in_flight import hanging, hangs, in_flight_scene, of_endpoint
from httptop.view.state import View
from tests.factory import busy, endpoint, key, latency, row, snapshot

HANG, FINE, NEW = key("/api/hang", process="shop"), key("/fine"), key("/new", user="root")
#: p50 10 ms, p99 52 ms.
ROWS = (
    replace(endpoint(HANG), latency_total=latency(10.0)),
    replace(endpoint(FINE), latency_total=latency(10.0)),
    replace(row(NEW, {}), latency_total=Latency()),
)


def waiting(
    *ages_ms: float, name: object = HANG, pid: int | None = 7, peer: str = "10.0.0.7"
) -> tuple[RequestInFlight, ...]:
    return tuple(RequestInFlight(name, age * 1e6, pid, peer) for age in ages_ms)  # type: ignore[arg-type]


def holding(
    *requests: RequestInFlight, rows: tuple[EndpointStats, ...] = ROWS, tick: int = 252
) -> Snapshot:
    oldest_first = sorted(requests, key=lambda one: -one.age_ns)
    return replace(snapshot(rows, tick=tick), in_flight=tuple(oldest_first))


def test_each_is_judged_by_what_its_own_endpoint_takes() -> None:
    scene = in_flight_scene(holding(*waiting(2080, 52.1, 51, 9)), View())
    assert [one.times and round(one.times, 1) for one in scene.waiting] == [40, 1.0, None, None]
    assert [one.hangs for one in scene.waiting] == [True, False, False, False]
    assert [one.young for one in scene.waiting] == [False, False, False, True]
    assert (scene.hanging, scene.young) == (1, 1)
    assert [one.request.age_ns for one in scene.listed(young=False)] == [2.08e9, 52.1e6, 51e6]
    assert scene.listed(young=True) == scene.waiting


@pytest.mark.parametrize(
    ("age_ms", "p50_ms", "hang"),
    [
        (999, 1.0, False),  # too soon to say
        (1001, 1.0, True),
        (30_000, 10_000.0, False),  # as long as is usual there
        (104_001, 10_000.0, True),  # twice its p99
        (4_999, None, False),  # nothing is known
        (5_001, None, True),
    ],
)
def test_what_hangs(age_ms: float, p50_ms: float | None, hang: bool) -> None:
    total = Latency() if p50_ms is None else latency(p50_ms)
    held = holding(*waiting(age_ms), rows=(replace(ROWS[0], latency_total=total),))
    (one,) = in_flight_scene(held, View()).waiting
    assert one.hangs is hang
    assert len(hanging(held, "server")) == hang


@pytest.mark.parametrize(("responses", "hang"), [(1, True), (99, True), (100, False)])
def test_what_has_hung_a_few_times_is_not_usual_for_that(responses: int, hang: bool) -> None:
    usual = latency(44_000.0, count=responses)
    assert hangs(30e9, usual) == hang
    assert hangs(9e9, usual) is False


def test_the_oldest_does_not_always_hang() -> None:
    slow = replace(endpoint(FINE), latency_total=latency(60_000.0))
    held = holding(*waiting(50_000, name=FINE), *waiting(4000, 3000), rows=(ROWS[0], slow))
    found = [(one.request.key, one.request.age_ns) for one in hanging(held, "server")]
    assert found == [(HANG, 4e9), (HANG, 3e9)]
    assert hanging(held, "client") == ()
    assert hanging(busy(), "server") == ()


def test_a_side_and_its_ages() -> None:
    client = key("/fine", process="curl", side="client")
    held = holding(*waiting(50, 500, 5_000, 50_000, 99), *waiting(70_000, name=client))
    assert in_flight_scene(held, View()).by_age == (2, 1, 1, 1)
    assert in_flight_scene(held, View(side="client")).by_age == (0, 0, 0, 1)
    assert [one.request.key for one in of_endpoint(held, client) or ()] == [client]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("path = /fine", [1]),
        ("pid = 7", [0]),
        ("peer = 10.0.0.0/8", [0]),
        ("peer != 10.0.0.0/8", [1, 2]),
        ("peer = 2001:db8::/32", [1]),
        ("comm = shop or peer = 2001:db8::1", [0, 1]),
        ("status = 404", [1]),  # of its endpoint
        ("status = 404 and pid = 7", []),
        ("in_flight > 2 and comm = nginx", [1]),
        ("peer = 10.0.0.7 or status = 404", [1]),
        ("user = root", [2]),
    ],
)
def test_filters(text: str, kept: list[int]) -> None:
    rows = (ROWS[0], replace(ROWS[1], status={404: 3}, in_flight=3), ROWS[2])
    found = (
        *waiting(30),
        *waiting(20, name=FINE, pid=None, peer="2001:db8::1"),
        *waiting(10, name=NEW, pid=9, peer=UNIX_PEER),
    )
    scene = in_flight_scene(holding(*found, rows=rows), View(expression=parse_for_screen(text)))
    assert [one.request for one in scene.waiting] == [found[at] for at in kept]


def test_a_part_of_a_path() -> None:
    held = holding(*waiting(30), *waiting(20, name=FINE))
    assert [one.request.key for one in in_flight_scene(held, View(path_filter="FIN")).waiting] == [
        FINE
    ]


def test_more_than_a_snapshot_holds() -> None:
    found = waiting(*range(5000, 5000 - MOST_IN_FLIGHT, -1))
    whole = holding(*found, rows=(replace(ROWS[0], in_flight=1234),))
    held = replace(whole, in_flight_cut=True)
    scene = in_flight_scene(held, View())
    assert (len(scene.waiting), scene.unlisted, scene.number) == (MOST_IN_FLIGHT, 234, 1234)
    assert in_flight_scene(held, View(path_filter="nothing")).number == 0
    assert in_flight_scene(whole, View()).unlisted == 0  # then some have ended meanwhile


def test_nobody_has_asked_and_nothing_is_in_flight() -> None:
    assert not in_flight_scene(None, View()).known
    assert not in_flight_scene(busy(), View()).known
    assert of_endpoint(busy(), HANG) is None
    counted = in_flight_scene(busy(), View())
    assert counted.number
    assert counted.number == busy().total("server").in_flight
    assert in_flight_scene(busy(), View(path_filter="/")).number is None
    none = in_flight_scene(holding(), View())
    assert none.known
    assert none.waiting == ()


def test_a_request_is_found_again_in_the_next_snapshot() -> None:
    then = in_flight_scene(holding(*waiting(2000.1, 1500), tick=252), View()).waiting
    now = in_flight_scene(holding(*waiting(3000.1, 1000), tick=253), View()).waiting
    assert now[0].identity == then[0].identity
    assert now[1].identity not in {one.identity for one in then}


def test_an_endpoint_without_a_row_has_nothing_usual() -> None:
    (one,) = in_flight_scene(holding(*waiting(10), rows=()), View()).waiting
    assert (one.usual.count, one.young, one.times) == (0, False, None)
