"""The command as users run it, and what it leaves behind: nothing."""

from __future__ import annotations

import ctypes
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.live.command import (
    HELPER,
    LAUNCHER,
    LINKS,
    NOBODY,
    PROGRAMS,
    batch,
    document,
    eventually,
    family,
    field,
    held_by,
    ids_of,
    released,
    running,
    said,
    status,
)
from tests.live.live import Watch, connected, exchange, request, response
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("commands")]

ROLES = [LAUNCHER, HELPER, "shop-catalog", "shop-gateway", "shop-load", "shop-orders"]


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _check(document: dict[str, Any]) -> None:
    """Hold a snapshot's sums to what INTERFACE promises."""
    for side in ("server", "client"):
        rows = [row for row in document["endpoints"] if row["side"] == side]
        total = document["totals"][side]
        for row in rows:
            assert sum(row["status"].values()) + row["unanswered"] == row["requests"]
        for name in ("requests", "unanswered", "in_flight", "request_bytes", "response_bytes"):
            assert total[name] == sum(row[name] for row in rows), (side, name)
        assert sum(total["status"].values()) + total["unanswered"] == total["requests"]


def test_batch_from_start_to_end(path: str) -> None:
    with connected() as (client, server):
        port = str(server.getsockname()[1])
        with batch("-n", "6", "--port", port) as run:
            assert field(run, "Uid") == {" ".join([str(NOBODY)] * 4)}
            for number in range(30):
                exchange(client, server, request(f"{path}/{number}"), response(200 + number % 2))
            documents = [document(run) for _ in range(5)]
            assert run.wait(PATIENCE_S) == 0
            assert list(said(run.stderr)) == []
    for one in documents:
        _check(one)
    last = documents[-1]
    assert [one["final"] for one in documents] == [False, False, False, False, True]
    assert {(row["side"], row["path"], row["method"]) for row in last["endpoints"]} == {
        ("server", path + "/{id}", "GET"), ("client", path + "/{id}", "GET"),
    }  # fmt: skip
    for row in last["endpoints"]:
        assert row["status"] == {"200": 15, "201": 15}
        assert (row["requests"], row["in_flight"], row["pids"]) == (30, 0, [os.getpid()])
        assert row["latency_total_ms"]["count"] == 30
    health = last["health"] | {"late_ticks": 0}  # the host may be busy
    assert not any(health.values())
    assert last["overhead"]["bpf_cpu_percent"] >= 0
    assert {"rss_bytes", "open_fds", "context_switches", "cpu_percent"} <= last["overhead"].keys()


def test_the_first_snapshot_of_the_demo_has_a_response_in_it() -> None:
    """However short the ticks are: they begin when its services are there."""
    with running(
        "-b", "--format", "json", "-d", "0.1", "-n", "2", "--demo", "--comm", "shop-*"
    ) as run:
        first = document(run)
        assert first["totals"]["server"]["requests"] > 0
        assert first["totals"]["client"]["requests"] > 0
        run.communicate(timeout=PATIENCE_S)  # it waits for who reads its last one
        assert run.returncode == 0


def test_a_process_that_is_not_there_is_an_error() -> None:
    absent = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    with running("-b", "-n", "1", "-p", str(absent)) as run:
        assert run.wait(PATIENCE_S) == 2
        assert list(said(run.stderr)) == [f"no process {absent}"]


def test_text_and_a_reader_that_goes_away(path: str) -> None:
    with connected() as (client, server):
        port = str(server.getsockname()[1])
        with running("-b", "-d", "0.1", "--port", port) as run:
            assert run.stdout is not None
            assert run.stdout.readline()
            exchange(client, server, request(path))
            while path not in (line := run.stdout.readline()):
                assert line
            held = held_by(run.pid)
            run.stdout.close()
            assert run.wait(PATIENCE_S) == 0
            assert list(said(run.stderr)) == []
    released(held)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_it(path: str, number: signal.Signals) -> None:
    """Neither programs nor helper nor demo; and a signal that can be caught ends it well."""
    with connected() as (client, server):
        port = str(server.getsockname()[1])
        with batch("--demo", "--port", port) as run:
            assert eventually(lambda: sorted(family(run.pid)) == ROLES)  # they name themselves
            others = family(run.pid)
            assert {name: status(pid)["Uid"].split()[0] for name, pid in others.items()} == {
                name: "0" if name == HELPER else str(NOBODY) for name in ROLES
            }
            for _ in range(7):
                exchange(client, server, request(path))
            held = held_by(run.pid)
            assert len(held[LINKS]) >= 2
            assert len(held[PROGRAMS]) >= 5
            assert all(held[kind] <= ids_of(kind) for kind in held)
            run.send_signal(number)
            out, _ = run.communicate(timeout=PATIENCE_S)
    if number == signal.SIGKILL:
        assert run.returncode == -number
    else:
        assert run.returncode == 0
        last = json.loads(out.splitlines()[-1])
        assert last["final"]
        assert {row["requests"] for row in last["endpoints"]} == {7}
    assert eventually(lambda: not any(map(_exists, others.values()))), others
    released(held)


def test_nothing_is_left_after_closing(path: str) -> None:
    descriptors = os.listdir("/proc/self/fd")
    before = held_by(os.getpid())
    with Watch(fresh=True) as watch, connected() as (client, server):
        exchange(client, server, request(path))
        now = held_by(os.getpid())
        watch.source.detach()
        exchange(client, server, request(path))  # it is too late to be counted
        watch.expect(path, {200: 1})
    assert held_by(os.getpid()) == before
    released({kind: now[kind] - before[kind] for kind in now})
    assert len(os.listdir("/proc/self/fd")) == len(descriptors)
    # No child is left to wait for: waitpid says ECHILD, or finds none of ours ended.
    assert ctypes.CDLL(None).waitpid(-1, None, os.WNOHANG) <= 0
