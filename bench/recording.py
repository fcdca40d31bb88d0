"""What a recording costs in CPU, memory and bytes, and what it takes to read it again.

As in bench/collector_tick.py: real maps, made-up requests, all endpoints active. Each number of
endpoints is measured in a process of its own: ``python -m bench.recording ENDPOINTS SNAPSHOTS``
prints what it measured as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bench.collector_tick import growing
from bench.context import Context
from bench.figures import Figure, spread
from bench.proc import rss_bytes

ENDPOINTS: Final = (1_000, 8_192)
_MIB: Final = 1 << 20
_WARM_UP: Final = 3


def measure(run: Context) -> list[Figure]:
    """Measure each number of endpoints."""
    section = "recording, all endpoints active; rows included"
    figures: list[Figure] = []
    for endpoints in ENDPOINTS:
        run.say(f"recording, {endpoints:,} endpoints")
        command = [sys.executable, "-m", "bench.recording", str(endpoints)]
        # More than a whole one, 60 that say what changed, and a whole one again.
        command.append(str(run.choose(130, 65)))
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout)
        name = f"{endpoints:,} endpoints"
        figures += [
            Figure(section, f"{name}: making rows alone, CPU", "ms", spread(found["rows_ms"])),
            Figure(section, f"{name}: a snapshot, CPU", "ms", spread(found["written_ms"])),
            Figure(section, f"{name}: memory more than without", "MiB", spread([found["mib"]])),
            Figure(section, f"{name}: a snapshot", "kB", spread([found["kb"]])),
            Figure(section, f"{name}: reading one, CPU", "ms", spread(found["read_ms"])),
            Figure(section, f"{name}: passing over one, CPU", "ms", spread(found["passed_ms"])),
        ]
    return figures


def main() -> None:
    """Measure in this process, which has done nothing else; print the figures."""
    from httptop.bpf.plan import plan_of
    from httptop.bpf.source import LiveSource
    from httptop.collect.governor import controls_of
    from httptop.collect.redacted import SnapshotRedaction
    from httptop.collector import Collector
    from httptop.config.scope import Scope
    from httptop.config.settings import DEFAULTS
    from httptop.linux.cpus import possible_cpus
    from httptop.linux.files import InvokingUser
    from httptop.run.scheduling import settle_memory
    from httptop.view.rows import RowsOnDemand

    endpoints, snapshots = int(sys.argv[1]), int(sys.argv[2])
    performance = dataclasses.replace(
        DEFAULTS.performance, max_endpoints=16_384, max_histograms=65_535
    )
    settings = dataclasses.replace(DEFAULTS, performance=performance)
    plan = plan_of(settings, Scope(), possible_cpus())
    source = LiveSource(plan, controls_of(DEFAULTS))
    source.load()
    assert source._probes is not None
    collector = Collector(source, settings, Scope(), host="bench")
    rows_ms: list[float] = []
    written_ms: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="httptop-bench-") as folder,
        growing(source._probes.maps, plan.sizes["SHARDS"], endpoints) as grow,
    ):
        collector.begin(0.0)
        settle_memory()
        for tick in range(1, snapshots + 1):
            grow()
            snapshot = collector.step(float(tick), 1.7e9 + tick)
            rows = snapshot.endpoints
            assert isinstance(rows, RowsOnDemand)
            began = time.thread_time()
            for at in range(len(rows)):
                rows.passing(at)
            rows_ms.append((time.thread_time() - began) * 1e3)
        without = rss_bytes([os.getpid()])
        from httptop.capture.recorder import Recorder

        me = InvokingUser(os.geteuid(), os.getegid(), Path("/"))
        path = Path(folder, "run.capture")
        recorder = Recorder(path, me, SnapshotRedaction("strict"))
        for tick in range(snapshots + 1, 2 * snapshots + 1):
            grow()
            snapshot = collector.step(float(tick), 1.7e9 + tick)
            began = time.thread_time()
            recorder.send(snapshot, 0)
            written_ms.append((time.thread_time() - began) * 1e3)
        more = rss_bytes([os.getpid()]) - without
        recorder.close()
        source.close()
        read_ms, passed_ms = read_again(path, snapshot.endpoints, snapshots)
        size = path.stat().st_size
    print(
        json.dumps(
            {
                "rows_ms": rows_ms[_WARM_UP:],
                "written_ms": written_ms[_WARM_UP:],
                "mib": more / _MIB,
                "kb": size / snapshots / 1e3,
                "read_ms": read_ms[_WARM_UP:],
                "passed_ms": passed_ms[_WARM_UP:],
            }
        )
    )


def read_again(path: Path, last: Iterable[object], snapshots: int) -> tuple[list[float], ...]:
    """Return the CPU to make each snapshot, and to pass over it; milliseconds.

    ``last``: the rows that the last snapshot has to have.
    """
    from httptop.capture.frames import read_at
    from httptop.capture.opening import opened

    took: tuple[list[float], list[float]] = ([], [])
    for passes, times in enumerate(took):
        with path.open("rb") as file:
            units, decoder = opened(read_at(file))
            while True:
                began = time.thread_time()
                if (unit := units.unit()) is None:
                    break
                if passes:
                    decoder.pass_over(unit)
                else:
                    snapshot = decoder.snapshot(unit)
                times.append((time.thread_time() - began) * 1e3)
    if len(took[0]) != snapshots or list(snapshot.endpoints) != list(last):
        raise RuntimeError("what was recorded is not what is read")
    return took


if __name__ == "__main__":
    main()
