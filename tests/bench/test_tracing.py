"""What the bench attaches and detaches under living connections."""

from __future__ import annotations

import pytest

from bench.tracing import detach
from httptop.linux import bpf_syscall
from tests.live.live import Watch, connected, exchange, new_path, receive, request, response

pytestmark = pytest.mark.ebpf


def test_a_detached_set_of_probes_knows_no_connection() -> None:
    path = new_path()
    with Watch() as watch, connected() as (client, server):
        exchange(client, server, request(path), response())
        client.sendall(request(path) * 2)
        receive(server, 2 * len(request(path)))
        watch.expect(path, {200: 1}, in_flight=2)
        detach(watch.probes)
        for name in ("conns", "queue"):
            map_fd = watch.probes.maps[name]
            assert not list(bpf_syscall.map_keys(map_fd, bpf_syscall.map_info(map_fd)[2]))
        server.sendall(2 * response())  # missed
        receive(client, 2 * len(response()))
        watch.probes.attach()
        exchange(client, server, request(path), response(201))
        assert watch.rows(path, "client")[0].status == {200: 1, 201: 1}
