"""When the requests in flight are read: they cost more than all else where very many are open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from httptop.collect.endpoints import EndpointRows
from httptop.collect.in_flight import InFlight, Pace
from httptop.collect.source import Source

#: Of a CPU, what reading them may take for the screen.
_SHARE: Final = 0.02


class InFlightLook:
    """The requests in flight, if somebody has asked for them; for the collector's thread alone."""

    def __init__(self, source: Source, cpu_s: Callable[[], float]) -> None:
        """``cpu_s``: the CPU time of the thread."""
        self._source, self._cpu_s = source, cpu_s
        self._pace = Pace(_SHARE)
        #: Whether the screen looks at them; any thread may set it.
        self.asked = False
        #: The latest reading, None: there is none; for the screen alone, and of when, monotonic.
        self.latest: InFlight | None = None
        self.for_screen = False
        self.read_s = 0.0

    def read(self, rows: EndpointRows, now_s: float, *, written: bool) -> None:
        """Read them if that is wanted; ``written``: output has them.

        For the screen alone they are read only if there are any, and if it is time to.
        """
        screen = self.for_screen = self.asked and not written
        if not (written or screen):
            self.latest = None
            return
        some = written or rows.any_in_flight
        before = self.latest is not None and self.latest.requests
        if screen and some and before and not self._pace.is_due(now_s):
            return
        began_s = self._cpu_s()
        requests, read_ns = self._source.in_flight() if some else ((), now_s * 1e9)
        self.latest = rows.in_flight(requests, read_ns)
        self.read_s = read_ns / 1e9
        self._pace.took(now_s, self._cpu_s() - began_s)
