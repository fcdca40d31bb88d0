"""Play cases in several processes at once on each CPU, so that they preempt each other.

Where a program that the probes attached can be preempted, other processes may run the same programs
on that CPU before it goes on. On each CPU there are

- steady players, which play one case after the other, each in an order of its own;
- a sudden one, which sleeps after each piece and has real-time priority: when its timer fires, it
  preempts whatever runs there at once, programs included.

The players of a CPU use paths of their own, so what one spoils shows in the others' rows.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from httptop.conformance import sockets
from httptop.conformance.case import Case

#: A big host need not have hundreds of processes: the kernel is the same on each of its CPUs.
MOST_CPUS: Final = 8
PLAYERS: Final = 3  # on each CPU
SUDDEN: Final = PLAYERS - 1  # the number of the sudden one

#: How long they play; and how many cases a steady player plays at least, as slow hosts need.
PLAY_S: Final = 0.4
LEAST_CASES: Final = 50
#: After so long they are ended, however far they are.
PATIENCE_S: Final = 20.0

#: How long the sudden player sleeps, as multiples of the time that the piece before took.
_SLEEP: Final = (1.0, 3.0)
#: The CPU time that it may take without sleeping: a fault of ours must not stop a CPU's other work.
_LONGEST_RUN_US: Final = 500_000


@dataclass(frozen=True, slots=True)
class Played:
    """What a player has played."""

    player: int  # 0 to SUDDEN
    times: tuple[int, ...]  # how often each case
    fault: str = ""  # why it ended early


class Players:
    """The processes of one play; a context manager, which leaves none behind."""

    def __init__(self, cases: Sequence[Case], kind: str, *, patience_s: float = PATIENCE_S) -> None:
        """``kind`` is that of the sockets; each of the cases can be played on it."""
        self._cases = cases
        self._kind = kind
        self._patience_s = patience_s
        self._reports: dict[int, tuple[int, int]] = {}  # process: player, descriptor
        self._start = -1

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids; empty if there are none."""
        return tuple(self._reports)

    def __enter__(self) -> Self:
        """Start the processes; they wait for :meth:`play`. Raises OSError."""
        wait, self._start = os.pipe()
        try:
            for cpu in sorted(os.sched_getaffinity(0))[:MOST_CPUS]:
                for player in range(PLAYERS):
                    report, write = os.pipe()
                    pid = os.fork()
                    if not pid:
                        self._be(player, cpu, wait, write)
                    self._reports[pid] = player, report
                    os.close(write)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        finally:
            os.close(wait)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._start >= 0:
            os.close(self._start)
        for pid, (_, report) in self._reports.items():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(report)
        self._reports = {}

    def play(self, meanwhile: Callable[[], object]) -> list[Played]:
        """Have all of them play, call ``meanwhile`` again and again, and return what was played."""
        os.close(self._start)
        self._start = -1
        texts = {report: b"" for _, report in self._reports.values()}
        running = set(texts)
        deadline = time.monotonic() + self._patience_s
        with selectors.DefaultSelector() as reports:
            for report in running:
                reports.register(report, selectors.EVENT_READ)
            while running and time.monotonic() < deadline:
                for key, _ in reports.select(0.02):
                    if data := os.read(key.fd, 65536):
                        texts[key.fd] += data
                    else:
                        reports.unregister(key.fd)
                        running.remove(key.fd)
                meanwhile()
        return [
            self._played(player, texts[report], report in running)
            for player, report in self._reports.values()
        ]

    def _played(self, player: int, text: bytes, running: bool) -> Played:
        with contextlib.suppress(ValueError):
            times, fault = json.loads(text)
            return Played(player, tuple(times), fault)
        fault = f"was not done after {self._patience_s} s" if running else "ended without a word"
        return Played(player, (0,) * len(self._cases), f"a process {fault}")

    def _be(self, player: int, cpu: int, wait: int, write: int) -> None:
        """Be a player, in a process of its own; never return."""
        status = 1
        try:
            os.close(self._start)  # or the end of the others' wait would never come
            os.sched_setaffinity(0, {cpu})
            pause = _sudden() if player == SUDDEN else None
            os.read(wait, 1)
            times, fault = self._perform(player, pause)
            os.write(write, json.dumps([times, fault]).encode())
            status = 0
        finally:
            os._exit(status)

    def _perform(self, player: int, pause: Callable[[], None] | None) -> tuple[list[int], str]:
        order = list(range(len(self._cases)))
        random.Random(player).shuffle(order)
        times = [0] * len(order)
        began, played = time.monotonic(), 0
        while True:
            for number in order:
                case = self._cases[number]
                try:
                    with sockets.connected(self._kind) as ends:
                        sockets.perform(case, path_of(player), ends, pause)
                except (OSError, sockets.Stuck) as error:
                    return times, f"{case.name} could not be played: {error}"
                times[number] += 1
                played += 1
                over = time.monotonic() - began > PLAY_S
                if over and (pause is not None or played >= LEAST_CASES):
                    return times, ""


def path_of(player: int) -> str:
    """Return the path of a player's requests; no case of its own has it (``case.path_of``)."""
    return "/selftest-" + "stuvwxyz"[player]


def _sudden() -> Callable[[], None]:
    """Take real-time priority, or else the highest there is; return what to call after a piece."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_RTTIME, (_LONGEST_RUN_US, _LONGEST_RUN_US))
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    if os.sched_getscheduler(0) != os.SCHED_FIFO:  # as in containers
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, -20)
    rng = random.Random(0)
    woke = time.monotonic()

    def pause() -> None:
        nonlocal woke
        time.sleep((time.monotonic() - woke) * rng.uniform(*_SLEEP))
        woke = time.monotonic()

    return pause
