"""Every client against nginx and an aiohttp server: httptop's rows are the client's own count."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.live.live import Watch
from tests.zoo.clients import CLIENTS, Client
from tests.zoo.results import Cell, compare, responses_of, version_of
from tests.zoo.running import Server, running
from tests.zoo.servers import SERVERS

_AGAINST = [server for server in SERVERS if server.name in ("nginx", "aiohttp")]
#: These stop at a time or close what is still open: up to a request a connection is left over.
_LEAVES_SOME = {"wrk": 8, "autocannon": 8}


@pytest.mark.parametrize("server", _AGAINST, ids=lambda server: server.name)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name.replace(" ", "-"))
def test_client(
    watch: Watch, path: str, work: Path, cells: list[Cell], client: Client, server: Server
) -> None:
    """Both sides hold what went through, to the single request."""
    for name, needs in ((client.name, client.needs), (server.name, server.needs)):
        if not Path(needs).exists():
            pytest.skip(f"{name} is not installed")
    cell = Cell(server.name, version_of(server.version), client.name, version_of(client.version))
    cell.part = "clients"
    cells.append(cell)
    with running(server, work, (path,)) as one:
        sent = client.send(one.url(path), path)
        one.look()
        one.settle(path, sent.total())
    cell.io_uring = one.io_uring
    cell.holds(sent)
    left = Counter(
        {
            key: count
            for key, count in responses_of(watch.rows(path, "client")).items()
            if not key[2]
        }
    )
    assert left.total() <= _LEAVES_SOME.get(client.name, 0)
    cell.left_over = left.total()
    cell.client_side = compare(watch, path, "client", sent + left)
    gone = Counter(
        {
            key: count
            for key, count in responses_of(watch.rows(path, "server")).items()
            if not key[2]
        }
    )
    logged = one.logged(path)
    cell.server_side = compare(watch, path, "server", logged)
    if cell.server_side != "equal" and left:
        # Left over by the client, and not answered: some servers log that with a status.
        cell.server_side = compare(watch, path, "server", logged + gone)
    assert (cell.server_side, cell.client_side) == ("equal", "equal")
