"""The requests in flight: against a server that hangs some of them."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from dataclasses import replace
from typing import Final

import pytest

from httptop.app import HttptopApp
from httptop.bpf import in_flight
from httptop.config.load import build
from httptop.config.scope import scope_of
from httptop.config.settings import DEFAULTS
from httptop.model import SIDES, UNIX_PEER, Side
from httptop.widgets.in_flight_table import InFlightTable
from tests.live.live import (
    SOCKETS,
    SYSCALLS,
    TAIL_CALLS,
    Watch,
    connected,
    connected_unix,
    exchange,
    new_path,
    receive,
    request,
    response,
    rows_of,
)
from tests.live.test_layout import _ask
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ebpf

each_front = pytest.mark.parametrize("front", [SOCKETS, SYSCALLS, TAIL_CALLS])

ASKING: Final = replace(DEFAULTS, output=replace(DEFAULTS.output, in_flight=True))


class HangingServer:
    """Answers a request at once, unless its path says that it hangs."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = self._listener.getsockname()
        self._ends: list[socket.socket] = []
        self.held_ns: list[int] = []  # when it had read those that hang
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                end, _ = self._listener.accept()
            except OSError:
                return
            self._ends.append(end)
            if b"/hang" not in end.recv(4096):
                end.sendall(response())
            else:
                self.held_ns.append(time.monotonic_ns())

    def close(self) -> None:
        """End all connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(PATIENCE_S)
        for end in (self._listener, *self._ends):
            end.close()


@each_front
def test_those_that_hang_and_their_ages(front: str) -> None:
    path = new_path()
    clients: list[socket.socket] = []
    begun_ns: list[int] = []  # those that hang, oldest first
    sent_ns: list[int] = []
    with Watch(ASKING, front=front) as watch:
        server = HangingServer()
        try:
            for number in range(100):
                hangs = number % 5 == 3
                source = (f"127.0.0.{2 + number % 3}", 0)
                client = socket.create_connection(server.address, 5, source)
                clients.append(client)
                begins_ns = time.monotonic_ns()
                client.sendall(request(f"{path}/{'hang' if hangs else 'fine'}"))
                if not hangs:
                    receive(client, len(response()))
                    continue
                begun_ns.append(begins_ns)
                sent_ns.append(time.monotonic_ns())
                if len(sent_ns) % 5 == 0:
                    time.sleep(0.03)
            deadline_ns = time.monotonic_ns() + int(PATIENCE_S * 1e9)
            while True:
                before_ns = time.monotonic_ns()
                snapshot = watch.step()
                now_ns = time.monotonic_ns()
                found = {
                    side: [
                        one
                        for one in snapshot.in_flight or ()
                        if one.key.path.startswith(path) and one.key.side == side
                    ]
                    for side in SIDES
                }
                if len(found["server"]) == 20 or now_ns > deadline_ns:
                    break
                time.sleep(0.01)
            assert len(begun_ns) == 20
            seen_ns: dict[Side, list[int]] = {"server": server.held_ns, "client": sent_ns}
            for side in SIDES:
                ages_ns = [one.age_ns for one in found[side]]
                assert ages_ns == sorted(ages_ns, reverse=True)
                for age_ns, from_ns, to_ns in zip(ages_ns, begun_ns, seen_ns[side], strict=True):
                    assert before_ns - to_ns <= age_ns <= now_ns - from_ns
                assert {one.key.path for one in found[side]} == {f"{path}/hang"}
                assert {one.pid for one in found[side]} == {os.getpid()}
                assert {one.peer_pid for one in found[side]} == {os.getpid()}
                assert {one.peer_process for one in found[side]} == {found[side][0].key.process}
                (row,) = rows_of(snapshot, f"{path}/hang", side)
                assert row.in_flight == 20
                assert row.oldest_in_flight_ns == found[side][0].age_ns
                (row,) = rows_of(snapshot, f"{path}/fine", side)
                assert (row.in_flight, row.oldest_in_flight_ns) == (0, None)
            peers = [one.peer for one in found["server"]]
            assert sorted(set(peers)) == [f"127.0.0.{n}" for n in (2, 3, 4)]
            assert {one.peer for one in found["client"]} == {"127.0.0.1"}
        finally:
            for client in clients:
                client.close()
            server.close()
        gone = watch.until(
            lambda seen: not any(one.key.path.startswith(path) for one in seen.in_flight or ())
        )
        assert gone.in_flight is not None


async def test_the_screen_lists_what_hangs() -> None:
    """Of 20 requests 5 hang: these are listed, the oldest first, and get older."""
    path = new_path()
    clients: list[socket.socket] = []
    with Watch() as watch:
        watch.collector.look_in_flight(True)
        server = HangingServer()
        app = HttptopApp()
        try:
            for number in range(20):
                hangs = number % 4 == 1
                client = socket.create_connection(server.address, 5, ("127.0.0.1", 0))
                clients.append(client)
                client.sendall(request(f"{path}/{'hang' if hangs else 'fine'}"))
                if not hangs:
                    receive(client, len(response()))
            watch.until(lambda _: len(server.held_ns) == 5)
            async with app.run_test(size=(120, 40)) as pilot:
                app.change_view(path_filter=path)
                app.publish(watch.step())
                await pilot.press("i")
                listed = app.screen.query_one(InFlightTable)
                while not listed.listed:
                    await pilot.pause()
                first = listed.listed
                assert [one.request.key.path for one in first] == [f"{path}/hang"] * 5
                assert {one.request.pid for one in first} == {os.getpid()}
                assert {one.request.peer for one in first} == {"127.0.0.1"}
                time.sleep(0.1)
                app.publish(watch.step())
                while listed.listed == first:
                    await pilot.pause()
                assert [one.identity for one in listed.listed] == [one.identity for one in first]
                grown_ns = [
                    now.request.age_ns - then.request.age_ns
                    for now, then in zip(listed.listed, first, strict=True)
                ]
                assert min(grown_ns) > 0.1e9
                assert max(grown_ns) - min(grown_ns) < 1e3
        finally:
            for client in clients:
                client.close()
            server.close()


@each_front
def test_each_request_of_a_pipeline(front: str) -> None:
    path = new_path()
    with Watch(ASKING, front=front) as watch, connected_unix() as (client, server):
        for word in "abc":
            client.sendall(request(f"{path}/{word}"))
            receive(server, len(request(f"{path}/{word}")))
            time.sleep(0.02)
        server.sendall(response())
        receive(client, len(response()))
        found = [one for one in watch.step().in_flight or () if one.key.path.startswith(path)]
        for side in SIDES:
            some = [one for one in found if one.key.side == side]
            assert [one.key.path for one in some] == [f"{path}/b", f"{path}/c"]
            assert some[0].age_ns - some[1].age_ns > 15e6
            assert {one.peer for one in some} == {UNIX_PEER}
            assert {(one.peer_process, one.peer_pid) for one in some} == {("", None)}


def test_a_filter_that_selects_both_ends_leaves_each_known_to_the_other() -> None:
    path = new_path()
    scope = scope_of(build({"filter.network.exclude_ports": (1,)}).filter)
    with Watch(ASKING, scope) as watch, connected() as (client, server):
        client.sendall(request(path))
        receive(server, len(request(path)))
        found = [one for one in watch.step().in_flight or () if one.key.path == path]
    assert sorted((one.key.side, one.peer_pid) for one in found) == [
        ("client", os.getpid()),
        ("server", os.getpid()),
    ]


def test_nobody_has_asked() -> None:
    path = new_path()
    with Watch() as watch, connected() as (client, server):
        exchange(client, server, request(path))
        client.sendall(request(path))
        receive(server, len(request(path)))
        snapshot = watch.step()
        assert snapshot.in_flight is None
        (row,) = rows_of(snapshot, path, "server")
        assert (row.in_flight, row.oldest_in_flight_ns) == (1, None)


@pytest.mark.parametrize("defines", [{}, {"FILTER": 1}, {"FILTER": 1, "FILTER_SIZE": 1}])
def test_what_is_read_stands_where_it_is_read(defines: dict[str, int]) -> None:
    """The formats agree with struct conn, whatever a filter adds to it."""
    members = {
        in_flight.CONN: (
            "conn", (
                *("tgid", "pending", "start_ns", "port", "current"),
                *("who.family", "who.address", "client_port"),
            ),
        ),
        in_flight.QUEUED: ("queued", ("start_ns", "bytes", "party", "endpoint")),
        in_flight.QUEUE_KEY: ("queue_key", ("of", "number")),
    }  # fmt: skip
    for format_, (name, wanted) in members.items():
        offsets, at = [], 0
        for count, code in re.findall(r"(\d*)([a-zA-Z])", format_.format):
            size = {"x": 1, "s": 1, "H": 2, "I": 4, "Q": 8}[code]
            if code == "x":
                at += int(count or 1)
                continue
            for _ in range(1 if code == "s" else int(count or 1)):
                offsets.append(at)
                at += int(count) if code == "s" else size
        told = _ask(
            [f"__builtin_offsetof(struct {name}, {member})" for member in wanted], **defines
        )
        assert offsets == told
        if name != "conn":
            assert _ask([f"sizeof(struct {name})"], **defines) == [format_.size]
