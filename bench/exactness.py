"""Whether every request is counted, once: httptop's counts against nginx's, wrk's and ab's."""

from __future__ import annotations

import shutil
import time
from typing import Any, Final

from bench.context import Context
from bench.figures import Figure, Goal, spread
from bench.load import Shape, run_ab, run_wrk
from bench.parsing import Load, answered_of, requests_of
from bench.proc import bpf_map_bytes, rss_bytes
from bench.program import Batch

_EXACT: Final = Goal("=", 0)
_SECTION: Final = "count error at saturation: httptop minus the reference"
_AB_REQUESTS: Final = 20_000


def measure(run: Context) -> list[Figure]:
    """Compare keep-alive at saturation, then a connection for each request."""
    run.say("count error, wrk keep-alive at saturation")
    figures: list[Figure] = []
    seconds = run.choose(5, 2)
    snapshot, served, load = _counted(
        run, lambda: run_wrk(run.nginx.url, Shape(), seconds, run.load_cpu, run.work)
    )
    figures += _compare(run, "keep-alive, wrk", snapshot, served, load)
    if shutil.which("ab") is None:
        run.say("ab is not installed: single-request connections are left out")
        return figures
    run.say("count error, ab with a connection for each request")
    snapshot, served, load = _counted(
        run, lambda: run_ab(run.nginx.url, _AB_REQUESTS, 16, run.load_cpu)
    )
    return figures + _compare(run, "a connection each, ab", snapshot, served, load)


def _counted(run: Context, work: Any) -> tuple[dict[str, Any], int, Load]:
    """Run a load; return httptop's last snapshot, nginx's count and the load generator's."""
    before = run.nginx.requests()
    with Batch(run, "-d", "1") as program:
        program.await_snapshots()
        load = work()
        time.sleep(0.3)
        served = run.nginx.requests() - before
        return program.final(), served, load


def _compare(
    run: Context, what: str, snapshot: dict[str, Any], served: int, load: Load
) -> list[Figure]:
    path = run.nginx.path
    server = requests_of(snapshot, "server", path) - served
    # wrk stops with requests under way; it counts those whose responses it has read.
    client = answered_of(snapshot, "client", path) - load.requests
    health = snapshot["health"]
    missed = health["overflow_requests"] + health.get("missed_calls", 0)
    return [
        Figure(
            _SECTION, f"{what}: server side against nginx", "requests", spread([server]), _EXACT,
            f"of {served:,}",
        ),
        Figure(
            _SECTION, f"{what}: client side against the load generator", "requests",
            spread([client]), _EXACT,
            f"of {load.requests:,}" + (f"; {load.errors} errors" if load.errors else ""),
        ),
        Figure(
            _SECTION, f"{what}: missed calls and overflow requests", "requests", spread([missed])
        ),
    ]  # fmt: skip


_IDS = """
local n = 0
request = function()
  n = n + 1
  local id = n
  if n % 3 == 1 then id = string.format("%08x-0000-4000-8000-%012x", n, n) end
  if n % 3 == 2 then id = string.format("%016x", n * 2654435761) end
  return wrk.format("GET", "PREFIX" .. id .. "/orders")
end
"""
_WANTED_IDS: Final = 100_000


def measure_ids(run: Context) -> list[Figure]:
    """Ask for more than 100,000 paths that differ in an id: numbers, UUIDs, hexadecimal."""
    run.say("100,000 distinct ids in paths")
    prefix = run.nginx.ids
    shape = Shape(script=_IDS.replace("PREFIX", prefix))
    asked = 0
    with Batch(run, "-d", "1") as program:
        program.await_snapshots()
        run_wrk(run.nginx.url, Shape(4), 1, run.load_cpu, run.work)  # its own memory is in use
        time.sleep(1.2)
        pids = program.pids()
        before, maps = rss_bytes(pids), bpf_map_bytes(pids)
        while asked < _WANTED_IDS:
            asked += run_wrk(run.nginx.url, shape, 4, run.load_cpu, run.work).requests
            if not asked:
                raise RuntimeError("wrk asked for nothing")
        time.sleep(1.2)
        grown = (rss_bytes(pids) - before) / (1 << 20)
        grown_maps = (bpf_map_bytes(pids) - maps) / (1 << 20)
        snapshot = program.final()
    rows = [row["path"] for row in snapshot["endpoints"] if row["path"].startswith(prefix)]
    section = f"{asked:,} requests, each with its own id in the path"
    return [
        Figure(section, "rows, both sides", "rows", spread([len(rows)]), Goal("<=", 6)),
        Figure(section, "growth of resident memory", "MiB", spread([grown])),
        Figure(section, "growth of BPF maps", "MiB", spread([grown_maps])),
        Figure(
            section, "requests counted under ~other", "requests",
            spread([snapshot["health"]["overflow_requests"]]),
        ),
    ]  # fmt: skip
