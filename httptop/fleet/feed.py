"""A feed that asks a Prometheus server, and needs neither root nor BCC nor probes.

A tick is a reading (reading.py). There is no snapshot without figures: while the server does not
answer, the last one stays, the screen says how old it is, and the user is told why.
"""

from __future__ import annotations

import threading
import time
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from httptop.collect.overhead import OverheadMeter
from httptop.collect.shown_rows import ShownRows
from httptop.config.scope import Scope
from httptop.config.settings import Fleet, Settings
from httptop.errors import HttptopError
from httptop.filters.on_screen import ScreenFilter
from httptop.fleet.address import Address
from httptop.fleet.client import Client
from httptop.fleet.hosts import health_of_all
from httptop.fleet.problems import FleetError
from httptop.fleet.reading import Reader, Reading
from httptop.fleet.rows import FleetRows
from httptop.fleet.totals import TREND_TICKS, SideTrends, totals_of
from httptop.model import SIDES, EndpointKey, Snapshot

#: Between two ticks at least so long, that is half a scrape, but no longer than this.
_LONGEST_PAUSE_S: Final = 5.0
#: After ticks that failed it waits twice as long each time, up to this.
_LONGEST_WAIT_S: Final = 30.0
#: How long the end waits for a query that is given up.
_END_S: Final = 1.0
_EMPTY: Final = (
    "Prometheus has no metrics of httptop: run httptop --prometheus on hosts, and have them scraped"
)


class FleetFeed:
    """Makes snapshots of a fleet; a :class:`httptop.collect.feed.Feed`."""

    def __init__(
        self,
        address: Address,
        fleet: Fleet,
        scope: Scope,
        settings: Settings,
        *,
        pace_s: float | None = None,
        tell: Callable[[str], None] = lambda _: None,
        opened: Callable[[], None] = lambda: None,
        client: Client | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``pace_s``: seconds between two ticks; None: as often as there may be something new.

        ``tell`` tells the user that the server does not answer, and that it does again. ``opened``
        is called before it is asked. ``clock`` returns seconds on a monotonic clock.
        """
        self._address, self._fleet = address, fleet
        self._client = client or Client(address)
        self._reader = Reader(self._client, scope, fleet.host_label, fleet.max_endpoints)
        self._tick_s, self._paced = settings.general.tick_s, pace_s is not None
        self._window_s = settings.general.window_s
        self._tell, self._opened, self._clock = tell, opened, clock
        self._meter = OverheadMeter()
        self._trends = {side: SideTrends() for side in SIDES}
        self._p99s: deque[array[float]] = deque(maxlen=TREND_TICKS)
        self._shown: ShownRows | None = None
        self._numbers = array("I")
        self._began_at: float | None = None
        self._scrape_s = 0.0
        self._last: Snapshot | None = None
        self._failures = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        """Start in a thread of its own; the first figures have to come, or it fails; see Feed."""
        self._opened()

        def run() -> None:
            try:
                self._run(publish)
            except Exception as error:  # noqa: BLE001 - whatever it is, the run must hear of it
                fail(error)

        self._thread = threading.Thread(target=run, name="fleet", daemon=True)
        self._thread.start()

    def apply(self, settings: Settings) -> None:
        """Adopt ``general.tick``; any thread may call it."""
        with self._changed:
            self._tick_s = settings.general.tick_s
            self._changed.notify()

    def look_at(self, key: EndpointKey | None) -> None:
        """Do nothing: there is no more of an endpoint; see Feed."""

    def set_window(self, seconds: float) -> None:
        """Have rates and latencies cover another time, four scrapes at least; see Feed."""
        with self._changed:
            self._window_s = seconds
            self._changed.notify()

    def look_in_flight(self, on: bool) -> None:
        """Do nothing: Prometheus knows how many there are, and nothing of each; see Feed."""

    def filter_by(self, ready: ScreenFilter | None) -> None:
        """Do nothing: the head has the sums of the rows that are shown; see Feed."""

    def metrics(self, timeout_s: float) -> None:
        """Return none: whoever wants a fleet's metrics asks its Prometheus; see Feed."""

    def stop(self) -> Snapshot | None:
        """Stop; return the last snapshot, marked final."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._client.abort()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_END_S)  # it may be looking up a name, which nothing ends
        return None if self._last is None else replace(self._last, final=True)

    # In the thread

    def _run(self, publish: Callable[[Snapshot], None]) -> None:
        due_s = self._clock()
        while self._wait(due_s):
            began_s = self._clock()
            try:
                snapshot = self.read()
            except FleetError as error:
                if self._stopping:
                    return
                if self._last is None:
                    raise HttptopError(f"Prometheus at {self._address}: {error}") from None
                self._failed(error)
                due_s = self._clock() + min(self._pause_s * 2**self._failures, _LONGEST_WAIT_S)
                continue
            if self._failures:
                self._failures = 0
                self._tell(f"Prometheus at {self._address} answers again.")
            # Half of the time at least the server has nothing to do for us.
            due_s = max(began_s + self._pause_s, 2 * self._clock() - began_s)
            self._last = snapshot
            publish(snapshot)

    def _wait(self, until_s: float) -> bool:
        """Wait for the next tick; return whether there is one."""
        window_s = self._window_s
        with self._changed:
            while not self._stopping and (left_s := until_s - self._clock()) > 0:
                if self._window_s != window_s:
                    break
                self._changed.wait(left_s)
            return not self._stopping

    @property
    def _pause_s(self) -> float:
        if self._paced:
            return self._tick_s
        return max(self._tick_s, min(self._scrape_s / 2, _LONGEST_PAUSE_S))

    def _failed(self, error: FleetError) -> None:
        self._failures = min(self._failures + 1, 10)
        if self._failures == 1:
            self._tell(f"Prometheus at {self._address}: {error}; it is asked again and again.")

    def read(self) -> Snapshot:
        """Return the snapshot of now; raise :class:`FleetError`. For the feed's thread alone."""
        try:
            with self._client.within(self._fleet.timeout_s):
                reading = self._reader.read(self._window_s)
        except ArithmeticError:  # as of many counts near the largest one
            raise FleetError("its figures are too large") from None
        return self._snapshot(reading)

    def _snapshot(self, reading: Reading) -> Snapshot:
        """Return the snapshot of a reading."""
        asked_s = self._window_s
        self._scrape_s = reading.scrape_s
        uptime_s = 0.0
        if self._began_at is None:
            self._began_at = reading.at
        else:
            uptime_s = max(0.0, reading.at - self._began_at)
        columns = reading.columns
        if self._shown is None or self._numbers != reading.numbers or self._renewed(reading):
            before = None if self._renewed(reading) else self._shown
            self._shown = ShownRows(reading.numbers, columns.registry.keys, before)
            self._numbers, self._registry = reading.numbers, columns.registry
        self._p99s.append(columns.p99_ns)
        pause_s = self._pause_s
        totals = {}
        for side in SIDES:
            found = totals_of(side, reading)
            trends = self._trends[side]
            trends.end_tick(found, reading.buckets.get(side), pause_s, native=reading.native)
            totals[side] = trends.with_trends(found)
        notes = [*reading.notes, *self._notes(reading)]
        return Snapshot(
            taken_at=reading.at,
            host=str(self._address),
            uptime_s=uptime_s,
            interval_s=pause_s,
            window_s=asked_s,
            covered_s=float(reading.window_s),
            totals=totals,
            endpoints=FleetRows(self._shown, columns, tuple(self._p99s)),
            health=health_of_all(reading.hosts),
            overhead=replace(self._meter.measure(self._clock(), 0, None), samples_per_s=None),
            notes=tuple(notes),
            hosts=reading.hosts,
        )

    def _renewed(self, reading: Reading) -> bool:
        """Return whether endpoints have other numbers than before."""
        if reading.columns.registry is getattr(self, "_registry", None):
            return False
        self._p99s.clear()
        return True

    def _notes(self, reading: Reading) -> list[str]:
        """Return what is to be known about a fleet's figures."""
        if not reading.hosts:
            return [_EMPTY]
        notes = ["counts of each host are since its own httptop started"]
        if reading.classic:
            notes.append(
                "percentiles are those of Prometheus' classic buckets, whose bounds are up to 2.5 "
                "times apart; native histograms are within 2.2 %, and fill the map of latencies"
            )
        down = [host.name for host in reading.hosts if not host.up]
        if down:
            more = f" and {len(down) - 3} more" if len(down) > 3 else ""
            notes.append(
                f"no figures any more of {', '.join(down[:3])}{more}: counts are their last"
            )
        return notes
