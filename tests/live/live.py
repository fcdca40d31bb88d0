"""The probes at work, a step at a time, and connections to watch them with."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import pytest

from httptop.bpf.build.child import Probes
from httptop.bpf.build.variants import PREEMPTIBLE_KERNEL, kernel_release
from httptop.bpf.plan import plan_of
from httptop.bpf.source import LiveSource
from httptop.collect.governor import controls_of
from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS, Settings
from httptop.conformance.live import SteppedRun
from httptop.linux.btf import VMLINUX
from httptop.linux.cpus import possible_cpus
from httptop.linux.perf_event import number_of
from httptop.model import EndpointStats, Side, Snapshot
from httptop.view.rows import rows_where
from tests.live.pool import AfreshSource, cached
from tests.patience import PATIENCE_S


def _has_tracepoint(name: str) -> bool:
    return VMLINUX.exists() and f"\0btf_trace_{name}\0".encode() in VMLINUX.read_bytes()


#: Both ways to see bytes, as far as this kernel has them; the second is for kernels without the
#: tracepoints of the first. One process has the tests of the second, so that its probes are loaded
#: once.
SOCKETS: Final = pytest.param(
    "sockets",
    marks=pytest.mark.skipif(not _has_tracepoint("sock_send_length"), reason="before Linux 6.3"),
)
#: As where programs can be preempted, which this kernel may never do; the first as perf's programs.
RECORDS: Final = pytest.param(
    "records",
    marks=[
        pytest.mark.xdist_group("preemptible"),
        pytest.mark.skipif(number_of("sock_send_length") is None, reason="no tracefs"),
    ],
)
TRIPLES: Final = pytest.param(
    "triples", marks=[*SOCKETS.marks, pytest.mark.xdist_group("preemptible")]
)
SYSCALLS: Final = pytest.param("syscalls", marks=pytest.mark.xdist_group("system calls"))
FRONTS: Final = (SOCKETS, SYSCALLS)
#: With tail calls in place of loops, as Linux 5.15 and 5.16 have it. Where programs can be
#: preempted they turn that off, and the kernel allows no tail calls meanwhile.
TAIL_CALLS: Final = pytest.param(
    "tail calls",
    marks=[
        pytest.mark.xdist_group("system calls"),
        pytest.mark.skipif(kernel_release() >= PREEMPTIBLE_KERNEL, reason="before Linux 7.0"),
    ],
)
WAYS: Final = (*FRONTS, RECORDS, TRIPLES, TAIL_CALLS)

EVERYTHING: Final = Scope()

_cases = itertools.count()


def new_path() -> str:
    """Return a path that no other test uses, nor other tests on this host; no id is in it."""
    ours, case = (
        "".join(chr(97 + number // 26**at % 26) for at in range(5))
        for number in (os.getpid(), next(_cases))
    )
    return f"/case-{ours}-{case}"


class Watch(SteppedRun):
    """The probes at work, a step at a time; rows are found by their paths.

    Probes of the same plan are loaded once and used again, unless they are to be ``fresh``.
    """

    def __init__(
        self,
        settings: Settings = DEFAULTS,
        scope: Scope = EVERYTHING,
        front: str | None = None,
        *,
        fresh: bool = False,
        exported: bool = False,
        own_pid: int = 0,
    ) -> None:
        plan = plan_of(settings, scope, possible_cpus(), own_pid=own_pid)
        if front == "tail calls":
            plan = dataclasses.replace(plan, front="syscalls", loops=False)
        else:
            plan = dataclasses.replace(plan, front=front)
        plan = cached(plan)
        # Rules of paths and containers stay in the maps.
        fresh = fresh or bool(
            settings.paths.templates or settings.paths.keep or plan.conditions.containers
        )
        controls = controls_of(settings)
        source = LiveSource(plan, controls) if fresh else AfreshSource(plan, controls)
        super().__init__(source, settings, scope, exported=exported)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what cannot be seen."""
        return self.source.notes

    @property
    def probes(self) -> Probes:
        """The loaded probes."""
        probes = self.source._probes
        assert probes is not None
        return probes

    def until(
        self, met: Callable[[Snapshot], bool], timeout_s: float = PATIENCE_S, what: str = ""
    ) -> Snapshot:
        """Take snapshots until one meets a condition."""
        deadline = time.monotonic() + timeout_s
        while True:
            snapshot = self.step()
            if met(snapshot):
                return snapshot
            assert time.monotonic() < deadline, f"{what or 'that'} did not come about"
            time.sleep(0.005)

    def rows(self, path: str, side: Side | None = None) -> list[EndpointStats]:
        """Return the rows whose path begins so."""
        return rows_of(self.step(), path, side)

    def row(self, path: str, side: Side = "server", method: str = "GET") -> EndpointStats:
        """Return the one row with this path."""
        found = [row for row in self.rows(path, side) if row.key.method == method]
        assert len(found) == 1, found
        return found[0]

    def expect(
        self,
        path: str,
        status: Mapping[int, int],
        *,
        sides: tuple[Side, ...] = ("server", "client"),
        unanswered: int = 0,
        in_flight: int = 0,
        timeout_s: float = PATIENCE_S,
    ) -> None:
        """Wait until the rows whose path begins so add up to this, on each side."""
        wanted = {side: (dict(status), unanswered, in_flight) for side in sides}
        deadline = time.monotonic() + timeout_s
        while True:
            snapshot = self.step()
            found = {side: sums_of(rows_of(snapshot, path, side)) for side in sides}
            if found == wanted or time.monotonic() > deadline:
                break
            time.sleep(0.005)
        assert found == wanted, [show(row) for row in rows_of(snapshot, path)]


def rows_of(snapshot: Snapshot, path: str, side: Side | None = None) -> list[EndpointStats]:
    """Return the rows whose path begins so."""
    return rows_where(
        snapshot.endpoints, lambda key: key.path.startswith(path) and side in (None, key.side)
    )


def sums_of(rows: list[EndpointStats]) -> tuple[dict[int, int], int, int]:
    """Return (status codes, unanswered, in flight) of some rows, after a check of their sums."""
    status: dict[int, int] = {}
    for row in rows:
        assert sum(row.status.values()) + row.unanswered == row.requests, row
        for code, count in row.status.items():
            status[code] = status.get(code, 0) + count
    return status, sum(row.unanswered for row in rows), sum(row.in_flight or 0 for row in rows)


def show(row: EndpointStats) -> str:
    """Return what matters of a row."""
    key = row.key
    return (
        f"{key.side} {key.process} {key.protocol} {key.method} {key.path}: {dict(row.status)}"
        f" unanswered {row.unanswered} in flight {row.in_flight}"
        f" bytes {row.request_bytes}/{row.response_bytes}"
    )


@contextlib.contextmanager
def connected(
    family: int = socket.AF_INET,
    *,
    source: str = "",
    port: int = 0,
    listener: socket.socket | None = None,
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a TCP connection on loopback: the client's, the server's.

    ``source``: the client's address; ``port``: a number for one of our ports, 0 to 9;
    ``listener``: what accepts, of which nobody else may take connections meanwhile.
    """
    listener = listener or _listening.at(family, port)
    with socket.socket(family, socket.SOCK_STREAM) as client:
        if source:
            client.bind((source, 0))
        client.connect(listener.getsockname())
        server, peer = listener.accept()
        while peer != client.getsockname():  # of a test that failed
            server.close()
            server, peer = listener.accept()
        with server:
            for end in (client, server):
                end.settimeout(PATIENCE_S)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield client, server


class _Listening(threading.local):
    """Each thread of each process has its own ports: it accepts what it has connected itself."""

    def __init__(self) -> None:
        self._pid, self._at = 0, dict[tuple[int, int], socket.socket]()

    def at(self, family: int, port: int) -> socket.socket:
        if self._pid != os.getpid():
            self._pid, self._at = os.getpid(), {}
        if (family, port) not in self._at:
            address = "::1" if family == socket.AF_INET6 else "127.0.0.1"
            self._at[family, port] = socket.create_server((address, 0), family=family)
        return self._at[family, port]


_listening = _Listening()


@contextlib.contextmanager
def connected_unix() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a Unix stream socket."""
    client, server = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with client, server:
        yield client, server


def request(path: str, method: str = "GET", *headers: str, version: str = "1.1") -> bytes:
    """Return a request head."""
    lines = (f"{method} {path} HTTP/{version}", "Host: test", *headers, "", "")
    return "\r\n".join(lines).encode()


def response(status: int = 200, body: bytes = b"", *headers: str) -> bytes:
    """Return a whole response with a Content-Length."""
    lines = (f"HTTP/1.1 {status} Some", f"Content-Length: {len(body)}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


def receive(end: socket.socket, size: int) -> bytes:
    """Receive exactly ``size`` bytes."""
    data = b""
    while len(data) < size:
        more = end.recv(size - len(data))
        assert more, "the other end has closed"
        data += more
    return data


def exchange(
    client: socket.socket, server: socket.socket, head: bytes, reply: bytes | None = None
) -> None:
    """Send a request and its response through a connection, each in one piece."""
    reply = response() if reply is None else reply
    client.sendall(head)
    assert receive(server, len(head)) == head
    server.sendall(reply)
    assert receive(client, len(reply)) == reply
