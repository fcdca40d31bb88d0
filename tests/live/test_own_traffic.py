"""httptop's own traffic is left out, and nobody else's."""

from __future__ import annotations

import os

import pytest

from httptop.config.load import build
from httptop.model import SIDES
from httptop.run.outputs import own_pid_of
from tests.live.live import (
    SOCKETS,
    SYSCALLS,
    TAIL_CALLS,
    Watch,
    connected,
    exchange,
    new_path,
    receive,
    request,
    response,
)

pytestmark = pytest.mark.ebpf


@pytest.mark.parametrize("front", [SOCKETS, SYSCALLS, TAIL_CALLS])
def test_a_process_is_left_out_on_both_sides_and_who_it_talks_to_is_not(front: str) -> None:
    served, asked = new_path(), new_path()
    with Watch(front=front, own_pid=os.getpid()) as watch, connected() as (client, server):
        exchange(client, server, request(served))
        pid = os.fork()
        if not pid:  # another process: it asks for one, and serves the other
            client.sendall(request(asked))
            receive(client, len(response()))
            os._exit(0)
        assert receive(server, len(request(asked))) == request(asked)
        server.sendall(response(204))
        os.waitpid(pid, 0)
        watch.expect(asked, {204: 1}, sides=("client",))
        assert not watch.rows(served)
        assert not watch.rows(asked, "server")


@pytest.mark.setting("filter.events.own")
@pytest.mark.parametrize(
    ("own", "to", "counted"),
    [
        (False, "tcp://127.0.0.1:5140", {}),
        (True, "tcp://127.0.0.1:5140", {200: 1}),
        (False, "/tmp/requests.log", {200: 1}),  # what has no traffic costs nothing
    ],
)
def test_it_is_left_out_where_outputs_have_some_unless_asked_for(
    own: bool, to: str, counted: dict[int, int]
) -> None:
    settings = build({"filter.events.own": own, "request_log.to": [to]})
    path = new_path()
    with Watch(own_pid=own_pid_of(settings)) as watch, connected() as (client, server):
        exchange(client, server, request(path))
        watch.expect(path, counted, sides=SIDES)
