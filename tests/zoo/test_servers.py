"""Every server under the standard set: httptop's rows are the server's own log."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.live.live import Watch
from tests.zoo.results import Cell, compare, version_of
from tests.zoo.running import Responses, Running, Server, running
from tests.zoo.servers import SERVERS
from tests.zoo.standard import by_curl, by_python

_AB_REQUESTS = 2003


def _by_ab(server: Running, path: str, _work: Path) -> Responses:
    command = ["ab", "-q", "-k", "-n", str(_AB_REQUESTS), "-c", "8", server.url(f"{path}/ok")]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert re.search(rf"Complete requests:\s+{_AB_REQUESTS}\b", said), said
    assert "Non-2xx" not in said, said
    return Counter({("GET", f"{path}/ok", 200): _AB_REQUESTS})


_LOADS = {
    "curl": (by_curl, ("curl", "--version")),
    "http.client": (by_python, ("python3", "--version")),
    "ab": (_by_ab, ("ab", "-V")),
}


@pytest.mark.parametrize("load", list(_LOADS))
@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name.replace(" ", "-"))
def test_server(
    watch: Watch, path: str, work: Path, cells: list[Cell], server: Server, load: str
) -> None:
    """Both sides hold what went through, to the single request."""
    if not Path(server.needs).exists():
        pytest.skip(f"{server.name} is not installed")
    send, client_version = _LOADS[load]
    cell = Cell(server.name, version_of(server.version), load, version_of(client_version))
    cells.append(cell)
    with running(server, work, (path,)) as one:
        sent = send(one, path, work)
        one.look()
        one.settle(path, sum(count for (_, _, status), count in sent.items() if status))
    cell.io_uring = one.io_uring
    cell.holds(sent)
    behind = "nginx" if server.behind else ""
    cell.server_side = compare(watch, path, "server", one.logged(path), without=behind)
    through = "haproxy" if server.behind else ""
    cell.client_side = compare(watch, path, "client", sent, without=through)
    assert (cell.server_side, cell.client_side) == ("equal", "equal")
    if server.behind:
        log = one.logged_behind(path)
        assert log
        assert compare(watch, path, "server", log, process=behind) == "equal"
        assert compare(watch, path, "client", log, process=through) == "equal"
