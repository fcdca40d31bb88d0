"""A real server and real clients: what httptop counts is what they count."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from httptop.config.scope import limited
from httptop.model import Side
from tests.live.live import (
    SYSCALLS,
    Watch,
    connected,
    exchange,
    receive,
    request,
    response,
    rows_of,
    show,
    sums_of,
)
from tests.live.nginx import FILE_SIZE, Nginx
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ebpf


@pytest.fixture(scope="module", params=[1, 2], ids=["one-worker", "two-workers"])
def nginx(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    with Nginx(tmp_path_factory.mktemp("nginx"), request.param) as nginx:
        yield nginx


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with Nginx(tmp_path_factory.mktemp("nginx"), 1) as nginx:
        yield nginx


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _curl(*arguments: str) -> dict[str, int]:
    """Run curl; return what it counted."""
    said = _run("curl", "-sS", "-o", "/dev/null", "-w", "%{json}", *arguments)
    told = json.loads(said)
    return {name: int(told[name]) for name in (
        "http_code", "size_download", "size_header", "size_request", "size_upload")}  # fmt: skip


def _sent(told: dict[str, int]) -> int:
    """Return the bytes of a request; since curl 8.14 ``size_request`` holds an upload, too."""
    body, request = told["size_upload"], told["size_request"]
    return request if request > body else request + body


def _settled(watch: Watch, path: str, side: Side) -> tuple[dict[int, int], int, int]:
    """Return the sums of the rows with this path when nothing is in flight any more."""
    snapshot = watch.until(
        lambda snapshot: sums_of(rows_of(snapshot, path, side))[2] == 0, what="nothing in flight"
    )
    return sums_of(rows_of(snapshot, path, side))


@pytest.mark.parametrize("v6", [False, True], ids=["ipv4", "ipv6"])
def test_wrk_at_full_speed(watch: Watch, nginx: Nginx, path: str, v6: bool) -> None:
    before = nginx.requests()
    said = _run("wrk", "-t1", "-c16", "-d1s", nginx.url(path, v6=v6))
    found = re.search(r"(\d+) requests in", said)
    assert found is not None
    wrks = int(found[1])
    assert wrks > 1000
    status, unanswered, _ = _settled(watch, path, "client")
    assert status == {200: wrks}
    assert unanswered <= 16
    nginx.wait_until_idle()
    status, gone, _ = _settled(watch, path, "server")
    assert status[200] + gone == nginx.requests() - before
    assert wrks <= status[200] + gone <= wrks + unanswered


@pytest.mark.parametrize("watch", [SYSCALLS], indirect=True)
def test_wrk_where_system_calls_are_seen(watch: Watch, one_worker: Nginx, path: str) -> None:
    before = one_worker.requests()
    said = _run("wrk", "-t1", "-c16", "-d1s", one_worker.url(path))
    found = re.search(r"(\d+) requests in", said)
    assert found is not None
    status, unanswered, _ = _settled(watch, path, "client")
    assert status == {200: int(found[1])}
    assert unanswered <= 16
    one_worker.wait_until_idle()
    status, gone, _ = _settled(watch, path, "server")
    assert status[200] + gone == one_worker.requests() - before


def test_ab_with_a_connection_a_request(watch: Watch, nginx: Nginx, path: str) -> None:
    before, count = nginx.requests(), 10_007
    said = _run("ab", "-q", "-n", str(count), "-c", "16", nginx.url(path))
    assert re.search(rf"Complete requests:\s+{count}\b", said)
    assert re.search(r"Failed requests:\s+0\b", said)
    assert _settled(watch, path, "server") == ({200: count}, 0, 0)
    assert nginx.requests() - before == count
    assert _settled(watch, path, "client") == ({200: count}, 0, 0)


def test_ab_without_a_request_in_time(watch: Watch, one_worker: Nginx, path: str) -> None:
    _run("ab", "-q", "-k", "-n", "5003", "-c", "8", one_worker.url(path))
    assert _settled(watch, path, "server") == ({200: 5003}, 0, 0)


def test_many_paths_and_codes(watch: Watch, one_worker: Nginx, path: str) -> None:
    names = ("a", "b/missing", "c/moved", "d/none", "users/17", "users/18?x=1", "e/missing")
    urls = [one_worker.url(f"{path}/{name}") for name in names]
    _run("curl", "-sS", *(word for url in urls for word in ("-o", "/dev/null", url)))
    watch.expect(path, {200: 3, 404: 2, 301: 1, 204: 1})
    found = {
        row.key.path: (dict(row.status), row.key.process) for row in watch.rows(path, "client")
    }
    assert found[path + "/users/{id}"] == ({200: 2}, "curl")
    assert found[path + "/d/none"] == ({204: 1}, "curl")


@pytest.mark.parametrize("size", [1, 4096, 100_000, FILE_SIZE])
def test_files_by_sendfile(watch: Watch, one_worker: Nginx, path: str, size: int) -> None:
    url = one_worker.url(path + "/files/file.bin")
    told = [_curl("-r", f"0-{size - 1}", url) for _ in range(3)]
    assert {one["size_download"] for one in told} == {size}
    watch.expect(path, {206: 3})
    for side in ("client", "server"):
        (row,) = watch.rows(path, side)
        assert row.response_bytes == sum(one["size_download"] + one["size_header"] for one in told)
        assert row.request_bytes == sum(one["size_request"] for one in told)


def test_uploads_that_wait_for_the_hundred(
    watch: Watch, one_worker: Nginx, path: str, tmp_path: Path
) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"GET /decoy-in-an-upload HTTP/1.1\r\n\r\n" * 60_000)
    told = []
    for name in ("one", "two"):
        told.append(
            _curl(
                "-T", str(body), "-H", "Expect: 100-continue", one_worker.url(f"{path}/put/{name}")
            )
        )
    assert {one["http_code"] for one in told} == {201}
    watch.expect(path, {201: 2})
    size = sum(map(_sent, told))
    for side in ("client", "server"):
        rows = watch.rows(path, side)
        assert {row.key.method for row in rows} == {"PUT"}
        assert sum(row.request_bytes for row in rows) == size, [show(row) for row in rows]
    assert not watch.rows("/decoy")


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "FOO"]
)
def test_methods(watch: Watch, one_worker: Nginx, path: str, method: str) -> None:
    extra = ["-I"] if method == "HEAD" else ["-X", method]
    told = _curl(*extra, one_worker.url(path))
    watch.expect(path, {told["http_code"]: 1})
    name = "OTHER" if method == "FOO" else method
    assert {(row.key.method, row.key.process) for row in watch.rows(path)} == {
        (name, "nginx"), (name, "curl"),
    }  # fmt: skip


def test_old_and_new_clients(watch: Watch, one_worker: Nginx, path: str) -> None:
    for flag in ("--http1.0", "--http1.1", "--http1.1"):
        _curl(flag, one_worker.url(path))
    watch.expect(path, {200: 3})
    found = {(row.key.side, row.key.protocol): row.requests for row in watch.rows(path)}
    assert found == {
        ("server", "HTTP/1.0"): 1, ("server", "HTTP/1.1"): 2,
        ("client", "HTTP/1.0"): 1, ("client", "HTTP/1.1"): 2,
    }  # fmt: skip


def test_a_unix_socket(watch: Watch, one_worker: Nginx, path: str) -> None:
    for _ in range(3):
        _curl("--unix-socket", str(one_worker.unix), f"http://h{path}/42")
    watch.expect(path, {200: 3})
    for row in watch.rows(path):
        assert row.key.path == path + "/{id}"
        assert row.in_flight == 0


def test_a_connection_older_than_the_probes(one_worker: Nginx, path: str) -> None:
    head = "GET {} HTTP/1.1\r\nHost: h\r\n\r\n"
    with socket.create_connection(("127.0.0.1", one_worker.port)) as client:
        client.sendall(head.format(path + "/before").encode())
        assert client.recv(4096)
        with Watch() as watch:
            for _ in range(2):
                client.sendall(head.format(path + "/after").encode())
                assert client.recv(4096)
            watch.expect(path + "/after", {200: 2})
            assert not watch.rows(path + "/before")


def test_a_request_older_than_the_probes(path: str) -> None:
    with connected() as (client, server):
        client.sendall(request(path + "/before"))
        receive(server, len(request(path + "/before")))
        with Watch(scope=limited(f"pid = {os.getpid()}")) as watch:
            server.sendall(response(200))
            receive(client, len(response(200)))
            exchange(client, server, request(path + "/after"))
            watch.expect(path + "/after", {200: 1})
            assert not watch.rows(path + "/before")
            assert watch.step().health.orphan_responses == 2  # one on each side
