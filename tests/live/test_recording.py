"""A recording beside a live run: all of it arrives, from a thread without rights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from httptop.capture.opening import read_capture
from httptop.output.json import to_json
from tests.live.command import NOTHING, document, running, said, threads
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("commands")]


def test_the_capture_has_what_the_run_has_seen(tmp_path: Path) -> None:
    capture = tmp_path / "a.capture"
    keeps = ("--set", "security.keep_no_capabilities=false")
    # Of the host's other processes there may be so much to encode that snapshots are dropped.
    flags = ("-d", "0.2", "-n", "20", "--demo", "--comm", "shop-*", *keeps)
    with running("-b", "--format", "json", "--record", str(capture), *flags) as run:
        documents = [document(run)]
        able = [thread for thread in threads(run.pid) if thread["CapEff"] != NOTHING]
        assert len(able) == 1  # the collector's
        documents += [document(run) for _ in range(19)]
        assert run.wait(PATIENCE_S) == 0
        # This process may have read too slowly.
        assert [line for line in said(run.stderr) if "not printed" not in line] == []
    with capture.open("rb") as file:
        *_, last = recorded = list(read_capture(file))
    printed, replayed = documents[-1], json.loads(to_json(last))
    assert printed["final"]
    assert printed["totals"]["server"]["requests"] > 0
    for name in ("time", "final", "totals", "endpoints", "health"):
        assert replayed[name] == printed[name]
    (sink,) = printed["sinks"]
    assert (sink["sent"], sink["dropped"], sink["failed"]) == (len(recorded), 0, 0)
