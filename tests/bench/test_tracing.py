"""What the bench attaches and detaches under living connections."""

from __future__ import annotations

import pytest

from bench.tracing import attach
from tests.live.live import Watch, connected, exchange, new_path, receive, request, response

pytestmark = pytest.mark.ebpf


def test_attached_probes_know_no_connection() -> None:
    path = new_path()
    with Watch() as watch, connected() as (client, server):
        client.sendall(request(path) * 3)
        receive(server, 3 * len(request(path)))
        watch.expect(path, {}, in_flight=3)
        watch.probes.detach()
        server.sendall(3 * response())  # missed
        receive(client, 3 * len(response()))
        attach(watch.probes)
        for status in (201, 202):
            exchange(client, server, request(path), response(status))
            (row,) = watch.rows(path, "client")
            assert (row.status[status], row.in_flight) == (1, 3)
