"""Cost of a call that the run's filter excludes."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Final

from bench.context import Context
from bench.figures import Figure, spread
from bench.load import Shape, wrk
from bench.tracing import SETTLE_S, EmptyProgram, attach, turns
from httptop.bpf.build.child import Probes
from httptop.bpf.plan import plan_of
from httptop.bpf.source import LiveSource
from httptop.collect.governor import controls_of
from httptop.config.scope import Scope, limited
from httptop.config.settings import DEFAULTS
from httptop.linux import bpf_syscall
from httptop.linux.cpus import possible_cpus

_EMPTY: Final = "an empty program"
_SLICE_S: Final = 0.4


def measure(run: Context) -> list[Figure]:
    """Attach probes with one filter after the other, while nginx and wrk talk."""
    run.say("cost of calls excluded by a filter")
    scopes = {
        "no filter": Scope(),
        "excluded by pid": limited(f"pid = {os.getpid()}"),
        "excluded by process name": limited("comm = somebody-else"),
        "excluded by port": limited("port = 1"),
    }
    cost: dict[str, list[float]] = {name: [] for name in (_EMPTY, *scopes)}
    with contextlib.ExitStack() as closing:
        loaded = {}
        for name, scope in scopes.items():
            source = LiveSource(plan_of(DEFAULTS, scope, possible_cpus()), controls_of(DEFAULTS))
            closing.callback(source.close)
            source.open()
            assert source._probes is not None
            loaded[name] = source._probes
            source._probes.detach()
        empty = EmptyProgram(loaded["no filter"])
        closing.callback(empty.close)
        closing.enter_context(wrk(run.nginx.url, Shape(), run.load_cpu, run.work))
        closing.callback(os.close, bpf_syscall.enable_stats())
        for order in turns((_EMPTY, *scopes), run.choose(20, 5)):
            for name in order:
                probes = loaded.get(name)
                if probes is None:
                    empty.attach()
                else:
                    attach(probes)
                time.sleep(SETTLE_S)
                cost[name].append(_slice(probes, empty))
                (probes or empty).detach()
    own = spread(cost.pop(_EMPTY)).median
    return [
        Figure(
            "BPF time per call, nginx and wrk at saturation, without the cost of timing",
            name,
            "ns",
            spread([value - own for value in values]),
        )
        for name, values in cost.items()
    ]


def _slice(probes: Probes | None, empty: EmptyProgram) -> float:
    """Return the mean time of a run, in ns; a chain of tail calls is one run."""
    programs = [empty.program] if probes is None else [probes.programs[at] for at in probes.points]
    before = [bpf_syscall.prog_times(program) for program in programs]
    time.sleep(_SLICE_S)
    after = [bpf_syscall.prog_times(program) for program in programs]
    pairs = list(zip(before, after, strict=True))
    runs = sum(now[1] - then[1] for then, now in pairs)
    return sum(now[0] - then[0] for then, now in pairs) / max(runs, 1)
