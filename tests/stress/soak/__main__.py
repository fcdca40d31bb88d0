"""Half an hour of connections that come and go beside `httptop -b --format json`.

`make test-soak` runs it. Each minute it prints memory, descriptors and the sizes of the maps, and
at the end it compares the counts of each kind of connection with what was done. The status is 0
where everything is flat and exact. HTTPTOP_SOAK_MINUTES and HTTPTOP_SOAK_RATE (connections a
second) change the length and the pace; HTTPTOP_SOAK_SEED draws others. HTTPTOP_SOAK_ALONE=yes adds
`--comm` with the workers' name, for a host where others' requests would fill memory meanwhile.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, Final

from tests.stress.soak.gauges import Gauge, contents, look, maps_of, ownerless
from tests.stress.soak.shapes import drawn, live_through
from tests.stress.tallies import Tally, differences

#: The workers' process name: two soaks at a time do not see each other.
COMM: Final = f"soak-{os.getpid()}"
ALONE: Final = bool(os.environ.get("HTTPTOP_SOAK_ALONE"))
ROOT: Final = "/soak"
#: A worker lives so long: processes come and go, too.
WORKER_S: Final = 10
#: What memory may gain from a third of the run on, when windows and caches are full.
MOST_GAIN: Final = 0.05


class Httptop:
    """The command as users run it, and its last snapshot."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "httptop", "-b", "--format", "json"]
        if ALONE:
            command += ["--comm", COMM]
        self.run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.last: dict[str, Any] = json.loads(self._lines().readline())
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _lines(self) -> Any:
        assert self.run.stdout is not None
        return self.run.stdout

    def _read(self) -> None:
        for line in self._lines():
            self.last = json.loads(line)

    def end(self) -> int:
        """End it as Ctrl-C does; its last snapshot is there afterwards."""
        self.run.terminate()
        self._reader.join(30)
        return self.run.wait(30)


def start_worker(seed: int, count: int, seconds: float) -> int:
    """Live through that many connections in that time, in a process of its own; return its id."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        Path("/proc/self/comm").write_text(COMM)
        dice, began = random.Random(-seed), time.monotonic()
        for number, shape in enumerate(drawn(seed, count)):
            ahead = began + seconds * number / count - time.monotonic()
            if ahead > 0.05:
                time.sleep(ahead)
            live_through(shape, dice, ROOT)
        status = 0
    finally:
        if status:
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(status)


def expected(seed: int, count: int) -> Tally:
    """Return what a worker's connections add up to."""
    tally: Tally = Counter()
    for shape in drawn(seed, count):
        for side, counts in (("server", shape.server), ("client", shape.client)):
            status = {"200": counts.answered, "unanswered": counts.unanswered}
            if shape.name == "tunnel":
                status = {"200": counts.answered - 1, "101": 1}
            for key, number in status.items():
                tally[side, shape.name, key] += number
    return +tally


def counted(snapshot: dict[str, Any]) -> Tally:
    """Return what httptop says of the same."""
    tally: Tally = Counter()
    for row in snapshot["endpoints"]:
        if row["process"] != COMM:
            continue
        shape = row["path"].removeprefix(ROOT + "/").split("/")[0]
        for status, number in (*row["status"].items(), ("unanswered", row["unanswered"])):
            tally[row["side"], shape, status] += number
    return +tally


def show(minute: float, done: int, seen: Gauge) -> str:
    """Return one line of the table."""
    maps = "  ".join(f"{name} {number:>4}" for name, number in seen.entries.items())
    return (
        f"{minute:5.1f} min  {done:>7} connections  RSS {seen.rss_bytes / 2**20:6.1f} MiB in"
        f" {seen.processes} processes  {seen.fds} fds  {maps}"
    )


def faults_of(seen: list[Gauge], wanted: Tally, found: Tally, left: int) -> list[str]:
    """Return the figures that grow, or that are not exact."""
    faults = []
    settled, last = seen[len(seen) // 3], seen[-1]
    if last.rss_bytes > settled.rss_bytes * (1 + MOST_GAIN):
        faults.append(f"memory grew: {settled.rss_bytes} to {last.rss_bytes} bytes")
    if last.fds > settled.fds or last.processes > settled.processes:
        faults.append(f"descriptors grew: {settled.fds} to {last.fds}")
    if left:
        faults.append(f"{left} entries of what is gone are still in the maps")
    return faults + differences(wanted, found)


def main() -> int:
    """Soak, print, judge."""
    minutes = float(os.environ.get("HTTPTOP_SOAK_MINUTES", "30"))
    rate = int(os.environ.get("HTTPTOP_SOAK_RATE", "80"))
    seed = int(os.environ.get("HTTPTOP_SOAK_SEED", "1")) * 1_000_000
    os.nice(19)
    httptop = Httptop()
    maps = maps_of(httptop.run.pid)
    print(f"soak: {minutes:g} minutes, {rate} connections a second, seed {seed // 1_000_000}")
    wanted: Tally = Counter()
    done, seen, failed = 0, [look(httptop.run.pid, maps)], 0
    print(show(0, done, seen[0]), flush=True)
    began = noted = time.monotonic()
    while time.monotonic() - began < minutes * 60:
        count = rate * WORKER_S
        _, status = os.waitpid(start_worker(seed, count, WORKER_S), 0)
        failed += status != 0
        wanted += expected(seed, count)
        seed, done = seed + 1, done + count
        if time.monotonic() - noted >= 60:
            noted = time.monotonic()
            seen.append(look(httptop.run.pid, maps))
            print(show((noted - began) / 60, done, seen[-1]), flush=True)
    lasted = time.monotonic() - began
    time.sleep(3)  # two readings sweep what has just ended
    seen.append(look(httptop.run.pid, maps))
    left = sum(COMM.encode() in value for value in contents(maps["conns"]).values())
    # With a filter the connections that it leaves out are swept as well, and not in our maps.
    lists = ("queue",) if ALONE else ("queue", "swept_conns")
    first = ownerless(maps, *lists)
    time.sleep(2)
    left += len(first & ownerless(maps, *lists))
    print(show(lasted / 60, done, seen[-1]), flush=True)
    status = httptop.end()
    found = counted(httptop.last)
    faults = faults_of(seen, wanted, found, left)
    faults += [f"httptop ended with {status}"] if status else []
    faults += [f"{failed} workers failed"] if failed else []
    print(f"{done} connections in {lasted:.0f} s, {sum(wanted.values())} ends of requests")
    print(f"health {httptop.last['health']}\noverhead {httptop.last['overhead']}")
    print("\n".join(faults) if faults else "flat and exact")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
