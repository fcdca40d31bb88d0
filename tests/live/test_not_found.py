"""A scan for paths that nobody serves: one row, and all others as they were."""

from __future__ import annotations

import pytest

from httptop.collect.not_found import MOST_ROWS
from httptop.model import NOT_FOUND_PATH
from tests.live.live import connected, exchange, request, response, rows_of
from tests.live.test_forgetting import FORGET_S, Run, whole, words

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("forgetting")]


def test_a_scan_is_one_row(path: str) -> None:
    with Run() as run:
        before = run.taken()
        with connected() as ends:
            exchange(*ends, request(f"{path}/index"), response(200))
            for word in words(MOST_ROWS):
                exchange(*ends, request(f"{path}/{word}"), response(404))
            assert len(rows_of(run.step(), path, "server")) == MOST_ROWS + 1
            sent = MOST_ROWS
            for turn in range(3):
                for word in words(700):
                    exchange(*ends, request(f"{path}/{turn}x/{word}"), response(404 + turn % 2))
                    sent += 1
                exchange(*ends, request(f"{path}/index"), response(200))
                snapshot = run.step()
                (index,) = rows_of(snapshot, path, "server")
                assert dict(index.status) == {200: 2 + turn}
                (missing,) = rows_of(snapshot, NOT_FOUND_PATH, "server")
                assert missing.requests == sent == missing.paths
                assert snapshot.total("server").requests == sent + 2 + turn
                assert snapshot.health.overflow_requests == 0
            exchange(*ends, request(f"{path}/2x/abaa"), response(503))
            snapshot = run.step()
            (found,) = rows_of(snapshot, f"{path}/2x/abaa", "server")
            assert dict(found.status) == {503: 1}
            assert whole(snapshot, "client") == whole(snapshot)
        run.wait(FORGET_S)
        assert run.taken() == before
