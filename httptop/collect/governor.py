"""How httptop keeps to its budget (``performance.max_overhead_percent``): it sheds detail.

At level 1 it takes no samples; at level 2 it does not record the parties to
requests (parties.py) either.
Counts are never shed. Detail is shed fast and restored slowly, with exponential back-off, so that a
load near the limit does not switch it on and off.
"""

from __future__ import annotations

from typing import Final

from httptop.collect.source import Controls
from httptop.config.settings import Settings
from httptop.model import Overhead

#: The detail shed at each level, as in Overhead.shed.
SHED: Final[tuple[tuple[str, ...], ...]] = ((), ("samples",), ("samples", "pids"))
_WORDS: Final = ("", "no samples are taken", "no samples are taken, processes are not recorded")
#: Ticks in a row over the budget before more is shed.
_PATIENCE: Final = 3
#: Ticks in a row well below it before a level is restored, at first and at most.
_CAUTION: Final = 10
_MOST_CAUTION: Final = 640
#: Of the budget.
_WELL_BELOW: Final = 0.7


class Governor:
    """Chooses a level from the cost of each tick; for the collector's thread alone."""

    def __init__(self) -> None:
        self.level = 0
        self._budget = 0.0
        self._over = 0
        self._below = 0
        self._caution = _CAUTION
        self._gave_back = False

    def judge(self, overhead: Overhead, budget_percent: float) -> int:
        """Return the level after a tick; percent of one core, a budget of 0 being no limit."""
        if budget_percent != self._budget:
            self._budget, self._caution, self._gave_back = budget_percent, _CAUTION, False
            self._over = self._below = 0
        if not budget_percent:
            self.level = 0
        elif overhead.cpu_percent is not None:
            self._weigh(overhead.cpu_percent + (overhead.bpf_cpu_percent or 0.0))
        return self.level

    def _weigh(self, percent: float) -> None:
        self._over = self._over + 1 if percent > self._budget else 0
        self._below = self._below + 1 if percent < _WELL_BELOW * self._budget else 0
        if self._over >= _PATIENCE and self.level < len(SHED) - 1:
            self.level += 1
            self._over = 0
            if self._gave_back:
                self._caution = min(2 * self._caution, _MOST_CAUTION)
                self._gave_back = False
        elif self._below >= self._caution and self.level:
            self.level -= 1
            self._below = 0
            self._gave_back = True

    @property
    def shed(self) -> tuple[str, ...]:
        """The detail that is shed now: ``"samples"``, ``"pids"``."""
        return SHED[self.level]

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence about what is shed now, if anything is."""
        if not self.level:
            return ()
        return (
            f"{_WORDS[self.level]}: httptop takes more than performance.max_overhead_percent "
            f"({self._budget:g} %); the counts are whole",
        )


def controls_of(settings: Settings, level: int = 0) -> Controls:
    """Return the controls of a source at a level of the governor."""
    sampling = settings.sampling
    return Controls(
        strategy=sampling.strategy,
        share=sampling.rate,
        per_second=0 if level >= 1 else sampling.per_second,
        burst=sampling.burst,
        slow_ns=sampling.slow_threshold_ns,
        most_samples=settings.performance.batch_size,
        parties=level < 2,
        templates=settings.paths.templates,
        keep=settings.paths.keep,
    )
