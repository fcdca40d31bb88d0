"""What single parts of httptop's programs take of each request.

The parts are the counts for processes and peers (bpf/c/parties.h), and the header sections of
requests that are kept for samples (bpf/c/heads.h). Probes with everything, and probes without one
of them, are attached in turns at saturation, while the kernel's program statistics are on. Either
run as often, so what timing a run costs is not in the difference.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import replace
from typing import Final

from bench.context import Context
from bench.figures import Figure, Goal, certain, spread
from bench.load import Shape, wrk
from bench.shapes import in_turns, long_requests
from bench.throughput import Patience
from bench.tracing import SETTLE_S, attach, turns
from httptop.bpf.build.child import Loading, Plan
from httptop.bpf.plan import plan_of
from httptop.bpf.source import LiveSource
from httptop.collect.governor import controls_of
from httptop.collector import Collector
from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS, Settings
from httptop.linux import bpf_syscall
from httptop.linux.cpus import possible_cpus
from httptop.model import Snapshot

SECTION: Final = "BPF time of single parts, per request and side, nginx at saturation, both sides"
WHOLE, NO_PARTIES, NO_HEADS = "everything", "without parties", "without heads"
_PARTIES: Final = "per-pid and per-peer counts"
_HEADS: Final = "kept header sections of requests"
_PARTIES_GOAL: Final = Goal("<=", 20.0)
_SIDES: Final = 2  # on loopback each request is seen by the server and by the client


class PartProbes:
    """Probes with everything, or without a part; detached at first."""

    def __init__(self, plan: Plan, loader: str, settings: Settings) -> None:
        """``loader``: the module that loads the plan."""
        loading = Loading((sys.executable, "-m", loader))
        self.source = LiveSource(plan, controls_of(settings), loading=loading)
        try:
            self.source.open()
            self._collector = Collector(self.source, settings, Scope())
            self._collector.begin(time.monotonic())
            assert self.source._probes is not None
            self.probes = self.source._probes
            self.probes.detach()
        except BaseException:
            self.source.close()
            raise

    def spent_ns(self) -> int:
        """Return the run time of all programs so far, statistics being on."""
        return sum(bpf_syscall.prog_times(at)[0] for at in self.probes.programs.values())

    def step(self) -> Snapshot:
        """Read the maps and the ring, which must not fill; return what was counted."""
        return self._collector.step(time.monotonic(), time.time())


def load(state: str, settings: Settings = DEFAULTS) -> PartProbes:
    """Return probes of a run with everything, or without a part."""
    plan, loader = plan_of(settings, Scope(), possible_cpus()), "httptop.bpf.build.loader"
    if state == NO_PARTIES:
        # An image of other sources is not kept among the user's.
        plan, loader = replace(plan, cache=""), "bench.without_parties"
    if state == NO_HEADS:
        plan = replace(plan, constants={**plan.constants, "HEAD_COPIED": 0})
    return PartProbes(plan, loader, settings)


def measure(run: Context) -> list[Figure]:
    """Measure both parts, each with the shapes of requests that it treats differently."""
    nginx = run.nginx
    shapes = {
        "a short request, as before": (Shape(), (NO_PARTIES, NO_HEADS)),
        "480 bytes, another trace each time": (
            long_requests(nginx.host, nginx.path), (NO_PARTIES, NO_HEADS),
        ),
        "three endpoints in turns": (in_turns(nginx.host, nginx.paths), (NO_PARTIES,)),
    }  # fmt: skip
    with contextlib.ExitStack() as closing:
        loaded: dict[str, PartProbes] = {}
        for state in (WHOLE, NO_PARTIES, NO_HEADS):
            loaded[state] = load(state)
            closing.callback(loaded[state].source.close)
        closing.callback(os.close, bpf_syscall.enable_stats())
        figures: list[Figure] = []
        for name, (shape, without) in shapes.items():
            found = _compare(run, loaded, name, shape, (WHOLE, *without))
            for state in without:
                figures.append(_figure(name, state, found))
    return sorted(figures, key=lambda figure: not figure.name.startswith(_PARTIES))


def _compare(
    run: Context, loaded: dict[str, PartProbes], name: str, shape: Shape, states: tuple[str, ...]
) -> dict[str, list[float]]:
    """Return the time per request and side (ns) in each state, round by round."""
    run.say(f"BPF time of single parts, {name}")
    rounds = run.choose(40, 8)
    found: dict[str, list[float]] = {state: [] for state in states}
    with wrk(run.nginx.url, shape, run.load_cpu, run.work) as load:
        patience = Patience(run, 20 + 2 * rounds)
        for order in turns(states, rounds):
            for state in order:
                at = loaded[state]
                attach(at.probes)
                time.sleep(SETTLE_S)
                found[state].append(_once(at, patience, load.process.pid))
                at.step()
                at.probes.detach()
    patience.tell(f"BPF time of single parts, {name}")
    return found


def _once(at: PartProbes, patience: Patience, wrk_pid: int) -> float:
    """Return the time per request and side (ns) in an undisturbed slice."""
    before: list[int] = []

    def began() -> None:
        before[:] = [at.spent_ns()]

    requests = patience.take(wrk_pid, began=began).requests
    return (at.spent_ns() - before[0]) / requests / _SIDES


def _figure(name: str, without: str, found: dict[str, list[float]]) -> Figure:
    parties = without == NO_PARTIES
    pairs = zip(found[WHOLE], found[without], strict=True)
    more = [with_it - without_it for with_it, without_it in pairs]
    low, high = certain(more)
    return Figure(
        SECTION,
        f"{_PARTIES if parties else _HEADS}: {name}",
        "ns",
        spread(more),
        _PARTIES_GOAL if parties else None,
        f"95 % interval: {low:.0f} .. {high:.0f}",
    )
