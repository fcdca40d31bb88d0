"""Filters fixed for the run: each, on live connections, lets through exactly what it means."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from httptop.config.load import build
from httptop.config.scope import scope_of
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
from tests.patience import PATIENCE_S

#: One process has all of them, since several use the same probes.
pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("filters")]

MS: Final = 1_000_000
OURS: Final = f"pid = {os.getpid()}"
HOSTS: Final = ("*.example.org",)
LATENCIES: Final = {"filter__http__min_latency": 40 * MS, "filter__http__max_latency": 150 * MS}
SIZES: Final = {
    "filter__http__min_response_bytes": 500,
    "filter__http__max_response_bytes": 50_000,
}


def watch(text: str = "", front: str | None = None, /, **values: object) -> Watch:
    """Watch with a filter and settings by key (``__`` for a dot)."""
    settings = build({key.replace("__", "."): value for key, value in values.items()})
    scope = scope_of(settings.filter)
    if text:
        scope = scope_of(build({"filter.expression": text}, settings).filter)
    return Watch(settings, scope, front)


def status_of(watched: Watch, path: str, side: str = "server") -> dict[int, int]:
    """Return the statuses of all rows with a path."""
    return sums_of(rows_of(watched.step(), path, side))[0]  # type: ignore[arg-type]


def exchanges(
    ends: tuple[socket.socket, socket.socket], path: str, *statuses: int, **more: str
) -> None:
    """Send a request and its response for each status."""
    for status in statuses:
        exchange(*ends, request(path, **more), response(status))


@contextmanager
def fake_process(name: str) -> Iterator[subprocess.Popen[str]]:
    """A process of another name that does what lines on its standard input say."""
    program = f"""
import ctypes, socket, sys
ctypes.CDLL(None).prctl(15, {name!r}.encode())
print(flush=True)
for line in sys.stdin:
    path, *users = line.split()
    if users:
        import os
        os.setresuid(*map(int, users))
    a, b = socket.socketpair()
    a.sendall(f"GET {{path}} HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n".encode())
    b.recv(1000)
    b.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    a.recv(1000)
    print(flush=True)
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdout.readline()
    try:
        yield child
    finally:
        child.stdin.close()
        child.wait(PATIENCE_S)
        child.stdout.close()


def order(child: subprocess.Popen[str], *words: object) -> None:
    """Have a fake process send and serve one request."""
    assert child.stdin is not None
    assert child.stdout is not None
    print(*words, file=child.stdin, flush=True)
    assert child.stdout.readline()


# ---- processes -------------------------------------------------------------------------------


@pytest.mark.setting("filter.process.pids")
@pytest.mark.parametrize("front", [None, "syscalls"])
def test_one_process(front: str | None) -> None:
    path = new_path()
    with fake_process("another") as child, connected() as ends, watch(OURS, front) as some:
        order(child, f"{path}/theirs")
        exchanges(ends, f"{path}/ours", 200)
        assert {row.key.path for row in some.rows(path)} == {f"{path}/ours"}


@pytest.mark.setting("filter.process.exclude_pids", "filter.process.min_pid")
def test_process_numbers() -> None:
    """Of three processes one has too low a number, and one is excluded."""
    path = new_path()
    with fake_process("one") as one, fake_process("two") as two, fake_process("three") as three:
        low, middle, high = sorted((one, two, three), key=lambda child: child.pid)
        values = {"exclude_pids": (high.pid,), "min_pid": middle.pid}
        keys = {f"filter__process__{name}": value for name, value in values.items()}
        with watch(**keys) as some:
            for child, name in ((low, "low"), (middle, "middle"), (high, "high")):
                order(child, f"{path}/{name}")
            assert {row.key.path for row in some.rows(path)} == {f"{path}/middle"}


@pytest.mark.setting("filter.process.names", "filter.process.exclude_names")
def test_process_names() -> None:
    path = new_path()
    values = {
        "filter__process__names": ("some-*", "nobody", "oth"),
        "filter__process__exclude_names": ("s?me-[a-q]*",),
    }
    with (
        fake_process("some-server") as one,
        fake_process("some-client") as two,
        fake_process("other") as three,
        watch(**values) as some,
    ):
        for child, name in ((one, "a"), (two, "b"), (three, "c")):
            order(child, f"{path}/{name}")
        assert {row.key.path for row in some.rows(path)} == {f"{path}/a"}


@pytest.mark.setting("filter.process.users")
def test_users() -> None:
    path = new_path()
    nobody = {"filter__process__users": ("65534",)}
    with fake_process("some") as child, watch(**nobody) as some:
        order(child, f"{path}/root")
        order(child, f"{path}/effective", 0, 65534, 0)
        order(child, f"{path}/setuid", 65534, 0, 0)  # the user runs a setuid program of root's
        order(child, f"{path}/nobody", 65534, 65534, 65534)
        found = {row.key.path for row in some.rows(path)}
        assert found == {f"{path}/setuid", f"{path}/nobody"}  # it goes by the real user id


def test_a_connection_handed_to_another_process() -> None:
    """Only requests of the selected process count, whichever process responds."""
    path = new_path()
    with connected() as (client, server), watch(OURS) as some:
        exchange(client, server, request(f"{path}/before"))
        client.sendall(request(f"{path}/forked"))
        receive(server, len(request(f"{path}/forked")))
        child = os.fork()
        if not child:
            server.sendall(response(201))
            receive(server, len(request(f"{path}/theirs")))
            server.sendall(response(202))
            os._exit(0)
        receive(client, len(response(201)))
        client.sendall(request(f"{path}/theirs"))
        receive(client, len(response(202)))
        os.waitpid(child, 0)
        assert status_of(some, f"{path}/before") == {200: 1}
        assert status_of(some, f"{path}/forked") == {201: 1}
        assert status_of(some, f"{path}/theirs") == {}
        assert status_of(some, f"{path}/theirs", "client") == {202: 1}


# ---- connections -----------------------------------------------------------------------------


@pytest.mark.setting("filter.network.ports", "filter.network.exclude_ports")
def test_ports() -> None:
    path = new_path()
    with (
        connected(port=1) as one,
        connected(port=2) as two,
        connected(port=3) as three,
        connected_unix() as unix,
    ):
        ports = [ends[1].getsockname()[1] for ends in (one, two, three)]
        values = {"ports": ports[:2], "exclude_ports": ports[1:]}
        keys = {f"filter__network__{name}": tuple(value) for name, value in values.items()}
        with watch(OURS, **keys) as some:
            for ends, name in ((one, "a"), (two, "b"), (three, "c"), (unix, "d")):
                exchanges(ends, f"{path}/{name}", 200)
            for side in ("server", "client"):
                rows = rows_of(some.step(), path, side)
                assert {row.key.path[-1] for row in rows} == {"a"}


@pytest.mark.setting("filter.network.exclude_ports")
def test_an_excluded_port() -> None:
    path = new_path()
    with connected(port=1) as one, connected(port=2) as two, connected_unix() as unix:
        values = {"filter__network__exclude_ports": (one[1].getsockname()[1],)}
        with watch(OURS, **values) as some:
            for ends, name in ((one, "a"), (two, "b"), (unix, "c")):
                exchanges(ends, f"{path}/{name}", 200)
            assert {row.key.path[-1] for row in some.rows(path)} == {"b", "c"}


@pytest.mark.setting(
    "filter.network.addresses",
    "filter.network.exclude_addresses",
    "filter.network.unix_sockets",
)
@pytest.mark.parametrize(
    ("values", "met"),
    [
        ({"addresses": ("127.0.0.0/8",)}, "4"),
        ({"addresses": ("10.0.0.0/8", "::1/128")}, "6"),
        ({"exclude_addresses": ("127.0.0.1/32",)}, "6u"),
        ({"exclude_addresses": ("0.0.0.0/0",)}, "6u"),
        ({"unix_sockets": False}, "46"),
    ],
)
def test_addresses(values: Mapping[str, object], met: str) -> None:
    path = new_path()
    keys = {f"filter__network__{name}": value for name, value in values.items()}
    with (
        connected() as four,
        connected(socket.AF_INET6) as six,
        connected_unix() as unix,
        watch(OURS, **keys) as some,
    ):
        for name, ends in (("4", four), ("6", six), ("u", unix)):
            exchanges(ends, f"{path}/{name}x", 200)
        assert {row.key.path[-2] for row in some.rows(path)} == set(met)


@pytest.mark.setting("filter.network.addresses", "filter.network.localhost_only")
def test_an_address_outside(outer_address: str) -> None:
    path = new_path()
    with (
        listening(outer_address) as outside,
        connected() as four,
        connected(socket.AF_INET6) as six,
        connected_unix() as unix,
    ):
        choices: tuple[tuple[Mapping[str, object], str], ...] = (
            ({"filter__network__localhost_only": True}, "46u"),
            ({"filter__network__addresses": (f"{outer_address}/32",)}, "o"),
        )
        for values, met in choices:
            with watch(OURS, **values) as some:
                for name, ends in (("o", outside), ("4", four), ("6", six), ("u", unix)):
                    exchanges(ends, f"{path}/{name}x", 200)
                assert {row.key.path[-2] for row in some.rows(path, "client")} == set(met)


@pytest.mark.setting("filter.events.connects", "filter.events.accepts")
@pytest.mark.parametrize(
    ("name", "side", "front"),
    [
        ("connects", "server", "sockets"),
        ("connects", "server", "syscalls"),
        ("accepts", "client", "sockets"),
    ],
)
def test_who_opened_a_connection(name: str, side: str, front: str, tmp_path: Path) -> None:
    path = new_path()
    kinds = ("four", "six", "unix")
    with watch(OURS, front, **{f"filter__events__{name}": False}) as some:
        for kind in kinds:
            with opened(kind, tmp_path) as ends:
                exchanges(ends, f"{path}/{kind}", 200)
        found = {(row.key.path.removeprefix(f"{path}/"), row.key.side) for row in some.rows(path)}
        assert found == {(kind, side) for kind in kinds}


@pytest.mark.setting("filter.events.side")
def test_sides() -> None:
    path = new_path()
    with connected() as ends, watch(OURS, filter__events__side="client") as some:
        exchanges(ends, path, 200)
        assert {row.key.side for row in some.rows(path)} == {"client"}


@pytest.mark.setting("filter.events.reads", "filter.events.writes")
@pytest.mark.parametrize(
    ("name", "side", "front"),
    [
        ("reads", "client", "sockets"),
        ("writes", "server", "sockets"),
        ("writes", "server", "syscalls"),
    ],
)
def test_one_direction_only(name: str, side: str, front: str) -> None:
    """The rest are requests without status, each counted once and none in flight."""
    path = new_path()
    with connected() as ends, watch(OURS, front, **{f"filter__events__{name}": False}) as some:
        exchanges(ends, path, 200, 404)
        exchange(*ends, request(path, "POST", "Content-Length: 4") + b"body")
        exchanges(ends, path, 200)
        (get, post) = sorted(some.rows(path), key=lambda row: row.key.method)
        assert (get.key.side, get.key.method, dict(get.status)) == (side, "GET", {0: 3})
        assert (post.key.side, post.key.method, dict(post.status)) == (side, "POST", {0: 1})
        assert get.in_flight == get.unanswered == post.in_flight == 0
        assert get.latency_total.count in (0, get.requests)


# ---- requests --------------------------------------------------------------------------------


@pytest.mark.setting(
    "filter.expression",
    "filter.http.methods",
    "filter.http.paths",
    "filter.http.exclude_paths",
    "filter.http.status",
    "filter.http.versions",
)
@pytest.mark.parametrize(
    ("values", "met"),
    [
        ({"filter__http__methods": ("POST",)}, {("POST", "/b", 200): 1}),
        ({"filter__http__paths": ("*/a",)}, {("GET", "/a", 200): 2, ("GET", "/a", 404): 1}),
        ({"filter__http__exclude_paths": ("*/a",)}, {("POST", "/b", 200): 1}),
        ({"filter__http__status": ("4xx",)}, {("GET", "/a", 404): 1}),
        ({"filter__http__versions": ("1.0",)}, {("GET", "/a", 404): 1}),
        (
            {"filter__expression": "status = 404 or method = POST"},
            {("GET", "/a", 404): 1, ("POST", "/b", 200): 1},
        ),
    ],
)
def test_requests(values: Mapping[str, object], met: Mapping[tuple[str, str, int], int]) -> None:
    path = new_path()
    settings = {"filter__process__pids": (os.getpid(),), **values}
    with connected() as ends, watch("", **settings) as some:
        exchanges(ends, f"{path}/a", 200, 200)
        exchange(*ends, request(f"{path}/a", version="1.0"), response(404))
        exchanges(ends, f"{path}/b", 200, method="POST")
        found = {
            (row.key.method, row.key.path.removeprefix(path), status): count
            for row in some.rows(path, "server")
            for status, count in row.status.items()
        }
        assert found == met


@pytest.mark.setting("filter.http.hosts")
def test_hosts() -> None:
    path = new_path()

    def head(name: str, host: str) -> bytes:
        return f"GET {path}/{name} HTTP/1.1\r\nAccept: */*\r\n{host}\r\nX: y\r\n\r\n".encode()

    with connected() as ends, watch(OURS, filter__http__hosts=HOSTS) as some:
        exchange(*ends, head("a", "Host: www.example.org"))
        exchange(*ends, head("a", "Host: www.example.org"))
        exchange(*ends, head("b", "Host: www.example.com"))
        exchange(*ends, head("b", "Host: www.example.com"))
        exchange(*ends, head("b", "host:WWW.Example.ORG:8080"))
        exchange(*ends, head("c", "X-Host: www.example.org"))
        exchange(*ends, head("d", f"Host: {'a' * 300}.example.org"))
        found = {row.key.path[-1]: dict(row.status) for row in some.rows(path, "server")}
        assert found == {"a": {200: 2}, "b": {200: 1}}
        assert all(row.in_flight == 0 for row in some.rows(path))


@pytest.mark.parametrize("cut", [20, 45, 60, 63, 70, 85])
def test_a_host_that_is_cut(cut: int) -> None:
    path = new_path()
    head = f"GET {path} HTTP/1.1\r\nAccept: */*\r\nHost: www.example.org\r\nX: y\r\n\r\n".encode()
    hosts = {"filter__http__hosts": HOSTS}
    with connected() as (client, server), watch(OURS, **hosts) as some:
        for part in (head[:cut], head[cut:]):
            client.sendall(part)
            receive(server, len(part))
        server.sendall(response())
        receive(client, len(response()))
        assert status_of(some, path) == {200: 1}


def test_hosts_of_a_pipeline() -> None:
    path = new_path()
    heads = [
        f"GET {path}/{name} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        for name, host in (
            ("a", "a.example.org"),
            ("b", "b.example.com"),
            ("c", "c.example.org"),
            ("c", "c.example.com"),
        )
    ]
    hosts = {"filter__http__hosts": HOSTS}
    with connected() as (client, server), watch(OURS, **hosts) as some:
        exchange(client, server, b"".join(heads), b"".join(map(response, (200, 201, 202, 203))))
        found = {row.key.path[-1]: dict(row.status) for row in some.rows(path, "server")}
        assert found == {"a": {200: 1}, "c": {202: 1}}


# ---- responses ---------------------------------------------------------------------------------


@pytest.mark.setting("filter.http.min_latency", "filter.http.max_latency")
def test_latencies() -> None:
    path = new_path()
    with connected() as (client, server), watch(OURS, **LATENCIES) as some:
        for status, pause_s in ((200, 0.0), (201, 0.05), (200, 0.0), (202, 0.2)):
            client.sendall(request(path))
            receive(server, len(request(path)))
            threading.Event().wait(pause_s)
            server.sendall(response(status))
            receive(client, len(response(status)))
        assert status_of(some, path) == {201: 1}
        for row in some.rows(path):
            assert (row.latency_total.count, row.in_flight) == (1, 0)
            assert row.latency_total.p50_ns >= 40 * MS
        assert {sample.status for sample in some.step().recent} == {201}


def test_a_request_without_a_response_has_waited_so_long() -> None:
    path = new_path()
    with watch(OURS, **LATENCIES) as some:
        for wait_s in (0.0, 0.05):
            with connected() as (client, server):
                client.sendall(request(path))
                receive(server, len(request(path)))
                threading.Event().wait(wait_s)
        some.until(lambda shot: sums_of(rows_of(shot, path, "server"))[1:] == (1, 0))


@pytest.mark.setting("filter.http.min_request_bytes", "filter.http.max_request_bytes")
def test_request_sizes() -> None:
    path = new_path()
    limits = {"filter__http__min_request_bytes": 500, "filter__http__max_request_bytes": 5000}
    with connected() as ends, watch(OURS, **limits) as some:
        for status, size in ((200, 0), (201, 1000), (202, 10_000)):
            head = request(path, "POST", f"Content-Length: {size}")
            exchange(*ends, head + bytes(size), response(status))
        assert status_of(some, path) == {201: 1}


@pytest.mark.setting("filter.http.min_response_bytes", "filter.http.max_response_bytes")
def test_response_sizes() -> None:
    """A response counts when the next request comes, or the connection ends."""
    path = new_path()
    sizes = ((200, 10), (201, 1000), (201, 40_000), (202, 100_000), (203, 470))
    with watch(OURS, **SIZES) as some:
        with connected() as ends:
            for status, size in sizes:
                exchange(*ends, request(path), response(status, bytes(size)))
        some.until(lambda shot: not sums_of(rows_of(shot, path, "server"))[2])
        assert status_of(some, path) == {201: 2, 203: 1}
        assert {sample.status for sample in some.step().recent} == {201, 203}
        (row,) = rows_of(some.step(), path, "server")
        assert 41_470 < row.response_bytes < 41_470 + 3 * 100


def test_a_response_held_back_counts_at_the_end_of_the_run() -> None:
    path = new_path()
    with connected() as ends, watch(OURS, **SIZES) as some:
        exchange(*ends, request(path), response(200, bytes(1000)))
        assert status_of(some, path) == {}
        some.source.detach()
        assert status_of(some, path) == {200: 1}


def test_what_the_kernel_knows_can_be_mixed() -> None:
    """A host may be an address, which is no pattern here."""
    path = new_path()
    text = f"{OURS} and (status = 5xx or host = [::1],127.0.0.1 and not method = GET)"
    with connected() as ends, watch(text) as some:
        for method, host, status in (
            ("GET", "a", 500),
            ("GET", "[::1]", 200),
            ("POST", "[::1]:80", 201),
            ("POST", "[::2]", 202),
            ("POST", "127.0.0.1:80", 203),
            ("POST", ":", 204),
        ):
            head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"
            exchange(*ends, head.encode(), response(status))
        assert status_of(some, path) == {500: 1, 201: 1, 203: 1}


# ---- names and paths -------------------------------------------------------------------------


@pytest.mark.setting("general.process_name")
def test_rows_by_thread_names() -> None:
    path = new_path()
    program = f"""
import ctypes, socket, threading
libc = ctypes.CDLL(None)
a, b = socket.socketpair()
def serve(name):
    libc.prctl(15, name)
    for _ in range(2):
        a.sendall(b"GET {path} HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
        b.recv(1000)
        b.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
        a.recv(1000)
libc.prctl(15, b"the-process")
for name in (b"worker-one", b"worker-two"):
    thread = threading.Thread(target=serve, args=(name,))
    thread.start()
    thread.join()
"""
    for value, names in (
        ("process", {"the-process": 4}),
        ("thread", {"worker-one": 2, "worker-two": 2}),
    ):
        with watch(general__process_name=value) as some:
            subprocess.run([sys.executable, "-c", program], check=True)
            rows = some.rows(path, "server")
            assert {row.key.process: row.requests for row in rows} == names


@pytest.mark.setting("paths.id_rules")
@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        (("number",), {"deadbeef0", "ab12cd34ef56gh78ij90x"}),
        (("hex",), {"12345678", "2024-01-15", "ab12cd34ef56gh78ij90x"}),
    ],
)
def test_id_rules(rules: tuple[str, ...], kept: set[str]) -> None:
    """All three apply in every other test."""
    path = new_path()
    words = ("12345678", "2024-01-15", "deadbeef0", "ab12cd34ef56gh78ij90x")
    with connected() as ends, watch(OURS, paths__id_rules=rules) as some:
        for word in words:
            exchanges(ends, f"{path}/{word}", 200)
        found = {row.key.path.removeprefix(f"{path}/") for row in some.rows(path)}
        assert found == kept | {"{id}"}


@pytest.mark.setting("paths.templates", "paths.keep")
def test_paths_of_the_users_own() -> None:
    path = new_path()
    templates = (f"{path}/users/{{name}}/posts/{{id}}", f"{path}/x/*")
    with (
        connected() as ends,
        watch(OURS, paths__templates=templates, paths__keep=(f"{path}/files/*",)) as some,
    ):
        for rest in (
            "users/ann/posts/1",
            "users/bob/posts/2?a=b",
            "users/bob/posts",
            "users/bob/posts/2/3",
            "x/1",
            "x/word",
            "files/12345",
            "files/12345/6",
        ):
            exchanges(ends, f"{path}/{rest}", 200)
        found = {row.key.path.removeprefix(path): row.requests for row in some.rows(path, "server")}
        assert found == {
            "/users/{name}/posts/{id}": 2,
            "/users/bob/posts": 1,
            "/users/bob/posts/{id}/{id}": 1,
            "/x/{id}": 2,
            "/files/12345": 1,
            "/files/{id}/{id}": 1,
        }


# ---- help ------------------------------------------------------------------------------------


@contextmanager
def opened(kind: str, directory: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection that was really connected and accepted."""
    if kind != "unix":
        with connected(socket.AF_INET6 if kind == "six" else socket.AF_INET) as ends:
            yield ends
        return
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(directory / "socket"))
        listener.listen()
        with closing(socket.socket(socket.AF_UNIX)) as client:
            client.connect(str(directory / "socket"))
            server, _ = listener.accept()
            with server:
                yield client, server


def listening(address: str) -> AbstractContextManager[tuple[socket.socket, socket.socket]]:
    """A connection to another address of this host."""

    @contextmanager
    def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
        with socket.create_server((address, 0)) as listener:
            client = socket.create_connection(listener.getsockname())
            server, _ = listener.accept()
            with client, server:
                yield client, server

    return ends()


@pytest.fixture
def outer_address() -> str:
    """An address of this host that is no loopback address."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # sends nothing; the route tells the address
        except OSError:
            pytest.skip("this host has no address but loopback's")
        return str(probe.getsockname()[0])
