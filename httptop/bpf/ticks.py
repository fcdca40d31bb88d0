"""Wait from one reading to the next, and meanwhile do what the probes need.

Each tick, from one reading to the next, may contain two activities::

    reading   timing          window of waits                     reading
    |─────────██████──────────────▒▒▒▒▒▒▒▒────────────────────────|
              20 ms, in every     a tenth of the tick, elsewhere
              other tick          in each

- The kernel times the programs right after every other reading.
- While a window is open, the programs record when requests become ready to be read (bpf/c/wait.h).
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable
from typing import Final

#: How long the kernel times our programs, and in every how many ticks.
_TIMING_S: Final = 0.02
_TIMING_TICKS: Final = 2
#: The window in which waits are measured: its share of each tick, and its longest duration. Its
#: position differs in each tick, so that periodic traffic, ours included, does not bias it: the
#: golden ratio spreads the positions evenly over any number of ticks.
_WAITS_SHARE: Final = 0.1
_WAITS_MOST_S: Final = 1.0
_GOLDEN: Final = 0.6180339887


class Ticks:
    """Waits for the ticks of a run; used by one thread."""

    def __init__(
        self,
        time_programs: Callable[[bool], None],
        note_waits: Callable[[bool], None],
    ) -> None:
        """``time_programs`` starts (True) or stops (False) the kernel's timing of the programs,
        ``note_waits`` the measurement of waits.
        """
        self._time_programs, self._note_waits = time_programs, note_waits
        self._readings = 0
        self._to_time = False  # whether the programs are yet to be timed in this tick

    def wait(self, since_s: float, due_s: float, woken: int) -> bool:
        """Wait as ``collect.source.Source.wait`` specifies."""
        if self._wait(since_s, due_s, woken):
            return True
        self._readings += 1
        self._to_time = self._readings % _TIMING_TICKS == 1
        return False

    def _wait(self, since_s: float, due_s: float, woken: int) -> bool:
        if self._to_time:
            self._to_time = False
            self._time_programs(True)
            ended = _readable_until(time.monotonic() + _TIMING_S, woken)
            self._time_programs(False)
            if ended:
                return True
        tick_s = due_s - since_s
        length_s = min(_WAITS_SHARE * tick_s, _WAITS_MOST_S)
        end_s = due_s - self._readings * _GOLDEN % 1 * (tick_s - length_s)
        if end_s > time.monotonic():
            if _readable_until(end_s - length_s, woken):
                return True
            self._note_waits(True)
            ended = _readable_until(end_s, woken)
            self._note_waits(False)
            if ended:
                return True
        return _readable_until(due_s, woken)


def _readable_until(at_s: float, descriptor: int) -> bool:
    """Wait until a time of the monotonic clock; return whether the descriptor ended the wait."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    left_s = max(0.0, at_s - time.monotonic())
    return bool(waiting.poll(math.ceil(left_s * 1000)))
