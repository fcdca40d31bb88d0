"""Who asks for metrics waits here until the collector has made some."""

from __future__ import annotations

import threading
from collections.abc import Callable

from httptop.collect.metrics import Metrics


class _Asker:
    def __init__(self) -> None:
        self.answered = threading.Event()
        self.metrics: Metrics | None = None


class MetricsOnDemand:
    """Between the threads that ask and the one that answers.

    All that ask before a reading begins share it. Nothing is kept once they have it, but what is
    known at the end of the run.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._askers: list[_Asker] = []
        self._over = False
        self._last: Metrics | None = None

    def ask(self, wake: Callable[[], None], timeout_s: float) -> Metrics | None:
        """Return metrics of now, or the last ones; None: there were none within that time.

        ``wake`` wakes the thread that answers. Any thread may call it.
        """
        with self._lock:
            if self._over:
                return self._last
            asker = _Asker()
            self._askers.append(asker)
        wake()
        if not asker.answered.wait(timeout_s):
            with self._lock:
                if asker in self._askers:
                    self._askers.remove(asker)
        return asker.metrics

    def answer(self, make: Callable[[], Metrics]) -> None:
        """Make metrics if anybody waits for them."""
        with self._lock:
            askers, self._askers = self._askers, []
        if askers:
            _give(askers, make())

    def close(self, last: Metrics | None) -> None:
        """Have ``last`` be the answer from now on, unless another one is already."""
        with self._lock:
            if not self._over:
                self._over, self._last = True, last
            askers, self._askers = self._askers, []
        _give(askers, self._last)


def _give(askers: list[_Asker], metrics: Metrics | None) -> None:
    for asker in askers:
        asker.metrics = metrics
        asker.answered.set()
