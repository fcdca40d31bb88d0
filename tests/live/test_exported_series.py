"""Series of metrics of real traffic: they are what nginx and the snapshot have counted."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from httptop.config.settings import DEFAULTS
from httptop.model import SIDES
from tests.live.live import EVERYTHING, Watch, new_path
from tests.live.nginx import Nginx

pytestmark = pytest.mark.ebpf

CODES = {"": 200, "/missing": 404, "/moved": 301, "/none": 204}
TIMES = 50


def test_series_are_what_nginx_has_served(tmp_path: Path) -> None:
    path = new_path()
    with (
        Nginx(tmp_path, workers=2) as nginx,
        Watch(DEFAULTS, EVERYTHING, exported=True) as watch,
    ):
        for step in range(1, 4):
            urls = [nginx.url(f"{path}{end}") for end in CODES for _ in range(TIMES)]
            subprocess.run(
                ["curl", "-s", "--no-progress-meter", "-o", "/dev/null", *urls],
                check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            nginx.wait_until_idle()
            wanted = {(f"{path}{end}", code): step * TIMES for end, code in CODES.items()}
            watch.expect(path, dict.fromkeys(CODES.values(), step * TIMES))
            metrics = watch.metrics()
            for side in SIDES:
                found = {
                    (series.key.path, outcome.status): outcome
                    for series in metrics.series
                    if series.key.side == side and series.key.path.startswith(path)
                    for outcome in series.outcomes
                }
                assert {key: outcome.count for key, outcome in found.items()} == wanted
                for outcome in found.values():
                    assert sum(outcome.buckets.values()) == outcome.count
                    assert outcome.sum_ns > 0
        log = nginx.log.read_text().splitlines()
        assert len(log) == sum(wanted.values()) == 3 * TIMES * len(CODES)
