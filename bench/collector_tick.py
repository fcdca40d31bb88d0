"""CPU and memory of a collector's tick with thousands of endpoints, all of them active.

The maps are real, those of loaded probes, and so is the reading of them; only what they count is
made up (bench/counted.py). Each number of endpoints is measured in a process of its own:
``python -m bench.collector_tick ENDPOINTS TICKS`` prints what it measured as JSON.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from bench.context import Context
from bench.counted import CountedRequests
from bench.figures import Figure, Goal, spread
from bench.proc import bpf_map_bytes, rss_bytes
from httptop.model import Snapshot
from httptop.view.history import MOST_BYTES

ENDPOINTS: Final = (1_000, 10_000)
_GOAL: Final = Goal("<=", 30.0)
_REQUESTS: Final = 5
_WARM_UP: Final = 13  # until something leaves the window
_LINES: Final = 45  # of a screen
_MIB: Final = 1 << 20


def measure(run: Context) -> list[Figure]:
    """Measure each number of endpoints; the most of them is what the goal is for."""
    section = f"collector tick, all endpoints active, {_REQUESTS} requests each; maps included"
    figures: list[Figure] = []
    for endpoints in ENDPOINTS:
        run.say(f"collector tick, {endpoints:,} endpoints")
        command = [sys.executable, "-m", "bench.collector_tick", str(endpoints)]
        command.append(str(run.choose(30, 20)))
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout)
        most = endpoints == max(ENDPOINTS)
        name = f"{endpoints:,} endpoints"
        figures += [
            Figure(section, f"{name}: CPU", "ms", spread(found["cpu_ms"]), _GOAL if most else None),
            Figure(section, f"{name}: a screen's rows on top", "ms", spread(found["look_ms"])),
            Figure(section, f"{name}: resident memory", "MiB", spread([found["rss_mib"]])),
            Figure(section, f"{name}: BPF maps, not included", "MiB", spread([found["maps_mib"]])),
            Figure(
                section, f"{name}: window, a row and tick", "B", spread([found["window_bytes"]])
            ),
            Figure(section, f"{name}: time travel, CPU", "ms", spread(found["past_ms"])),
            Figure(
                section,
                f"{name}: time travel, {found['past_ticks']} of {found['ticks']} ticks",
                "MiB",
                spread([found["past_mib"]]),
                Goal("<=", MOST_BYTES / _MIB),
            ),
        ]
    return figures


def main() -> None:
    """Measure in this process, which has done nothing else; print the figures."""
    from httptop.bpf.plan import plan_of
    from httptop.bpf.source import LiveSource
    from httptop.collect.governor import controls_of
    from httptop.collect.window import KEPT_S
    from httptop.collector import Collector
    from httptop.config.scope import Scope
    from httptop.config.settings import DEFAULTS
    from httptop.linux.cpus import possible_cpus
    from httptop.run.scheduling import settle_memory
    from httptop.view.history import History
    from httptop.view.state import View, rows

    endpoints, ticks = int(sys.argv[1]), int(sys.argv[2])
    performance = dataclasses.replace(
        DEFAULTS.performance, max_endpoints=16_384, max_histograms=65_535
    )
    general = dataclasses.replace(DEFAULTS.general, window_s=DEFAULTS.ui.window_s)
    settings = dataclasses.replace(DEFAULTS, performance=performance, general=general)
    plan = plan_of(settings, Scope(), possible_cpus())
    source = LiveSource(plan, controls_of(DEFAULTS))
    source.load()
    assert source._probes is not None
    collector = Collector(source, settings, Scope(), host="bench", kept_s=KEPT_S)
    cpu_ms: list[float] = []
    look_ms: list[float] = []
    past_ms: list[float] = []
    past = History()
    with growing(source._probes.maps, plan.sizes["SHARDS"], endpoints) as grow:
        collector.begin(0.0)
        settle_memory()
        for tick in range(1, ticks + 1):
            grow()
            before = time.thread_time()
            snapshot = collector.step(float(tick), 1.7e9 + tick)
            stepped = time.thread_time()
            shown = rows(snapshot, View())[:_LINES]
            cpu_ms.append((stepped - before) * 1e3)
            looked = time.thread_time()
            look_ms.append((looked - stepped) * 1e3)
            past.keep(snapshot)
            past_ms.append((time.thread_time() - looked) * 1e3)
    requests = snapshot.total("server").requests
    if (len(snapshot.endpoints), requests) != (endpoints, endpoints * ticks * _REQUESTS):
        raise RuntimeError(f"{len(snapshot.endpoints)} endpoints have {requests} requests")
    if len(shown) != _LINES or any(row.latency.count < _REQUESTS for row in shown):
        raise RuntimeError("rows lack latencies")
    figures = {
        "cpu_ms": cpu_ms[_WARM_UP:],
        "look_ms": look_ms[_WARM_UP:],
        "rss_mib": (rss_bytes([os.getpid()]) - past.size_bytes) / _MIB,
        "window_bytes": _window_bytes(snapshot),
        "maps_mib": bpf_map_bytes([os.getpid()]) / _MIB,
        "past_ms": past_ms[_WARM_UP:],
        "past_mib": past.size_bytes / _MIB,
        "past_ticks": len(past.times),
        "ticks": ticks,
    }
    source.close()
    print(json.dumps(figures))


def _window_bytes(snapshot: Snapshot) -> float:
    """Return what a row takes of the window's memory for a tick; all rows are active."""
    taken = snapshot.overhead.window_bytes
    assert taken is not None
    return taken / len(snapshot.endpoints) / (snapshot.kept_s / snapshot.interval_s)


@contextlib.contextmanager
def growing(maps: Mapping[str, int], shards: int, endpoints: int) -> Iterator[Callable[[], None]]:
    """Yield a function that has another process count requests in the maps."""
    ask, answer = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.close(ask[1])
            counted = CountedRequests(maps, shards, endpoints)
            while os.read(ask[0], 1):
                counted.grow(_REQUESTS)
                os.write(answer[1], b".")
            code = 0
        except BaseException:  # noqa: BLE001 - this process must not go on as the other one
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(ask[0])
    os.close(answer[1])

    def grow() -> None:
        os.write(ask[1], b".")
        if not os.read(answer[0], 1):
            raise RuntimeError("the process that counts requests has failed")

    try:
        yield grow
    finally:
        os.close(ask[1])
        os.close(answer[0])
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
