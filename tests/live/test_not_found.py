"""A scan for paths that nobody serves: one row, and all others as they were."""

from __future__ import annotations

import dataclasses
import os
from typing import Final

import pytest

from httptop.collector import Collector
from httptop.config.scope import limited
from httptop.config.settings import DEFAULTS
from httptop.model import NOT_FOUND_PATH
from tests.live.live import connected, exchange, request, response, rows_of
from tests.live.test_forgetting import FORGET_S, Run, whole, words

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("forgetting")]

MOST_ROWS: Final = DEFAULTS.paths.max_not_found


class Folding(Run):
    """The probes, with the collector as it is by default."""

    def __init__(self) -> None:
        super().__init__()
        general = dataclasses.replace(DEFAULTS.general, forget_s=FORGET_S)
        settings = dataclasses.replace(DEFAULTS, general=general)
        self.collector = Collector(self.source, settings, limited(f"pid = {os.getpid()}"))


@pytest.mark.setting("paths.max_not_found")
def test_a_scan_is_one_row(path: str) -> None:
    with Folding() as run:
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
