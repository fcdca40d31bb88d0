"""The time that requests lie in their sockets, ready, until the server reads them.

No bound here is a speed: a pause of ours is in a wait or it is not, and no wait is longer than our
own clock says.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from httptop.bpf.abi import READY
from httptop.config.scope import Scope, limited
from httptop.linux import bpf_syscall
from httptop.model import NO_LATENCY, Latency
from tests.live.live import (
    Watch,
    connected,
    connected_unix,
    exchange,
    new_path,
    receive,
    request,
    response,
)
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ebpf

PAUSE_S = 0.05
PAUSED_NS = 0.9 * PAUSE_S * 1e9
Ends = tuple[socket.socket, socket.socket]
FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


def pause() -> None:
    threading.Event().wait(PAUSE_S)


@contextlib.contextmanager
def listening(family: int) -> Iterator[socket.socket]:
    """A socket that clients can connect to; nobody accepts unless the test does."""
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        if family == socket.AF_UNIX:
            listener.bind(f"\0httptop-{os.getpid()}-{new_path()}")
        else:
            listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        listener.listen()
        yield listener


def ask(listener: socket.socket, data: bytes) -> socket.socket:
    """Connect and send."""
    client = socket.socket(listener.family, socket.SOCK_STREAM)
    client.settimeout(PATIENCE_S)
    client.connect(listener.getsockname())
    client.sendall(data)
    return client


@contextlib.contextmanager
def ends_of(family: int, *, known: bool = True) -> Iterator[Ends]:
    """Two ends of a connection that is tracked already, unless it is not to be ``known``.

    Until then what is noted of it may give way to another socket's, and its first wait is unknown.
    """
    with connected_unix() if family == socket.AF_UNIX else connected(family) as ends:
        if known:
            exchange(*ends, request(new_path()))
        yield ends


def serve(ends: Ends, size: int, status: int = 200) -> None:
    """Read ``size`` bytes and send a response."""
    client, server = ends
    receive(server, size)
    server.sendall(response(status))
    receive(client, len(response(status)))


@contextlib.contextmanager
def looking(watch: Watch) -> Iterator[None]:
    watch.source.note_waits(True)
    try:
        yield
    finally:
        watch.source.note_waits(False)


def wait_of(watch: Watch, path: str, requests: int) -> Latency:
    """Return the waits once all of these requests have responses; a client never has any."""
    watch.until(
        lambda shot: all(
            sum(row.latency_total.count for row in shot.endpoints if row.key == one.key) >= requests
            for one in shot.endpoints
            if one.key.path == path
        )
    )
    methods = {row.key.method for row in watch.rows(path, "client")}
    assert all(watch.row(path, "client", method).wait_total == NO_LATENCY for method in methods)
    (method,) = methods
    row = watch.row(path, method=method)
    assert row.requests == requests
    return row.wait_total


@pytest.mark.parametrize("family", FAMILIES)
def test_before_the_connection_is_accepted_and_later(watch: Watch, path: str, family: int) -> None:
    for turn in "abc":
        here = f"{path}/{turn}"
        with looking(watch), listening(family) as listener:
            began_s = time.monotonic()
            with ask(listener, request(here)) as client:
                pause()
                server, _ = listener.accept()
                with server:
                    serve((client, server), len(request(here)))
                    for _ in range(3):
                        client.sendall(request(here))
                        pause()
                        serve((client, server), len(request(here)))
            spent_ns = (time.monotonic() - began_s) * 1e9
        wait = wait_of(watch, here, 4)
        assert wait.count in (3, 4)
        if wait.count == 4:
            break  # else another socket has been given the slot of the one that was not accepted
    assert wait.count == 4
    assert wait.p50_ns >= PAUSED_NS
    assert 4 * PAUSED_NS <= wait.mean_ns * 4 <= spent_ns


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_reader(watch: Watch, path: str, family: int) -> None:
    spent_ns = 0.0
    with looking(watch), ends_of(family) as ends:
        for _ in range(20):
            began_s = time.monotonic()
            ends[0].sendall(request(path))
            receive(ends[1], len(request(path)))
            spent_ns += (time.monotonic() - began_s) * 1e9
            ends[1].sendall(response())
            receive(ends[0], len(response()))
    # On a busy machine a reader may be done before it is noted that there was something to read.
    wait = wait_of(watch, path, 20)
    assert 18 <= wait.count <= 20
    assert wait.mean_ns * wait.count <= spent_ns


@pytest.mark.parametrize("family", FAMILIES)
def test_read_after_the_window(watch: Watch, path: str, family: int) -> None:
    """Long waits are not cut off; what comes when nobody looks has none."""
    with ends_of(family) as ends:
        for _ in range(3):
            with looking(watch):
                ends[0].sendall(request(path))
            pause()
            serve(ends, len(request(path)))
            ends[0].sendall(request(path))
            pause()
            serve(ends, len(request(path)))
    wait = wait_of(watch, path, 6)
    assert wait.count == 3
    assert wait.p50_ns >= PAUSED_NS


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_ready_before_the_window(watch: Watch, path: str, family: int, again: bool) -> None:
    """What follows in the window does not make the wait a shorter one."""
    head = request(path)
    with ends_of(family) as ends:
        if again:
            ends[0].sendall(head)
            serve(ends, len(head))
        ends[0].sendall(head[:20])
        pause()
        with looking(watch):
            ends[0].sendall(head[20:])
        serve(ends, len(head))
    assert wait_of(watch, path, 1 + again) == NO_LATENCY


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_end_of_the_stream_in_the_window(
    watch: Watch, path: str, family: int, again: bool
) -> None:
    with ends_of(family) as ends:
        if again:
            ends[0].sendall(request(path))
            serve(ends, len(request(path)))
        ends[0].sendall(request(path))
        pause()
        with looking(watch):
            ends[0].shutdown(socket.SHUT_WR)
        serve(ends, len(request(path)))
    assert wait_of(watch, path, 1 + again) == NO_LATENCY


@pytest.mark.parametrize("family", FAMILIES)
def test_a_client_that_has_nothing_more_to_say(watch: Watch, path: str, family: int) -> None:
    with looking(watch), ends_of(family) as ends:
        ends[0].sendall(request(path))
        pause()
        ends[0].shutdown(socket.SHUT_WR)
        pause()
        serve(ends, len(request(path)))
    wait = wait_of(watch, path, 1)
    assert wait.count == 1
    assert wait.max_ns >= 2 * PAUSED_NS


@pytest.mark.parametrize("family", FAMILIES)
def test_bodies_do_not_wait(watch: Watch, path: str, family: int) -> None:
    head = request(path, "POST", "Content-Length: 1000")
    with ends_of(family) as ends:
        for number in range(4):
            looked_at = number % 2 == 0
            with looking(watch) if looked_at else contextlib.nullcontext():
                ends[0].sendall(head)
                receive(ends[1], len(head))
            with looking(watch):
                ends[0].sendall(bytes(500))
                pause()
                receive(ends[1], 500)
                ends[0].sendall(bytes(500))
            pause()
            serve(ends, 500)
    wait = wait_of(watch, path, 4)
    assert wait.count == 2
    assert wait.max_ns < PAUSED_NS


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_first_of_a_pipeline(watch: Watch, path: str, family: int, at_once: bool) -> None:
    """The others may have come later than the first, and wait for responses, too."""
    head = request(path)
    with looking(watch), ends_of(family) as ends:
        for _ in range(2):
            ends[0].sendall(head * 3)
            pause()
            if at_once:
                receive(ends[1], 3 * len(head))
                ends[1].sendall(response() * 3)
                receive(ends[0], 3 * len(response()))
            else:
                for _ in range(3):
                    serve(ends, len(head))
    wait = wait_of(watch, path, 6)
    assert wait.count == 2
    assert wait.p50_ns >= PAUSED_NS


@pytest.mark.parametrize("family", FAMILIES)
def test_a_reader_that_looks_first(watch: Watch, path: str, family: int) -> None:
    """A look takes nothing, nor does the kernel's saying it again: the wait goes on to the read."""
    with looking(watch), ends_of(family) as ends:
        for _ in range(2):
            ends[0].sendall(request(path))
            ends[1].recv(1000, socket.MSG_PEEK)
            pause()
            ends[1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            ends[1].recv(5)
            serve(ends, len(request(path)) - 5)
    wait = wait_of(watch, path, 2)
    assert wait.count == 2
    assert wait.mean_ns >= PAUSED_NS


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_socket_in_the_place_of_another(
    watch: Watch, path: str, family: int, accepted: bool
) -> None:
    """The kernel gives the memory of one that was never read to the next one."""
    with listening(family) as listener:
        for _ in range(50):
            with looking(watch), ask(listener, request(path)):
                if accepted:
                    listener.accept()[0].close()
            if not accepted:
                listener.accept()[0].close()
            with ask(listener, request(path)) as client:
                server, _ = listener.accept()
                with server:
                    serve((client, server), len(request(path)))
    assert wait_of(watch, path, 50) == NO_LATENCY


@pytest.mark.parametrize("family", FAMILIES)
def test_what_was_read_before_the_first_request(watch: Watch, path: str, family: int) -> None:
    first = b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n"
    with ends_of(family, known=False) as ends:
        with looking(watch):
            ends[0].sendall(first)
        receive(ends[1], len(first))
        pause()
        ends[0].sendall(request(path))
        serve(ends, len(request(path)))
    assert wait_of(watch, path, 1) == NO_LATENCY


@pytest.mark.parametrize("condition", ["status = 404", "size > 10 and status = 404"])
def test_only_responses_that_are_meant(path: str, condition: str) -> None:
    scope = limited(f"pid = {os.getpid()} and {condition}")
    with Watch(scope=scope) as watch, looking(watch), ends_of(socket.AF_INET) as ends:
        assert watch.notes == ()
        for status in (404, 200, 404, 200):
            ends[0].sendall(request(path))
            pause()
            serve(ends, len(request(path)), status)
        watch.until(lambda shot: any(row.wait_total.count == 2 for row in shot.endpoints))
        assert watch.row(path).wait_total.p50_ns >= PAUSED_NS


@pytest.mark.xdist_group("system calls")
def test_where_it_cannot_be_seen(path: str) -> None:
    """With the front for older kernels there is no wait, and no error is reported."""
    with Watch(front="syscalls") as watch, looking(watch), connected() as ends:
        ends[0].sendall(request(path))
        serve(ends, len(request(path)))
        assert wait_of(watch, path, 1) == NO_LATENCY
        assert watch.notes == ()
        assert READY not in watch.probes.programs


def test_where_no_server_is_looked_at() -> None:
    with Watch(scope=Scope(sides=frozenset({"client"}))) as watch, looking(watch):
        assert READY not in watch.probes.programs


def test_what_is_noted_of_a_packet_tells_no_address(watch: Watch) -> None:
    """A Unix socket's packet is known by its address, and user space can read what is noted."""
    conns = watch.probes.maps["conns"]
    _, _, key_len, value_len, *_ = bpf_syscall.map_info(conns)
    with looking(watch), ends_of(socket.AF_UNIX) as (client, server):
        client.sendall(request(new_path()))
        read = bpf_syscall.BatchReader(conns, key_len, value_len, 256).read
        words = [
            word
            for table in read()
            for word in struct.unpack(f"<{len(table) // 8}Q", table[: len(table) // 8 * 8])
        ]
        server.recv(4096)
    # The kernel's half but for its last, where small negative numbers are; and aligned.
    upper = [word for word in words if word >> 47 == (1 << 17) - 1 and word < 2**64 - 2**24]
    found = [hex(word) for word in upper if word % 8 == 0]
    assert words
    assert not found
