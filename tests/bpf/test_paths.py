"""What each path of a call may cost at most: the table is LIMITS in paths.py."""

from __future__ import annotations

import pytest

from tests.bpf import paths
from tests.bpf.host import RECVFROM, WRITEV
from tests.bpf.interpreter.maps import RingMap
from tests.bpf.paths import LIMITS, Cost

#: BCC compiles for root only; one process measures.
pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("paths")]


@pytest.fixture(scope="module")
def measured() -> dict[str, Cost]:
    return paths.measured()


@pytest.mark.parametrize("path", LIMITS)
def test_a_path_stays_within_its_limits(measured: dict[str, Cost], path: str) -> None:
    limits, cost = LIMITS[path], measured[path]
    beyond = {
        what: f"{found:,} of {limit:,}"
        for what, found, limit in zip(Cost._fields, cost, limits, strict=True)
        if found > limit
    }
    assert not beyond, paths.table({path: cost})


def test_every_path_has_limits(measured: dict[str, Cost]) -> None:
    assert set(measured) == set(LIMITS)


def test_the_interpreted_probes_see_the_exchange() -> None:
    """The first response is sampled: the record tells whether the probes went all the way."""
    host = paths.make_host()
    socket = host.connect()
    host.call(socket, RECVFROM, paths.REQUEST)
    host.call(socket, WRITEV, paths.HEAD + paths.BODY, len(paths.HEAD), len(paths.BODY))
    samples = host.machine.maps["samples"]
    assert isinstance(samples, RingMap)
    (record,) = samples.records
    assert paths.REQUEST.split(b"\r\n")[0] in record
    assert paths.HEAD in record


@pytest.mark.xdist_group("system calls")
def test_the_front_of_older_kernels_copies_no_more() -> None:
    found = paths.measured(paths.BEST._replace(front="syscalls"))
    assert set(found) == set(LIMITS)
    assert {
        path: cost.copies for path, cost in found.items() if cost.copies > LIMITS[path].copies
    } == {}
