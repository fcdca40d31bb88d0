"""The conformance cases through the kernel's head parser, and on live sockets under the probes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from httptop import cli
from httptop.bpf.build.child import Plan
from httptop.collect.endpoint_keys import protocol_of
from httptop.collect.source import Controls
from httptop.conformance import selftest
from httptop.conformance.case import PATH, Case, Step, load_cases
from httptop.conformance.live import Stage
from httptop.conformance.reference import endpoint_of, watched
from httptop.printable import clean
from tests.live import reference
from tests.live.live import FRONTS, Watch
from tests.live.parser import WINDOW, Parser
from tests.live.pool import AfreshSource, cached

pytestmark = pytest.mark.ebpf

CASES = load_cases()


@pytest.fixture(scope="module", params=FRONTS)
def stage(request: pytest.FixtureRequest) -> Iterator[tuple[Stage, bool]]:
    """The probes in each way that there is, and whether only one kind of sockets is played on.

    A system call is the same for all sockets.
    """
    with Watch(front=request.param) as watch:
        yield Stage(watch.step), request.param == "syscalls"


def _marked(case: Case) -> object:
    marks = [pytest.mark.xfail(reason=case.known, strict=False)] if case.known else []
    return pytest.param(case, marks=marks, id=case.name)


@pytest.mark.parametrize("case", map(_marked, CASES))
def test_live(stage: tuple[Stage, bool], case: Case) -> None:
    """Where a case passes that is known to fail, its "known" is to go."""
    on, once = stage
    results = list(on.play(case, once=once))
    assert results
    faults = [f"{result.sockets}: {text}" for result in results for text in result.differences]
    assert not faults, "\n".join(faults)


def test_at_once(stage: tuple[Stage, bool]) -> None:
    """Players that preempt each other on each CPU: nothing moves from one to the other."""
    on, _ = stage
    results = list(on.play_at_once(CASES))
    assert [result.sockets for result in results] == ["tcp", "unix"]
    faults = [f"{result.sockets}: {text}" for result in results for text in result.differences]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(("steps", "status"), [((), 0), ((Step("client", "close"),), 1)])
def test_the_command(
    steps: tuple[Step, ...],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A case that cannot be played, here after its client has closed, is a failure."""
    case = replace(CASES[0], steps=(*steps, *CASES[0].steps))
    monkeypatch.setattr(selftest, "load_cases", lambda: [case])

    def pooled(plan: Plan, controls: Controls) -> AfreshSource:
        return AfreshSource(cached(plan), controls)

    monkeypatch.setattr(selftest, "LiveSource", pooled)
    assert cli.main(["--selftest"]) == status
    out = capsys.readouterr().out
    assert ("FAILED" if status else "4 agree") in out
    assert out.startswith("case ")


def test_heads_through_the_kernels_parser(parser: Parser) -> None:
    judged = 0
    for case in CASES:
        for side, end in watched(case, PATH).items():
            for exchange in end.observer.exchanges:
                endpoint = endpoint_of(exchange, side)
                if len(exchange.head) <= WINDOW and exchange.head.endswith((b"\r\n", b"\n")):
                    found = reference.of_verdict(parser.head(exchange.head))
                    whole = found.length == len(exchange.head)
                    shown = clean(found.path) + ("…" if found.truncated else "")
                    assert (found.method, shown) == (endpoint.method, endpoint.path), case.name
                    assert protocol_of(found.minor) == f"HTTP/{exchange.version}", case.name
                    assert not whole or found.chunked == exchange.chunked, case.name
                    assert exchange.chunked or not whole or found.body == exchange.length
                    judged += whole
                if exchange.status:
                    line = exchange.response_line[:WINDOW]
                    assert parser.head(line).status == exchange.status, case.name
    assert judged > len(CASES)
