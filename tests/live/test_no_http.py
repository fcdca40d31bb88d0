"""Streams that are no HTTP, and connections older than the probes: what is an orphan."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from httptop.config.scope import limited
from httptop.conformance import sockets
from httptop.conformance.case import Case, load_cases
from tests.live.live import (
    FRONTS,
    TAIL_CALLS,
    Watch,
    connected,
    connected_unix,
    exchange,
    new_path,
    receive,
    request,
    response,
)

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("no http")]

NO_HTTP = [case for case in load_cases() if case.group == "8-no-http"]
HEAD = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module", params=[*FRONTS, TAIL_CALLS])
def seeing(request: pytest.FixtureRequest) -> Iterator[Watch]:
    with Watch(scope=limited(f"pid = {os.getpid()}"), front=request.param) as watch:
        yield watch


@pytest.mark.parametrize("case", NO_HTTP, ids=lambda case: case.name)
def test_no_orphan_and_no_row(seeing: Watch, case: Case) -> None:
    before, path = seeing.step(), new_path()
    for kind in case.sockets:
        with sockets.connected(kind) as ends:
            sockets.perform(case, path, ends)
    after = seeing.step()
    assert after.health.orphan_responses == before.health.orphan_responses
    assert after.health.parse_errors == before.health.parse_errors
    assert after.totals["server"].requests == before.totals["server"].requests
    assert after.totals["client"].requests == before.totals["client"].requests


def test_all_beside_each_other(seeing: Watch) -> None:
    """A host of many protocols at once, HTTP among them: only that is counted."""
    before, path = seeing.step().health, new_path()
    with connected() as web:
        for case in NO_HTTP * 3:
            for kind in case.sockets:
                with sockets.connected(kind) as ends:
                    sockets.perform(case, path, ends, lambda: exchange(*web, request(path)))
    after = seeing.step().health
    assert after.orphan_responses == before.orphan_responses
    assert {row.key.path for row in seeing.rows(path)} == {path}
    (row,) = seeing.rows(path, "server")
    assert dict(row.status) == {200: row.requests}


def test_standard_output_is_no_connection(path: str) -> None:
    """What systemd gives a service, and Node its children, is a pair of sockets."""
    journal, service = socket.socketpair()
    text = HEAD.format(path).replace("\r\n", "\\r\\n") + "HTTP/1.1 200 OK\\r\\n\\r\\n"
    with Watch() as everything, journal, service:  # another process writes
        for number in (1, 2):
            command = [sys.executable, "-c", f"import os; os.write({number}, b'{text}')"]
            if number == 1:
                subprocess.run(command, check=True, stdout=service.fileno())
            else:
                subprocess.run(command, check=True, stderr=service.fileno())
            journal.recv(999)
        assert not everything.rows(path)


def test_a_service_writes_to_the_journal(seeing: Watch, path: str) -> None:
    """Both ends shut the way back, so no answer can come."""
    before = seeing.step().health
    with connected_unix() as (service, journal):
        service.shutdown(socket.SHUT_RD)
        for text in (HEAD.format(path), "HTTP/1.1 200 OK\r\n\r\n", HEAD.format(path)):
            service.sendall(text.encode())
            journal.recv(999)
    assert not seeing.rows(path)
    assert seeing.step().health.orphan_responses == before.orphan_responses


SOCKS5 = (
    ("client", b"\5\1\0"), ("server", b"\5\0"),
    ("client", b"\5\1\0\1\x7f\0\0\1\0\x50"), ("server", b"\5\0\0\1\x7f\0\0\1\0\x50"),
)  # fmt: skip
SOCKS5_WITH_PASSWORD = (
    ("client", b"\5\2\0\2"), ("server", b"\5\2"),
    ("client", b"\1\4user\4word"), ("server", b"\1\0"),
    ("client", b"\5\1\0\3\x0bexample.org\0\x50"), ("server", b"\5\0\0\1\0\0\0\0\0\0"),
)  # fmt: skip
SOCKS4 = (("client", b"\4\1\0\x50\x7f\0\0\1user\0"), ("server", b"\0\x5a\0\x50\x7f\0\0\1"))


@pytest.mark.parametrize("talk", [SOCKS5, SOCKS5_WITH_PASSWORD, SOCKS4], ids=["5", "5+", "4"])
def test_http_behind_socks_counts(seeing: Watch, path: str, talk: tuple[tuple[str, bytes]]) -> None:
    before = seeing.step().health
    with connected() as (client, server):
        for who, data in talk:
            ends = (client, server) if who == "client" else (server, client)
            ends[0].sendall(data)
            receive(ends[1], len(data))
        for _ in range(3):
            exchange(client, server, request(path))
    seeing.expect(path, {200: 3})
    assert seeing.step().health.orphan_responses == before.orphan_responses


def test_an_answer_to_a_request_older_than_the_probes_is_an_orphan(path: str) -> None:
    """On every kind of connection; what comes behind it counts."""
    pairs = [connected(), connected(socket.AF_INET6), connected_unix()]
    ends = [pair.__enter__() for pair in pairs]
    try:
        for client, server in ends:
            client.sendall(request(path + "/before"))
            receive(server, len(request(path + "/before")))
        with Watch(scope=limited(f"pid = {os.getpid()}")) as watch:
            before = watch.step().health.orphan_responses
            for client, server in ends:
                server.sendall(response())
                receive(client, len(response()))
                exchange(client, server, request(path + "/after"))
            watch.expect(path + "/after", {200: 3})
            assert not watch.rows(path + "/before")
            assert watch.step().health.orphan_responses == before + 2 * len(ends)
    finally:
        for pair in pairs:
            pair.__exit__(None, None, None)
