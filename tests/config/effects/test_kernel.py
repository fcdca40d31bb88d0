"""Settings of sampling and of the kernel's tables: changing one changes what comes out."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import pytest

from httptop.config.load import build
from httptop.config.scope import limited
from httptop.model import Snapshot, Transaction
from tests.live.live import (
    Watch,
    connected,
    connected_unix,
    exchange,
    new_path,
    receive,
    request,
    response,
    rows_of,
    sums_of,
)

pytestmark = pytest.mark.ebpf

#: Enough tokens that nothing else limits samples.
PLENTY = {"sampling.per_second": 100_000, "sampling.burst": 100_000}


#: Every table of the kernel small, and little kept of a request: one load for several tests.
SMALL = {
    "performance.ring_buffer": 1 << 16,
    "performance.max_histograms": 1024,
    "performance.max_pipelined": 1024,
    "performance.max_users": 64,
    "security.max_captured_bytes": 24,
}


def watch(values: Mapping[str, object]) -> Watch:
    return Watch(build(values), limited(f"pid = {os.getpid()} and side = server"))


def run(values: Mapping[str, object], count: int, *, paths: int = 1, every: int = 0) -> Snapshot:
    """Send requests, some of which get an error as response; return a snapshot."""
    path = new_path()
    with watch(values) as some, connected() as ends:
        for number in range(count):
            status = 500 if every and number % every == 0 else 200
            word = "".join(chr(97 + number % paths // 26**at % 26) for at in range(3))
            exchange(*ends, request(f"{path}/{word}"), response(status))
        snapshot = some.step()
    counted = sums_of(rows_of(snapshot, path, "server"))[0]
    if paths < 1000:
        assert sum(counted.values()) == count, "counts are never sampled"
    return snapshot


def failed(samples: tuple[Transaction, ...]) -> int:
    return sum(sample.status >= 500 for sample in samples)


@pytest.mark.setting("sampling.per_second", "sampling.burst")
def test_a_bucket_bounds_the_samples() -> None:
    few = {"sampling.per_second": 1, "sampling.strategy": "all"}
    assert len(run({**few, "sampling.burst": 5}, 40).recent) in (5, 6)
    # An eighth is for processes that have had few (tests/live/test_fairness.py).
    assert 17 <= len(run({**few, "sampling.burst": 20}, 40).recent) <= 19
    assert run({"sampling.per_second": 0}, 40).recent == ()
    assert len(run(PLENTY, 40).recent) == 40


@pytest.mark.setting("sampling.strategy")
def test_strategies() -> None:
    few = {"sampling.per_second": 1, "sampling.burst": 10}
    tail = run({**few, "sampling.strategy": "tail"}, 60, every=10)
    assert failed(tail.recent) == 6
    everything = run({**few, "sampling.strategy": "all"}, 60, every=10)
    assert failed(everything.recent) in (1, 2)
    each = run({**few, "sampling.strategy": "per-endpoint"}, 60, paths=3)
    assert 30 <= len(each.recent) <= 33
    assert len({sample.key for sample in each.recent}) == 3


@pytest.mark.setting("sampling.rate", "sampling.strategy")
def test_samples_by_chance() -> None:
    some = {**PLENTY, "sampling.rate": 0.25}
    assert 5 < len(run({**some, "sampling.strategy": "random"}, 90).recent) < 60
    assert 5 < len(run(some, 90).recent) < 60
    assert len(run({**some, "sampling.strategy": "all"}, 90).recent) == 90
    tail = run({**PLENTY, "sampling.rate": 0.0}, 90, every=9)
    assert (len(tail.recent), failed(tail.recent)) == (10, 10)


@pytest.mark.setting("sampling.slow_threshold")
def test_slow_ones_go_first() -> None:
    none = {**PLENTY, "sampling.rate": 0.0}
    assert len(run({**none, "sampling.slow_threshold": 1}, 20).recent) == 20
    assert run({**none, "sampling.slow_threshold": 3600 * 10**9}, 20).recent == ()


@pytest.mark.setting("performance.batch_size")
def test_samples_wait_for_the_next_tick() -> None:
    path = new_path()
    with watch({**PLENTY, "performance.batch_size": 10}) as some, connected() as ends:
        for _ in range(25):
            exchange(*ends, request(path))
        assert [len(some.step().recent) for _ in range(4)] == [10, 20, 25, 25]


@pytest.mark.setting("performance.ring_buffer")
def test_the_ring_buffer_holds_what_waits() -> None:
    small = run({**PLENTY, **SMALL}, 300)
    assert small.health.lost_samples > 100
    assert run(PLENTY, 300).health.lost_samples == 0


@pytest.mark.setting("security.max_captured_bytes")
@pytest.mark.parametrize(
    ("values", "path"),
    [({}, "whole"), (SMALL, "cut"), ({"security.max_captured_bytes": 0}, "none")],
)
def test_what_a_sample_holds(values: Mapping[str, object], path: str) -> None:
    values = {**PLENTY, **values}
    long = new_path() + "/and-something-more"
    with watch(values) as some, connected() as ends:
        exchange(*ends, request(long), response(200, b"", "Via: thing"))
        (sample,) = some.step().recent
    seen = "".join(sample.response_head)
    match path:
        case "whole":
            assert sample.path == long
            assert "Via: thing" in seen
        case "cut":
            assert sample.path.rstrip("…") != long
            assert long.startswith(sample.path.rstrip("…"))
            assert "Via" not in seen
        case "none":
            assert sample.path == long  # its row's
            assert seen == ""


@pytest.mark.setting("performance.max_histograms")
def test_latencies_that_do_not_fit() -> None:
    few = run(SMALL, 1500, paths=1500)
    total = few.total("server")
    missing = total.requests - total.latency.count
    assert total.requests >= 1500
    assert missing > 0
    assert f"no histogram was left for {missing} latencies" in " ".join(few.notes)
    assert total.latency.mean_ns <= total.latency.max_ns


@pytest.mark.setting("performance.max_pipelined")
def test_pipelines_that_do_not_fit() -> None:
    too_many = []
    for values in (SMALL, {}):
        with watch(values) as some:
            pairs = [connected_unix() for _ in range(80)]
            ends = [pair.__enter__() for pair in pairs]
            for client, server in ends:
                fill(client, server, 16)
            too_many.append(some.step().health.overfull_pipelines)
            for pair in pairs:
                pair.__exit__(None, None, None)
    assert too_many[0] > 0
    assert too_many[1] == 0


@pytest.mark.setting("performance.max_users")
def test_parties_that_do_not_fit() -> None:
    def with_pids(values: Mapping[str, object]) -> int:
        return sum(bool(row.pids) for row in run(values, 600, paths=600).endpoints)

    assert with_pids({}) == 600
    assert with_pids(SMALL) < 600


def fill(client: socket.socket, server: socket.socket, count: int) -> None:
    """Send requests that wait for their responses."""
    for _ in range(count):
        head = request("/waits")
        client.sendall(head)
        receive(server, len(head))
