"""The probes without one of their parts, whose cost the bench measures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bench.parts import NO_HEADS, NO_PARTIES, WHOLE, PartProbes, load
from bench.without_parties import without_parties
from httptop.config.settings import DEFAULTS
from httptop.model import OTHER_PEERS, OTHER_PIDS, UNIX_PEER
from tests.live.live import connected_unix, exchange, new_path, response
from tests.live.pool import cache_directory

FIELDS = [f"X-Field-{number}: {number * 7}" for number in range(20)]


@pytest.fixture(params=[WHOLE, NO_PARTIES, NO_HEADS])
def state(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def loaded(state: str) -> Iterator[PartProbes]:
    performance = replace(DEFAULTS.performance, cache=cache_directory())
    made = load(state, replace(DEFAULTS, performance=performance))
    yield made
    made.source.close()


@pytest.mark.ebpf
def test_one_part_is_missing_and_nothing_else(state: str, loaded: PartProbes) -> None:
    path = new_path()
    head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: here", *FIELDS, "", ""]).encode()
    loaded.probes.attach()
    with connected_unix() as (client, server):
        for status in (200, 200, 503):
            exchange(client, server, head, response(status))
    snapshot = loaded.step()
    rows = [row for row in snapshot.endpoints if row.key.path == path]
    assert [row.status for row in rows] == [{200: 2, 503: 1}] * 2
    pid, peer = os.getpid(), UNIX_PEER
    if state == NO_PARTIES:
        pid, peer = OTHER_PIDS, OTHER_PEERS
    for row in rows:
        assert [(at, one.requests, one.errors) for at, one in (row.by_pid or {}).items()] == [
            (pid, 3, 1)
        ]
        assert list(row.by_peer or ()) == [peer]
    samples = [one for one in snapshot.recent if one.key.path == path]
    assert samples
    last = FIELDS[-1].partition(":")[0] + ": ***"
    kept = [last in one.request_head for one in samples]
    assert any(kept) == (state != NO_HEADS)


def test_other_sources_are_not_taken_for_these() -> None:
    with pytest.raises(ValueError, match="find_party"):
        without_parties("int main(void)\n{\n\treturn 0;\n}\n")
