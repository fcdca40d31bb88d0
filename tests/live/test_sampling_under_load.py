"""A busy nginx behind a small bucket of samples: the log stays small, what failed is in it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from httptop.config.load import build
from httptop.config.scope import limited
from httptop.model import Transaction
from tests.live.live import Watch, rows_of, sums_of
from tests.live.nginx import Nginx

pytestmark = pytest.mark.ebpf

PER_SECOND = 100
#: One request in so many fails.
RARE = 3000
SCRIPT = f"""
local n = 0
function request()
  n = n + 1
  return wrk.format("GET", n % {RARE} == 0 and "/log/missing" or "/log/ok")
end
"""


def test_a_hundred_samples_a_second_of_all_that_nginx_serves(tmp_path: Path) -> None:
    (tmp_path / "load.lua").write_text(SCRIPT)
    (tmp_path / "nginx").mkdir()
    settings = build({"sampling.per_second": PER_SECOND, "sampling.burst": PER_SECOND})
    seen: dict[int, Transaction] = {}
    with (
        Nginx(tmp_path / "nginx", 1) as nginx,
        Watch(settings, limited(f"port = {nginx.port}")) as watch,
    ):
        before, started = nginx.requests(), time.monotonic()
        command = ["wrk", "-t1", "-c16", "-d2s", "-s", str(tmp_path / "load.lua"), nginx.url("/")]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as load:
            while load.poll() is None:
                seen |= {request.serial: request for request in watch.step().recent}
                time.sleep(0.1)
        nginx.wait_until_idle()
        snapshot = watch.step()
        seen |= {request.serial: request for request in snapshot.recent}
        spent_s = time.monotonic() - started
        served = nginx.requests() - before
    counted = {side: rows_of(snapshot, "/log/", side) for side in ("server", "client")}
    for rows in counted.values():
        status, unanswered, in_flight = sums_of(rows)
        # wrk hangs up with requests under way: these are served, and their responses not read.
        assert (sum(status.values()) + unanswered, in_flight) == (served, 0)
    failed = sum(sums_of(rows)[0].get(404, 0) for rows in counted.values())
    assert served > 20 * PER_SECOND, "this is no load"
    assert failed > 0
    samples = list(seen.values())
    # Two CPUs may take the same place in the bucket.
    assert PER_SECOND * (spent_s - 1) < len(samples) < PER_SECOND * (spent_s + 1) * 1.1 + 2
    assert sum(sample.status == 404 for sample in samples) == failed
    assert {sample.pid for sample in samples} - {os.getpid()}
