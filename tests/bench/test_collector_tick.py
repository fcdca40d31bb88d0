"""What the bench has counted in the maps is what a collector finds there."""

from __future__ import annotations

import pytest

from bench.collector_tick import growing
from httptop.bpf.plan import plan_of
from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS
from httptop.linux.cpus import possible_cpus
from tests.live.live import Watch

pytestmark = pytest.mark.ebpf

ENDPOINTS = 60


def test_each_endpoint_has_the_requests_that_were_counted() -> None:
    shards = plan_of(DEFAULTS, Scope(), possible_cpus()).sizes["SHARDS"]
    with Watch(fresh=True) as watch, growing(watch.probes.maps, shards, ENDPOINTS) as grow:
        for turn in (1, 2):
            grow()
            found = [row for row in watch.step().endpoints if row.key.process.startswith("worker-")]
            assert len(found) == ENDPOINTS
            assert {row.requests for row in found} == {5 * turn}
            assert {dict(row.status)[200] for row in found} == {5 * turn}
