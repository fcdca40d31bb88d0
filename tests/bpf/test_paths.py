"""What each path of a call may cost at most: the table is LIMITS in paths.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.without_parties import without_parties
from httptop.bpf.build import compiler
from httptop.bpf.build.child import Plan
from httptop.bpf.plan import plan_of
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


def _more(whole: dict[str, Cost], without: dict[str, Cost], *names: str) -> list[tuple[int, ...]]:
    """Return what paths cost more with a part than without it."""
    return [tuple(a - b for a, b in zip(whole[name], without[name], strict=True)) for name in names]


def test_what_counts_for_processes_and_peers_costs(
    measured: dict[str, Cost], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request like the last: some 10 ns, as 3 to 4 instructions take a nanosecond."""
    whole = compiler.source
    monkeypatch.setattr(compiler, "source", lambda name="probes.c": without_parties(whole(name)))
    without = paths.measured()
    (asked, told) = _more(measured, without, "the same request: recv", "the same head: writev")
    assert asked in ((0, 0, 0, 0, 0), (-1, 0, 0, 0, 0))  # as the compiler pleases
    assert 20 < told[0] <= 45
    assert told[1:4] == (0, 0, 0)
    assert told[4] <= 2
    (asked,) = _more(measured, without, "another request than the last: recv")
    assert 60 < asked[0] <= 100
    assert asked[1:4] == (0, 0, 0)
    assert asked[4] <= 3


def test_what_keeping_header_sections_costs(
    measured: dict[str, Cost], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a request that is not kept next to nothing, of one that is, a copy."""

    def plan_without(*of_run: Any) -> Plan:
        plan = plan_of(*of_run)
        return replace(plan, constants={**plan.constants, "HEAD_COPIED": 0})

    monkeypatch.setattr(paths, "plan_of", plan_without)
    without = paths.measured()
    found = _more(
        measured, without, "the same request: recv", "the same head: writev",
        "616 bytes, another trace: recv", "616 bytes, kept for a sample: recv",
    )  # fmt: skip
    assert all(more[0] <= 6 and not any(more[1:]) for more in found[:3]), found
    assert found[3][2:4] == (1, 616)


@pytest.mark.xdist_group("system calls")
def test_the_front_of_older_kernels_copies_no_more() -> None:
    found = paths.measured(paths.BEST._replace(front="syscalls"))
    assert set(found) == set(LIMITS)
    assert {
        path: cost.copies for path, cost in found.items() if cost.copies > LIMITS[path].copies
    } == {}
