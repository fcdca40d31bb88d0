"""Caps, scopes, samples, quantiles, hostile bytes: what bounds the counts and what must not."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
import json
import math
import os
import random
import signal
import socket
import struct
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from httptop.bpf.abi import MOST_CODES
from httptop.config.scope import limited
from httptop.config.settings import DEFAULTS, Performance, Sampling
from httptop.http import path_template
from httptop.linux.bpf_syscall import map_keys
from httptop.model import OVERFLOW_PATH, Snapshot, Transaction
from httptop.output.json import to_json
from tests.live.live import (
    Watch,
    connected,
    connected_unix,
    exchange,
    receive,
    request,
    response,
    rows_of,
    show,
    sums_of,
)

pytestmark = pytest.mark.ebpf

MS = 1_000_000
Ends = contextlib.AbstractContextManager[tuple[socket.socket, socket.socket]]


def _only_us(**settings: object) -> Watch:
    chosen = dataclasses.replace(DEFAULTS, **settings)  # type: ignore[arg-type]
    return Watch(chosen, limited(f"pid = {os.getpid()}"))


@pytest.fixture
def only_us() -> Iterator[Watch]:
    with _only_us(sampling=Sampling(per_second=1000)) as watch:
        yield watch


# ---- caps --------------------------------------------------------------------------------------


FEW: Final = 64  # endpoints, connections


def with_room(little: bool) -> Watch:
    """Return probes with room for few endpoints and connections, or for many."""
    few = Performance(max_endpoints=FEW, max_connections=FEW)
    return _only_us(performance=few if little else Performance())


def test_a_hundred_thousand_ids_are_a_handful_of_rows(watch: Watch, path: str) -> None:
    dice = random.Random(3)
    makers: list[Callable[[int], str]] = [
        lambda n: f"{n}",
        lambda n: f"{n}/files/{n * 7}.pdf",
        lambda _: str(uuid.UUID(int=dice.getrandbits(128))),
        lambda _: f"{dice.getrandbits(64) | 1:016x}/x",
        lambda _: f"2024-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02}",
    ]
    count, reply = 100_000, response(200)
    with connected() as (client, server):
        send, take, back, get = client.send, server.recv, server.send, client.recv
        for number in range(count):
            send(f"GET {path}/{makers[number % 5](number)} HTTP/1.1\r\n\r\n".encode())
            take(4096)
            back(reply)
            get(4096)
    watch.expect(path, {200: count})
    hexless = {row.key.path for row in watch.rows(path)} - {
        f"{path}/{{id}}", f"{path}/{{id}}/files/{{id}}.pdf", f"{path}/{{id}}/x",
    }  # fmt: skip
    # One in 27,000 sixteen-digit numbers is all letters, and one in 1,800 has no letter: both stay
    # what the rule says that they are.
    assert len(hexless) <= 3, hexless


@pytest.mark.xdist_group("limits")
@pytest.mark.setting("performance.max_endpoints")
@pytest.mark.parametrize("little", [True, False])
def test_what_does_not_fit_is_counted_under_other(path: str, little: bool) -> None:
    with with_room(little) as watch, connected() as (one, two):
        for turn in range(3):
            for number in range(200):
                word = "".join(chr(97 + number // 26**at % 26) for at in range(3))
                exchange(one, two, request(f"{path}/{word}"), response(200 + 204 * (turn == 2)))
        snapshot = watch.step()
    for side in ("server", "client"):
        rows = rows_of(snapshot, "", side)
        status, unanswered, in_flight = sums_of(rows)
        assert (sum(status.values()), unanswered, in_flight) == (600, 0, 0), list(map(show, rows))
        assert snapshot.total(side).requests == 600
        assert len(rows) <= (FEW if little else 200)
        # Rows with a name are right; the rest is under ~other.
        named = [row for row in rows if row.key.path != OVERFLOW_PATH]
        assert len(named) > 10
        assert all(row.requests <= 3 for row in named)
    other = sum(row.requests for row in rows_of(snapshot, OVERFLOW_PATH))
    assert other == snapshot.health.overflow_requests
    assert (other > 0) == little


@pytest.mark.xdist_group("limits")
def test_errors_never_leave_their_row(path: str) -> None:
    """An endpoint with all statuses, and many endpoints with many: each sum by class is exact."""
    with with_room(True) as watch, connected() as (client, server):
        exchange(client, server, request(f"{path}/known"), response(200))
        for status in range(200, 1000):
            exchange(client, server, request(f"{path}/odd"), response(status))
        for word in "abcdefghijklmnopqrstuvwxy":
            for status in (200, 301, *range(404, 424), *range(500, 520)):
                exchange(client, server, request(f"{path}/{word}"), response(status))
        for _ in range(500):
            exchange(client, server, request(f"{path}/known"), response(503))
        rows = watch.rows(path, "server")
    by_path = {row.key.path.removeprefix(path): row for row in rows}
    odd, known = by_path["/odd"], by_path["/known"]
    assert (known.requests, known.errors, known.status_class(5)) == (501, 500, 500)
    assert [odd.status_class(hundreds) for hundreds in range(2, 6)] == [100] * 4
    assert sum(odd.status.values()) == odd.requests == 800
    assert len(odd.status) < MOST_CODES + 10
    for word, row in by_path.items():
        if len(word) == 2:
            assert [row.status_class(hundreds) for hundreds in (2, 3, 4, 5)] == [1, 1, 20, 20], word
            assert (row.in_flight, row.errors) == (0, 40)


@pytest.mark.xdist_group("limits")
@pytest.mark.setting("performance.max_connections")
@pytest.mark.parametrize("little", [True, False])
def test_more_connections_than_fit(path: str, little: bool) -> None:
    """Those that are not kept have no row of their own; each end is one."""
    with with_room(little) as watch, contextlib.ExitStack() as stack:
        ends = [stack.enter_context(connected_unix()) for _ in range(100)]
        for _ in range(3):
            for client, server in ends:
                exchange(client, server, request(path))
        snapshot = watch.step()
    for side in ("server", "client"):
        status, unanswered, _ = sums_of(rows_of(snapshot, "", side))
        assert sum(status.values()) + unanswered == 300
        assert snapshot.total(side).in_flight == 0
    other = sum(row.requests for row in rows_of(snapshot, OVERFLOW_PATH))
    assert (
        other
        == snapshot.health.overflow_requests
        == 600 - sum(row.requests for row in rows_of(snapshot, path))
        == (3 * (200 - (FEW - FEW // 8)) if little else 0)  # the last eighth is for others
    )


# ---- samples -----------------------------------------------------------------------------------


def test_errors_and_slow_ones_are_sampled_first(path: str) -> None:
    sampling = Sampling(per_second=50, burst=50, slow_threshold_ns=15 * MS)
    with _only_us(sampling=sampling) as watch, connected() as (client, server):
        started = time.monotonic()
        for number in range(1, 2001):
            client.sendall(request(f"{path}/{number}"))
            receive(server, len(request(f"{path}/{number}")))
            if number % 1000 == 0:
                time.sleep(0.016)
            server.sendall(response(503 if number % 400 == 0 else 200))
            receive(client, len(response(200)))
        spent = time.monotonic() - started
        snapshot = watch.step()
    status, unanswered, _ = sums_of(rows_of(snapshot, path, "server"))
    assert (status, unanswered) == ({200: 1995, 503: 5}, 0)
    for side in ("server", "client"):
        samples = [sample for sample in snapshot.recent if sample.key.side == side]
        errors = {sample.path for sample in samples if sample.status == 503}
        assert errors == {f"{path}/{number}" for number in range(400, 2001, 400)}
        slow = {sample.path for sample in samples if sample.slow}
        assert {f"{path}/1000", f"{path}/2000"} <= slow
    # The bucket holds a second's worth; the ordinary ones leave half of it to the others.
    assert 25 <= len(snapshot.recent) <= 50 + 50 * spent + 2


def test_what_a_sample_says(only_us: Watch, path: str) -> None:
    head = request(f"{path}/42?secret=1", "POST", "Content-Length: 3") + b"abc"
    reply = response(201, b"hello")
    before = time.time()
    with connected() as (client, server):
        exchange(client, server, head, reply)
        peers = {"server": client.getsockname(), "client": server.getsockname()}
    found = [sample for sample in only_us.step().recent if sample.key.path.startswith(path)]
    assert {sample.key.side for sample in found} == {"server", "client"}
    for sample in found:
        assert (sample.path, sample.status, sample.pid) == (
            f"{path}/42?secret=***",
            201,
            os.getpid(),
        )
        assert (sample.key.path, sample.key.method) == (f"{path}/{{id}}", "POST")
        assert (sample.request_bytes, sample.response_bytes) == (len(head), len(reply))
        assert before - 0.1 <= sample.started_at <= time.time()
        assert sample.peer == "{}:{}".format(*peers[sample.key.side])


def _samples(watch: Watch, path: str, status: int) -> list[Transaction]:
    """Return the samples of both sides with this status, whose endpoint's path begins so."""
    samples = [sample for sample in watch.step().recent if sample.key.path.startswith(path)]
    found = [sample for sample in samples if sample.status == status]
    assert {sample.key.side for sample in found} == {"server", "client"}, samples
    return found


@pytest.mark.parametrize("together", [True, False], ids=["one write", "two writes"])
def test_a_sample_in_a_pipeline_is_of_its_own_request(
    only_us: Watch, path: str, together: bool
) -> None:
    """The first one's line is not kept any more: its path is the template, never the other's."""
    early, late = request(f"{path}/early/1?a=1"), request(f"{path}/late/2?b=2", "DELETE")
    replies = [response(404, b"no"), response(500)]
    with connected() as (client, server):
        client.sendall(early + late)
        receive(server, len(early + late))
        for reply in [b"".join(replies)] if together else replies:
            server.sendall(reply)
            receive(client, len(reply))
    for sample in _samples(only_us, path, 404):
        assert (sample.key.method, sample.key.path) == ("GET", f"{path}/early/{{id}}")
        assert sample.path == f"{path}/early/{{id}}"
        assert (sample.request_bytes, sample.response_bytes) == (len(early), len(replies[0]))
    for sample in _samples(only_us, path, 500):
        assert (sample.key.method, sample.key.path) == ("DELETE", f"{path}/late/{{id}}")
        assert sample.path == f"{path}/late/2?b=***"
        assert (sample.request_bytes, sample.response_bytes) == (len(late), len(replies[1]))


@pytest.mark.parametrize("cut", [10, 44], ids=["within the line", "behind the line"])
def test_half_a_request_behind_it_is_not_taken_for_a_samples_own(
    only_us: Watch, path: str, cut: int
) -> None:
    early, late = request(f"{path}/early"), request(f"{path}/late")
    with connected() as (client, server):
        client.sendall(early + late[:cut])
        receive(server, len(early) + cut)
        server.sendall(response(404))
        receive(client, len(response(404)))
        exchange(client, server, late[cut:], response(500))
    assert {sample.path for sample in _samples(only_us, path, 404)} == {f"{path}/early"}
    assert {sample.path for sample in _samples(only_us, path, 500)} == {f"{path}/late"}


def test_a_request_too_many_is_not_taken_for_a_samples_own(only_us: Watch, path: str) -> None:
    heads = request(f"{path}/in") * 512 + request(f"{path}/over")
    with connected() as (client, server):
        exchange(client, server, heads, response(200) * 511 + response(404))
    assert {sample.path for sample in _samples(only_us, path, 404)} == {f"{path}/in"}


def test_a_sample_of_a_response_cut_in_its_status_line_lacks_its_head(
    only_us: Watch, path: str
) -> None:
    reply = response(404, b"nothing")
    with connected() as (client, server):
        client.sendall(request(path))
        receive(server, len(request(path)))
        for piece in (reply[:7], reply[7:]):
            server.sendall(piece)
            receive(client, len(piece))
    for sample in _samples(only_us, path, 404):
        assert (sample.response_bytes, sample.response_head) == (None, ())


def test_an_upload_behind_another_request_has_its_body(only_us: Watch, path: str) -> None:
    early = request(f"{path}/early")
    late = request(f"{path}/late", "POST", "Content-Length: 3000")
    with connected() as (client, server):
        for piece in (early + late, b"x" * 1000, b"y" * 2000):
            client.sendall(piece)
            receive(server, len(piece))
        server.sendall(response(404) + response(500))
        receive(client, len(response(404) + response(500)))
    assert {sample.request_bytes for sample in _samples(only_us, path, 404)} == {len(early)}
    assert {sample.request_bytes for sample in _samples(only_us, path, 500)} == {len(late) + 3000}


def test_samples_of_ipv6_and_unix(only_us: Watch, path: str) -> None:
    with connected(socket.AF_INET6) as (client, server):
        port = server.getsockname()[1]
        exchange(client, server, request(path))
    with connected_unix() as (client, server):
        exchange(client, server, request(path))
    found = [sample for sample in only_us.step().recent if sample.key.path == path]
    peers = [sample.peer for sample in found if sample.key.side == "client"]
    assert sorted(peers, key=str) == [None, f"[::1]:{port}"]


def test_no_samples_at_all(path: str) -> None:
    with _only_us(sampling=Sampling(per_second=0)) as watch, connected() as (client, server):
        for status in (200, 500):
            exchange(client, server, request(path), response(status))
        snapshot = watch.step()
    assert snapshot.recent == ()
    assert sums_of(rows_of(snapshot, path, "server"))[0] == {200: 1, 500: 1}


# ---- quantiles ---------------------------------------------------------------------------------


@contextlib.contextmanager
def _child(work: Callable[[], None]) -> Iterator[int]:
    pid = os.fork()
    if not pid:
        with contextlib.suppress(BaseException):
            work()
        os._exit(0)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _delayed(path: str, delays_s: list[float], report: int) -> None:
    """Serve and ask in one process, one request at a time; report what latencies are between."""
    head, reply, log = request(path), response(200), []
    with connected_unix() as (client, server):
        for delay_s in delays_s:
            asked = time.monotonic_ns()
            client.sendall(head)
            receive(server, len(head))
            began = time.monotonic_ns()
            time.sleep(delay_s)
            ended = time.monotonic_ns()
            server.sendall(reply)
            log += [ended - began, time.monotonic_ns() - asked]
            receive(client, len(reply))
    os.write(report, struct.pack(f"<{len(log)}Q", *log))


def test_quantiles_of_known_delays(watch: Watch, path: str) -> None:
    dice = random.Random(11)
    reader, writer = os.pipe()
    workers, each = 12, 40
    with contextlib.ExitStack() as stack:
        for _ in range(workers):
            delays = [0.005 + 0.095 * dice.random() ** 2 for _ in range(each)]
            stack.enter_context(_child(functools.partial(_delayed, path, delays, writer)))
        bounds: list[int] = []
        while len(bounds) < 2 * workers * each:
            bounds += struct.unpack(f"<{2 * each}Q", os.read(reader, 2 * each * 8))
    os.close(reader)
    os.close(writer)
    least, most = sorted(bounds[::2]), sorted(bounds[1::2])
    watch.expect(path, {200: workers * each})
    latency = watch.row(path).latency_total
    assert latency.count == len(least)
    for share, found in (
        (0.5, latency.p50_ns), (0.9, latency.p90_ns), (0.95, latency.p95_ns),
        (0.99, latency.p99_ns), (1.0, latency.max_ns), (0.999, latency.p999_ns),
    ):  # fmt: skip
        at = math.ceil(share * len(least)) - 1
        assert 0.98 * least[at] <= found <= 1.02 * most[at], (share, found, least[at], most[at])
    assert sum(least) <= latency.mean_ns * latency.count <= sum(most)


# ---- hostile bytes -----------------------------------------------------------------------------


def _counts(snapshot: Snapshot) -> list[str]:
    return sorted(map(show, snapshot.endpoints))


def test_garbage_changes_no_count(only_us: Watch) -> None:
    dice = random.Random(13)
    before = only_us.step()
    for _ in range(300):
        with connected_unix() as (client, server):
            for end, other in ((client, server), (server, client)):
                data = dice.randbytes(dice.choice((1, 5, 16, 100, 3000)))
                end.sendall(data)
                receive(other, len(data))
    assert _counts(only_us.step()) == _counts(before)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/2.x\r\n\r\n", b"POST /\r\n\r\n", b"GET / HTTP/1.1 x\r\n\r\n",
        b"GET\r\n\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"EHLO mail.example.com\r\nMAIL FROM:<a@b>\r\n", b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x11" * 100, b"GET " + b"A" * 40_000,
        b"RTSP/1.0 200 OK\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", b"OPTIONS * RTSP/1.0\r\n\r\n",
        b"get some thing from the shop\r\n" * 4, b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n",
    ],
)  # fmt: skip
def test_other_protocols_are_not_counted(only_us: Watch, data: bytes) -> None:
    before = only_us.step()
    with connected_unix() as (client, server):
        for _ in range(2):
            for end, other in ((client, server), (server, client)):
                end.sendall(data)
                receive(other, len(data))
    assert _counts(only_us.step()) == _counts(before)


def test_garbage_on_a_connection_that_spoke_http(watch: Watch, path: str) -> None:
    dice = random.Random(17)
    for number in range(50):
        with connected_unix() as (client, server):
            exchange(client, server, request(path))
            data = dice.randbytes(2000) if number % 2 else request("/x")[:20] + dice.randbytes(200)
            client.sendall(data)
            receive(server, len(data))
            server.sendall(response(400))
            receive(client, len(response(400)))
    watch.expect(path, {200: 50})


def test_hostile_paths_come_out_escaped(watch: Watch, path: str) -> None:
    targets = [
        path.encode() + b"/[red]x[/red]",
        path.encode() + b"/\xff\xfe\x80",
        path.encode() + "/\u202e\u200bevil".encode(),
        path.encode() + b"/esc\x1b[2Jape",
        path.encode() + b"/" + b"long-" * 1600,
        path.encode() + b"/\xe2\x98\x83",
    ]
    with connected() as (client, server):
        for target in targets:
            exchange(client, server, b"GET " + target + b" HTTP/1.1\r\n\r\n")
    watch.expect(path, {200: len(targets)})
    snapshot = watch.step()
    text = to_json(snapshot)
    assert "\x1b" not in text
    assert text.isprintable()
    json.loads(text)
    paths = {row.key.path for row in rows_of(snapshot, path, "server")}
    assert paths >= {
        path + "/[red]x[/red]", path + "/\\xff\\xfe\\x80", path + "/\\u202e\\u200bevil",
        path + "/esc", path + "/\u2603",
    }  # fmt: skip
    (long,) = paths - {
        path + "/[red]x[/red]", path + "/\\xff\\xfe\\x80", path + "/\\u202e\\u200bevil",
        path + "/esc", path + "/\u2603",
    }  # fmt: skip
    assert long.endswith("…")
    assert len(long) == path_template.TEMPLATE_LEN + 1


# ---- the end of a server -----------------------------------------------------------------------


@pytest.mark.parametrize("ends", [connected, connected_unix])
def test_a_server_that_is_killed_before_it_responds(
    watch: Watch, path: str, ends: Callable[[], Ends]
) -> None:
    with ends() as (client, server):

        def work() -> None:
            receive(server, len(request(path)))
            time.sleep(60)

        with _child(work) as pid:
            server.close()
            client.sendall(request(path))
            watch.expect(path, {}, in_flight=1)
            os.kill(pid, signal.SIGKILL)
            watch.expect(path, {}, sides=("server",), unanswered=1)
            assert client.recv(1) == b""
        client.close()
        watch.expect(path, {}, unanswered=1)


def test_a_connection_that_is_over_is_found_among_many_that_are_not(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Some are looked at in a tick, and all of them after the last one."""
    monkeypatch.setattr("httptop.bpf.sweep._A_TICK", 8)
    monkeypatch.setattr("httptop.bpf.sweep._AT_ONCE", 8)
    with contextlib.ExitStack() as closing:
        watch = closing.enter_context(Watch(scope=limited(f"pid = {os.getpid()}"), fresh=True))
        for _ in range(40):
            client, server = closing.enter_context(connected_unix())
            client.sendall(b"GET /h")
            server.recv(99)
        for name in "abc":
            with connected_unix() as (client, server):
                client.sendall(request(f"{path}/{name}"))
                server.recv(4096)
        found = [sum(row.unanswered for row in rows_of(watch.step(), path)) for _ in range(15)]
        assert found[0] < 6  # both sides of three
        assert found[-1] == 6
        for name in "abc":
            with connected_unix() as (client, server):
                client.sendall(request(f"{path}/{name}"))
                server.recv(4096)
        watch.source.detach()
        assert sum(row.unanswered for row in rows_of(watch.step(), path)) == 12


def test_a_socket_that_is_connected_anew_is_another_connection(watch: Watch, path: str) -> None:
    """It has another peer and port; what was pending has no response any more."""
    nobody = struct.pack("<H14x", socket.AF_UNSPEC)
    libc = ctypes.CDLL(None, use_errno=True)
    ports = []
    with socket.socket() as client:
        for name in "ab":
            with socket.create_server(("127.0.0.1", 0)) as listener:
                client.connect(listener.getsockname())
                ports.append(listener.getsockname()[1])
                server, _ = listener.accept()
            with server:
                exchange(client, server, request(f"{path}/{name}"))
                client.sendall(request(f"{path}/{name}/open"))
                receive(server, len(request(f"{path}/{name}/open")))
                assert libc.connect(client.fileno(), nobody, len(nobody)) == 0
    snapshot = watch.until(lambda shot: sum(row.unanswered for row in rows_of(shot, path)) == 4)
    for name, port in zip("ab", ports, strict=True):
        for side in ("client", "server"):
            found = {
                row.key.path.removeprefix(path): (row.key.port, dict(row.status), row.unanswered)
                for row in rows_of(snapshot, f"{path}/{name}", side)
            }
            assert found == {f"/{name}": (port, {200: 1}, 0), f"/{name}/open": (port, {}, 1)}


def test_connections_that_are_gone_leave_the_maps(only_us: Watch, path: str) -> None:
    for ends in (connected, connected_unix) * 20:
        with ends() as (client, server):
            exchange(client, server, request(path))
            client.sendall(request(path) * 5)
            receive(server, 5 * len(request(path)))
    only_us.expect(path, {200: 40}, unanswered=200)
    for name, size in (("conns", 8), ("swept_conns", 8), ("queue", 16)):
        assert list(map_keys(only_us.probes.maps[name], size)) == [], name
