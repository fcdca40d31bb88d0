"""Rows give their place back: what an idle endpoint has counted stays, its cells are used again."""

from __future__ import annotations

import dataclasses
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import pytest

from httptop.bpf import abi
from httptop.collect.metrics import Metrics
from httptop.collect.series_names import LINGER_S
from httptop.config.scope import limited
from httptop.config.settings import DEFAULTS, Performance
from httptop.model import IDLE_PATH, OVERFLOW_PATH, SIDES, Side, Snapshot
from tests.live.live import Watch, connected, exchange, receive, request, response, rows_of, sums_of

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("forgetting")]

FORGET_S: Final = 60.0
#: Ticks after which idle cells are back, and those of the way there.
BACK: Final = 4


NAME: Final = Path("/proc/self/comm")


class Run(Watch):
    """The probes at work, with a clock of the test's own.

    What is requested meanwhile is another process's by name: it fills that one's share of the
    tables, not that of tests which look at all of this host at the same time.
    """

    def __init__(
        self, *, endpoints: int = 8192, forget_s: float = FORGET_S, exported: bool = False
    ) -> None:
        general = dataclasses.replace(DEFAULTS.general, forget_s=forget_s)
        performance = Performance(max_endpoints=endpoints)
        settings = dataclasses.replace(DEFAULTS, general=general, performance=performance)
        super().__init__(settings, limited(f"pid = {os.getpid()}"), fresh=True, exported=exported)
        self.later_s = 0.0
        self._name = ""

    def __enter__(self) -> Self:
        self._name = NAME.read_text()
        NAME.write_text("forgetting")
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        NAME.write_text(self._name)

    def step(self) -> Snapshot:
        """Take a snapshot, a second after the last."""
        self.later_s += 1.0
        return self.collector.step(time.monotonic() + self.later_s, time.time())

    def metrics(self) -> Metrics:
        """Take metrics, when the last snapshot was taken."""
        return self.collector.read_metrics(time.monotonic() + self.later_s, time.time())

    def wait(self, seconds: float) -> Snapshot:
        """Let time pass; return the snapshot at the end, when idle cells are back."""
        self.later_s += seconds
        for _ in range(BACK):
            snapshot = self.step()
        return snapshot

    def taken(self) -> tuple[int, ...]:
        """Return what is taken of each resource (abi.h)."""
        return abi.SHARE.unpack_from(self.source._returns.shares())[: abi.RESOURCES]


@pytest.fixture
def run() -> Iterator[Run]:
    with Run() as run:
        yield run


def words(count: int) -> Iterator[str]:
    """Yield words, none of which looks like an id."""
    for number in range(count):
        yield "".join(chr(97 + number // 26**at % 26) for at in range(4))


def whole(snapshot: Snapshot, side: str = "server") -> tuple[dict[int, int], int, int]:
    """Return the sums of all rows of a side, which are its totals."""
    found = sums_of(rows_of(snapshot, "", side))  # type: ignore[arg-type]
    totals = snapshot.total(side)  # type: ignore[arg-type]
    assert (dict(totals.status), totals.unanswered, totals.in_flight) == found
    rows = rows_of(snapshot, "", side)  # type: ignore[arg-type]
    assert sum(row.request_bytes for row in rows) == totals.request_bytes
    assert sum(row.response_bytes for row in rows) == totals.response_bytes
    assert sum(row.latency_total.count for row in rows) <= totals.requests
    return found


def test_an_idle_endpoint_is_forgotten_and_its_counts_stay(run: Run, path: str) -> None:
    with connected() as (client, server):
        for status in (200, 200, 404):
            exchange(client, server, request(f"{path}/old"), response(status, b"x" * 50))
        before = run.step()
        run.later_s += FORGET_S / 2
        exchange(client, server, request(f"{path}/new"), response(201))
        assert whole(run.step()) == ({200: 2, 404: 1, 201: 1}, 0, 0)
        snapshot = run.wait(FORGET_S / 2)
        found = {row.key.path: dict(row.status) for row in rows_of(snapshot, "", "server")}
        assert found == {f"{path}/new": {201: 1}, IDLE_PATH: {200: 2, 404: 1}}
        (idle,) = rows_of(snapshot, IDLE_PATH, "server")
        (old,) = rows_of(before, f"{path}/old", "server")
        assert idle.key.process == old.key.process
        assert (idle.request_bytes, idle.response_bytes) == (old.request_bytes, old.response_bytes)
        assert idle.latency_total == old.latency_total
        exchange(client, server, request(f"{path}/old"), response(500))
        snapshot = run.step()
        assert dict(rows_of(snapshot, f"{path}/old", "server")[0].status) == {500: 1}
        assert whole(snapshot) == ({200: 2, 404: 1, 201: 1, 500: 1}, 0, 0)


def test_what_a_connection_holds_on_to_is_not_used_by_others(run: Run, path: str) -> None:
    """The same line, the rest of a response, half a request: after their endpoint was forgotten."""
    with connected() as same, connected() as rest, connected() as half:
        exchange(*same, request(f"{path}/same"))
        head = request(f"{path}/half")
        half[0].sendall(head[:-2])
        receive(half[1], len(head) - 2)
        rest[0].sendall(request(f"{path}/rest"))
        receive(rest[1], len(request(f"{path}/rest")))
        long = response(200, b"y" * 1000)
        rest[1].sendall(long[:500])
        receive(rest[0], 500)
        assert whole(run.step()) == ({200: 2}, 0, 0)
        run.wait(2 * FORGET_S)
        with connected() as others:  # they get the cells that came back
            for word in words(20):
                exchange(*others, request(f"{path}/others/{word}"), response(202, b"z"))
            run.step()
            exchange(*same, request(f"{path}/same"), response(203))
            rest[1].sendall(long[500:])
            receive(rest[0], len(long) - 500)
            exchange(*rest, request(f"{path}/rest"), response(204))
            half[0].sendall(head[-2:])
            receive(half[1], 2)
            half[1].sendall(response(205))
            receive(half[0], len(response(205)))
            snapshot = run.step()
        assert whole(snapshot) == ({200: 2, 202: 20, 203: 1, 204: 1, 205: 1}, 0, 0)
        assert whole(snapshot, "client") == whole(snapshot)
        found = {row.key.path: dict(row.status) for row in rows_of(snapshot, path, "server")}
        assert found[f"{path}/same"] == {203: 1}
        assert found[f"{path}/rest"] == {204: 1}
        assert [found[f"{path}/others/{word}"] for word in words(20)] == [{202: 1}] * 20
        (idle,) = rows_of(snapshot, IDLE_PATH, "server")
        assert dict(idle.status) in ({200: 2}, {200: 2, 205: 1})


def test_a_request_that_is_whole_long_after_it_began_counts(run: Run, path: str) -> None:
    """Its cell is on its way back already, and no row was ever made for it."""
    before = run.taken()
    with connected() as (client, server):
        head = request(f"{path}/slow")
        client.sendall(head[:-2])
        receive(server, len(head) - 2)
        for _ in range(3):
            snapshot = run.wait(2 * FORGET_S)
            assert (whole(snapshot), rows_of(snapshot, "", "server")) == (({}, 0, 0), [])
        exchange(client, server, head[-2:], response(205))
        snapshot = run.step()
        (idle,) = rows_of(snapshot, "", "server")
        assert (idle.key.path, dict(idle.status)) == (IDLE_PATH, {205: 1})
        assert whole(snapshot) == whole(snapshot, "client") == ({205: 1}, 0, 0)
    run.wait(FORGET_S)
    assert run.taken() == before


def test_everything_is_given_back(run: Run, path: str) -> None:
    """Cells, histograms, places in pipelines, connections: as if nothing had been."""
    before = run.taken()
    with connected() as ends:
        for word in words(300):
            for status in (200, 404):
                exchange(*ends, request(f"{path}/{word}"), response(status, b"x" * 100))
        heads = b"".join(request(f"{path}/p{word}") for word in words(20))
        exchange(*ends, heads, response() * 20)
        assert run.step().total("server").requests == 620
        taken = run.taken()
        assert taken[0] >= 640
        assert taken[4] == before[4] + 2
    snapshot = run.wait(FORGET_S)
    assert run.taken() == before
    (idle,) = rows_of(snapshot, "", "server")
    assert (idle.key.path, dict(idle.status)) == (IDLE_PATH, {200: 320, 404: 300})


def test_a_request_in_flight_is_not_forgotten(run: Run, path: str) -> None:
    with connected() as (client, server):
        client.sendall(request(path))
        receive(server, len(request(path)))
        snapshot = run.wait(2 * FORGET_S)
        assert whole(snapshot) == ({}, 0, 1)
        server.sendall(response(200))
        receive(client, len(response(200)))
        assert dict(run.row(path).status) == {200: 1}


@pytest.mark.setting("general.forget")
@pytest.mark.parametrize(("forget_s", "stays"), [(0.0, True), (5.0, False)])
def test_it_is_a_setting(path: str, forget_s: float, stays: bool) -> None:
    with Run(forget_s=forget_s) as run, connected() as ends:
        exchange(*ends, request(path))
        run.step()
        snapshot = run.wait(3600.0)
        assert bool(rows_of(snapshot, path)) == stays
        assert whole(snapshot) == ({200: 1}, 0, 0)


def test_a_new_endpoint_has_a_row_however_full_the_table_was(path: str) -> None:
    with Run(endpoints=256, forget_s=0.0) as run, connected() as ends:
        total = 0
        for turn in range(4):
            for word in words(1000):
                exchange(*ends, request(f"{path}/{turn}x/{word}"))
                total += 1
            exchange(*ends, request(f"{path}/used/{turn}"), response(201))
            exchange(*ends, request(f"{path}/used"), response(201))
            total += 2
            assert whole(run.step())[0].get(200, 0) + whole(run.step())[0].get(201, 0) == total
        for _ in range(2):
            run.step()
        exchange(*ends, request(f"{path}/new"), response(503))
        snapshot = run.step()
        (new,) = rows_of(snapshot, f"{path}/new", "server")
        assert dict(new.status) == {503: 1}
        assert snapshot.total("server").requests == total + 1
        others = rows_of(snapshot, OVERFLOW_PATH, "server") + rows_of(snapshot, IDLE_PATH, "server")
        assert sum(row.requests for row in others) > 3000


def test_requests_that_fly_while_cells_are_given_back(run: Run, path: str) -> None:
    """Ticks and traffic at once, each endpoint idle for a tick or two: nothing is lost."""
    general = dataclasses.replace(DEFAULTS.general, forget_s=1.0)
    run.collector.apply(dataclasses.replace(DEFAULTS, general=general))
    sent = 0
    with connected() as one, connected(socket.AF_INET6) as two:
        for turn in range(60):
            for at, word in enumerate(words(12)):
                if (turn + at) % 5 < 2:
                    for ends in (one, two):
                        exchange(*ends, request(f"{path}/{word}"), response(200 + at))
                        sent += 1
            status, unanswered, in_flight = whole(run.step())
            assert (sum(status.values()), unanswered, in_flight) == (sent, 0, 0), turn
            assert status == {code: status[code] for code in range(200, 212) if code in status}


def series_of(metrics: Metrics) -> dict[tuple[str, str], dict[int, tuple[int, int]]]:
    """Return by side and path how many responses there are of each status, and latencies."""
    return {
        (one.key.side, one.key.path): {
            outcome.status: (outcome.count, sum(outcome.buckets.values()))
            for outcome in one.outcomes
        }
        for one in metrics.series
    }


def requests_of(metrics: Metrics, side: Side) -> int:
    assert metrics.ended_requests is not None
    counted = sum(
        one.unanswered + sum(outcome.count for outcome in one.outcomes)
        for one in metrics.series
        if one.key.side == side
    )
    return counted + metrics.ended_requests.get(side, 0)


def test_a_series_keeps_what_its_cells_had_and_goes_on_in_others(path: str) -> None:
    with Run(exported=True) as run, connected() as (client, server):
        for status in (200, 200, 404):
            exchange(client, server, request(f"{path}/old"), response(status))
        run.step()
        assert run.wait(FORGET_S).total("server").requests == 3
        for side in ("server", "client"):
            found = series_of(run.metrics())[side, f"{path}/old"]
            assert found == {200: (2, 2), 404: (1, 1)}
        exchange(client, server, request(f"{path}/old"), response(200))
        run.step()
        assert series_of(run.metrics())["server", f"{path}/old"] == {200: (3, 3), 404: (1, 1)}
        run.wait(FORGET_S)
        run.later_s += LINGER_S
        metrics = run.metrics()
        assert ("server", f"{path}/old") not in series_of(metrics)
        assert requests_of(metrics, "server") == 4


def test_series_add_up_where_endpoints_come_and_go_in_tables_that_are_full(path: str) -> None:
    with Run(endpoints=64, exported=True) as run, connected() as (client, server):
        before: dict[tuple[str, str], dict[int, tuple[int, int]]] = {}
        for number, word in enumerate(words(400)):
            status = 404 if number % 7 == 0 else 200
            exchange(client, server, request(f"{path}/{word}"), response(status))
            if number % 10:
                continue
            snapshot, metrics = run.step(), run.metrics()
            now = series_of(metrics)
            for side in SIDES:
                assert requests_of(metrics, side) == snapshot.total(side).requests
            for key, outcomes in before.items():
                for status, figures in outcomes.items():
                    assert now[key][status] >= figures
            before = now
            run.later_s += LINGER_S / 80  # none ends
        assert rows_of(snapshot, IDLE_PATH, "server")
