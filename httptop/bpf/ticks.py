"""Wait from one reading to the next, and do meanwhile what the probes need.

Each tick, from one reading to the next, has room for three things::

    reading   timing          window of waits                     reading
    |─────────██████──────────────▒▒▒▒▒▒▒▒────────────────────────|
              20 ms, in every     a tenth of the tick, elsewhere
              other tick          in each

- The kernel times the programs right after every other reading.
- While a window is open it is noted when requests become ready to be read (bpf/c/wait.h).
- What the programs deferred is gone on with at once (backlog.py), but not while they are timed.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable
from typing import Final

#: For how long, and every how many ticks, the kernel times our programs.
_TIMING_S: Final = 0.02
_TIMING_TICKS: Final = 2
#: The window in which waits are noted: its share of each tick, and how long it may be. It lies
#: elsewhere in each tick, so that neither we nor traffic that keeps time with us decides what it
#: sees: the golden ratio spreads its places evenly, however many ticks there are.
_WAITS_SHARE: Final = 0.1
_WAITS_MOST_S: Final = 1.0
_GOLDEN: Final = 0.6180339887


class Ticks:
    """The waits of a run, one after the other; used by one thread."""

    def __init__(
        self,
        deferred: int,
        tend: Callable[[], None],
        time_programs: Callable[[bool], None],
        note_waits: Callable[[bool], None],
    ) -> None:
        """``deferred``: a descriptor that is readable when there is something for ``tend``.

        The other two begin, or end, a while in which the programs are timed and waits are noted.
        """
        self._deferred, self._tend = deferred, tend
        self._time_programs, self._note_waits = time_programs, note_waits
        self._readings = 0
        self._to_time = False  # in this tick, still

    def wait(self, since_s: float, due_s: float, woken: int) -> bool:
        """Wait as ``collect.source.Source.wait`` says."""
        if self._wait(since_s, due_s, woken):
            return True
        self._readings += 1
        self._to_time = self._readings % _TIMING_TICKS == 1
        return False

    def tend_until(self, at_s: float, woken: int) -> bool:
        """Wait, and go on with what is deferred; return whether ``woken`` ended that."""
        waiting = select.poll()
        for descriptor in (woken, self._deferred):
            waiting.register(descriptor, select.POLLIN)
        while True:
            left_s = max(0.0, at_s - time.monotonic())
            ready = [descriptor for descriptor, _ in waiting.poll(math.ceil(left_s * 1000))]
            if woken in ready:
                return True
            if ready:
                self._tend()
            if time.monotonic() >= at_s:
                return False

    def _wait(self, since_s: float, due_s: float, woken: int) -> bool:
        if self._to_time:
            self._to_time = False
            self._time_programs(True)
            ended = _readable(woken, _TIMING_S)
            self._time_programs(False)
            if ended:
                return True
        tick_s = due_s - since_s
        length_s = min(_WAITS_SHARE * tick_s, _WAITS_MOST_S)
        end_s = due_s - self._readings * _GOLDEN % 1 * (tick_s - length_s)
        if end_s > time.monotonic():
            if self.tend_until(end_s - length_s, woken):
                return True
            self._note_waits(True)
            ended = self.tend_until(end_s, woken)
            self._note_waits(False)
            if ended:
                return True
        return self.tend_until(due_s, woken)


def _readable(descriptor: int, timeout_s: float) -> bool:
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(timeout_s * 1000))
