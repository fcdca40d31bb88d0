"""Bytes without a status line where a response is expected: whose they are is not known."""

from __future__ import annotations

import pytest

from tests.live.live import Watch, connected, exchange, receive, request, rows_of

pytestmark = pytest.mark.ebpf

BARE = b"<html>" + b"x" * 500


@pytest.mark.parametrize("kept", [False, True], ids=["a new connection", "after a response"])
@pytest.mark.parametrize("known", [False, True], ids=["once", "twice"])
def test_they_are_of_no_response(watch: Watch, path: str, known: bool, kept: bool) -> None:
    """The same request elsewhere has had responses of a kind, which these are not of."""
    head, others = request(path), 1 + known
    for _ in range(others):
        with connected() as (client, server):
            exchange(client, server, head)
    before = {row.key.side: row for row in rows_of(watch.step(), path)}
    with connected() as (client, server):
        if kept:
            exchange(client, server, request(f"{path}/first"))
        client.sendall(head)
        receive(server, len(head))
        for _ in range(2):
            server.sendall(BARE)
            assert receive(client, len(BARE)) == BARE
    rows = [row for row in rows_of(watch.step(), path) if row.key.path == path]
    assert len(rows) == 2
    for row in rows:
        assert (row.requests, row.status[200]) == (others + 1, others)
        assert row.response_bytes == before[row.key.side].response_bytes
        assert row.sending_total.count == before[row.key.side].sending_total.count
        assert row.duration_total.max_ns < 60e9
