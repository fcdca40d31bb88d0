"""CPU and memory of httptop's own processes, in batch mode and with its screen on."""

from __future__ import annotations

import time
from typing import Final

from bench.context import Context
from bench.figures import Figure, Goal, spread
from bench.load import Shape, wrk
from bench.proc import bpf_map_bytes, cpu_ns, pss_bytes, rss_bytes
from bench.program import Batch, Program, Screen

_CPU: Final = Goal("<=", 2.0)
_MEMORY: Final = Goal("<=", 56.0)
_SHARED_OUT: Final = Goal("<=", 48.0)
_MAPS: Final = Goal("<=", 30.0)
_WINDOW_S: Final = 2.0
_RATES: Final = (
    ("1,000 req/s", Shape(16, think_ms=15)),
    ("10,000 req/s", Shape(64, think_ms=5)),
    ("full load", Shape(16)),
)
_MIB: Final = 1 << 20


def measure(run: Context) -> list[Figure]:
    """Measure batch mode, then the screen; memory is the screen's, which needs more."""
    section = "user-space CPU, all httptop processes, one tick per second"
    figures: list[Figure] = []
    with Batch(run, "-d", "1") as program:
        program.await_snapshots()
        for name, shape in _RATES:
            run.say(f"user-space CPU, batch json, {name}")
            figures += _cpu(run, program, section, f"batch json, {name}", shape, None)
    with Screen(run, look_for=run.nginx.path) as screen:
        for number, (name, shape) in enumerate(_RATES):
            run.say(f"user-space CPU, screen, {name}")
            if not number:
                with wrk(run.nginx.url, shape, run.load_cpu, run.work):
                    screen.await_row(watch_memory=True)
            goal = _CPU if number else None
            figures += _cpu(run, screen, section, f"screen 140x45, {name}", shape, goal)
        pids = screen.pids()
        found = (rss_bytes(pids), pss_bytes(pids), rss_bytes(pids, peak=True), bpf_map_bytes(pids))
        resident, shared_out, peak, maps = (value / _MIB for value in found)
        loading = screen.peak_bytes / _MIB
    section = "memory with the screen on, after full load"
    return [
        *figures,
        Figure(section, "resident memory, all processes", "MiB", spread([resident]), _MEMORY),
        Figure(
            section,
            "the same, shared pages shared out (PSS)",
            "MiB",
            spread([shared_out]),
            _SHARED_OUT,
        ),
        Figure(section, "peak resident memory (VmHWM), all processes", "MiB", spread([peak])),
        Figure(section, "during start-up, loader included", "MiB", spread([loading])),
        Figure(
            section, "BPF maps (kernel memory, not included above)", "MiB", spread([maps]), _MAPS
        ),
        Figure(section, "processes", "processes", spread([len(pids)])),
    ]


def _cpu(
    run: Context, program: Program, section: str, name: str, shape: Shape, goal: Goal | None
) -> list[Figure]:
    """Return CPU as a share of one core over windows of two ticks each."""
    percents: list[float] = []
    pids = program.pids()
    with wrk(run.nginx.url, shape, run.load_cpu, run.work):
        time.sleep(1.0)  # new endpoints and first draws are over
        began, requests = time.perf_counter(), run.nginx.requests()
        for _ in range(run.choose(5, 2)):
            clock, spent = time.perf_counter(), cpu_ns(*pids)
            time.sleep(_WINDOW_S)
            spent = cpu_ns(*pids) - spent
            percents.append(100 * spent / 1e9 / (time.perf_counter() - clock))
        rate = (run.nginx.requests() - requests) / (time.perf_counter() - began)
    note = f"at {rate:,.0f} req/s"
    return [Figure(section, name, "%", spread(percents), goal, note)]
