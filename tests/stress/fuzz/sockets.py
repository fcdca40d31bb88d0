"""Random conversations on live sockets under the real probes, for ten minutes.

`make test-fuzz` runs it: `python -m tests.stress.fuzz.sockets`. Processes of several threads each
talk over thousands of connections (conversations.py); at the end every well-formed request must
have been counted, with its status, on both sides, nothing else at all, and nothing may be left.

HTTPTOP_FUZZ_SECONDS, HTTPTOP_FUZZ_SEED, HTTPTOP_FUZZ_PROCESSES, HTTPTOP_FUZZ_THREADS and
HTTPTOP_FUZZ_KINDS (a comma-separated list) change what is done. Where a count is off,
HTTPTOP_FUZZ_STEP=yes has one conversation at a time and ends with the first that is counted
wrongly. HTTPTOP_FUZZ_FRONT chooses the way to see bytes: sockets or syscalls.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Final

from httptop.config.load import build
from httptop.model import IDLE_PATH, EndpointStats, Snapshot
from tests.live.live import Watch, new_path, rows_of
from tests.stress.fuzz.conversations import KINDS, Conversation, Doors, seeds
from tests.stress.soak.gauges import Map, contents, ownerless
from tests.stress.tallies import Tally, differences

COMM: Final = f"fuzz-{os.getpid()}"
#: A call that the kernel has missed may be a close: then the connection's entries are swept.
_SWEPT_S: Final = 20.0
DECOY: Final = "/fuzz-decoy"
#: Each path is a row for each of its methods, both sides, TCP and Unix, and each row has latencies
#: of all lengths, some 70 pages. Where these are too many, as on a busy machine, rows make room,
#: and what they have counted is in ~idle.
ROOMY: Final = build({"performance.max_endpoints": 16384, "performance.max_histograms": 65535})


def _outcomes(row: EndpointStats) -> dict[str, int]:
    found = {str(code): count for code, count in row.status.items()}
    return found | {"unanswered": row.unanswered, "in flight": row.in_flight or 0}


def counted(snapshot: Snapshot, root: str) -> Tally:
    """Return what was counted of our paths, and of those that must not be counted.

    What the row ``~idle`` has is under that path.
    """
    tally: Tally = Counter()
    idle = [row for row in snapshot.endpoints if row.key.path == IDLE_PATH]
    for row in (*rows_of(snapshot, root), *rows_of(snapshot, DECOY), *idle):
        if row.key.process == COMM:
            for outcome, count in _outcomes(row).items():
                tally[row.key.side, row.key.path, outcome] += count
    return +tally


def _talk(
    seed: str, root: str, doors: Doors, until: float, tally: Tally, faults: list[str]
) -> None:
    kinds = tuple(os.environ.get("HTTPTOP_FUZZ_KINDS", ",".join(KINDS)).split(","))
    for each in seeds(seed):
        if time.monotonic() >= until:
            return
        try:
            kind = Conversation(each, root, tally, doors).run(kinds)
        except Exception:
            faults.append(f"{each}: {traceback.format_exc()}")
            raise
        tally["", "conversations", kind] += 1


def _work(seed: str, root: str, doors: Doors, seconds: float, threads: int, report: int) -> None:
    """Talk in several threads; report what must be counted as JSON."""
    Path("/proc/self/comm").write_text(COMM)
    before = set(os.listdir("/proc/self/fd"))
    tallies: list[Tally] = [Counter() for _ in range(threads)]
    faults: list[str] = []
    until = time.monotonic() + seconds
    running = [
        threading.Thread(target=_talk, args=(f"{seed}/{number}", root, doors, until, tally, faults))
        for number, tally in enumerate(tallies)
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    gc.collect()
    left = set(os.listdir("/proc/self/fd")) - before
    if left:
        faults.append(f"{len(left)} descriptors are left over in a worker")
    total = sum(tallies, Counter())
    with os.fdopen(report, "w") as out:
        json.dump([[[*key, count] for key, count in total.items()], faults], out)


def start_worker(
    seed: str, root: str, doors: Doors, seconds: float, threads: int
) -> tuple[int, int]:
    """Start a process of talkers; return its id and where it reports."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    os.close(reader)
    status = 1
    try:
        _work(seed, root, doors, seconds, threads, writer)
        status = 0
    finally:
        if status:
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(status)


class Workers:
    """Processes that talk, and what they have said."""

    def __init__(self, seed: str, root: str, seconds: float, processes: int, threads: int) -> None:
        doors = Doors()
        started = [
            start_worker(f"{seed}/{number}", root, doors, seconds, threads)
            for number in range(processes)
        ]
        doors.close()
        self.tally: Tally = Counter()
        self.faults: list[str] = []
        self._lock = threading.Lock()
        self._readers = [threading.Thread(target=self._read, args=worker) for worker in started]
        for reader in self._readers:
            reader.start()

    def _read(self, pid: int, report: int) -> None:
        with os.fdopen(report) as lines:
            text = lines.read()
        _, status = os.waitpid(pid, 0)
        with self._lock:
            if status or not text:
                self.faults.append(f"a worker ended with {status}")
                return
            rows, faults = json.loads(text)
            self.faults += faults
            for side, path, outcome, count in rows:
                self.tally[side, path, outcome] += count

    @property
    def busy(self) -> bool:
        """Whether some still talk."""
        return any(reader.is_alive() for reader in self._readers)


def _kernel_log() -> list[str]:
    said = subprocess.run(["dmesg"], capture_output=True, text=True, check=False).stdout
    words = ("BUG", "WARNING", "Oops", "bpf", "BPF", "verifier")
    return [line for line in said.splitlines() if any(word in line for word in words)]


def left_over(watch: Watch) -> int:
    """Return how many entries of closed connections the probes' maps still hold."""
    maps = {name: Map.of(watch.probes.maps[name]) for name in ("conns", "queue", "swept_conns")}
    ours = sum(COMM.encode() in value for value in contents(maps["conns"]).values())
    first = ownerless(maps, "queue", "swept_conns")
    watch.step()  # which sweeps
    time.sleep(0.5)
    return ours + len(first & ownerless(maps, "queue", "swept_conns"))


def fuzz(
    watch: Watch, seed: str, seconds: float, processes: int = 2, threads: int = 4
) -> tuple[Tally, list[str]]:
    """Have conversations for a while; return what was sent, and the errors."""
    root, logged = new_path(), _kernel_log()
    workers = Workers(seed, root, seconds, processes, threads)
    while workers.busy:
        watch.step()  # which sweeps sockets that are gone
        time.sleep(0.2)
    said = workers.tally
    wanted = Counter({key: count for key, count in said.items() if key[0]})
    deadline = time.monotonic() + 5
    while faults := differences(wanted, counted(watch.step(), root)):
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    faults += workers.faults
    deadline = time.monotonic() + _SWEPT_S
    while (left := left_over(watch)) and time.monotonic() < deadline:
        time.sleep(0.5)
    if left:
        faults.append(f"{left} entries of closed connections are still in the maps")
    faults += [line for line in _kernel_log() if line not in logged]
    if lost := watch.step().health.lost_pieces:
        faults.append(f"{lost} pieces were lost")
    return said, faults


def step(watch: Watch, seed: str, seconds: float) -> list[str]:
    """Have one conversation at a time until one is miscounted; return the errors."""
    kinds = tuple(os.environ.get("HTTPTOP_FUZZ_KINDS", ",".join(KINDS)).split(","))
    Path("/proc/self/comm").write_text(COMM)
    until, doors = time.monotonic() + seconds, Doors()
    for each in seeds(f"{seed}/0/0"):
        if time.monotonic() > until:
            break
        root = new_path()
        wanted: Tally = Counter()
        kind = Conversation(each, root, wanted, doors).run(kinds)
        deadline = time.monotonic() + 1
        while faults := differences(wanted, counted(watch.step(), root)):
            if time.monotonic() > deadline:
                return [f"conversation {each} ({kind})", *faults]
            time.sleep(0.01)
    doors.close()
    return []


def main() -> int:
    """Talk, compare, tell."""
    seconds = float(os.environ.get("HTTPTOP_FUZZ_SECONDS", "600"))
    seed = os.environ.get("HTTPTOP_FUZZ_SEED", "1")
    processes = int(os.environ.get("HTTPTOP_FUZZ_PROCESSES", "2"))
    threads = int(os.environ.get("HTTPTOP_FUZZ_THREADS", "4"))
    descriptors = len(os.listdir("/proc/self/fd"))
    said: Tally = Counter()
    with Watch(ROOMY, fresh=True, front=os.environ.get("HTTPTOP_FUZZ_FRONT")) as watch:
        if os.environ.get("HTTPTOP_FUZZ_STEP"):
            faults = step(watch, seed, seconds)
        else:
            said, faults = fuzz(watch, seed, seconds, processes, threads)
    if (now := len(os.listdir("/proc/self/fd"))) > descriptors:
        faults.append(f"descriptors: {descriptors} before, {now} after")
    kinds = {key[2]: count for key, count in sorted(said.items()) if not key[0]}
    requests = sum(count for key, count in said.items() if key[0] == "server")
    print(f"sockets: {seconds:g} s with seed {seed}, {processes} processes of {threads} threads")
    print(f"sockets: {sum(kinds.values())} connections, {requests} requests: {kinds}")
    print("\n".join(faults) if faults else "sockets: every count is exact, nothing is left over")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
