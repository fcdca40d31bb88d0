"""The collector: a thread that reads the source once a tick and publishes a frozen Snapshot.

The source adds up by row what its cells count (collect/sums.py); collect/endpoints.py says which
cells are a row. The thread alone touches rows and source; what leaves it is immutable, and what
comes in, other settings, waits for its next step.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from httptop.collect.endpoints import EndpointRows
from httptop.collect.governor import Governor, controls_of
from httptop.collect.in_flight_look import InFlightLook
from httptop.collect.metrics import Metrics
from httptop.collect.metrics_on_demand import MetricsOnDemand
from httptop.collect.new_requests import NewRequests
from httptop.collect.overhead import OverheadMeter
from httptop.collect.path_rules import PathRules
from httptop.collect.reading_facts import health_of, notes_on, protocols_of
from httptop.collect.samples import RecentRequests
from httptop.collect.source import Controls, Interrupted, KernelCost, Losses, Reading, Source
from httptop.collect.window import MOST_BYTES, Window
from httptop.config.scope import Scope
from httptop.config.settings import Settings
from httptop.filters.on_screen import ScreenFilter
from httptop.linux.stretches import give_way
from httptop.linux.wakeup import Wakeup
from httptop.model import EndpointKey, Health, Overhead, Snapshot
from httptop.printable import clean

if TYPE_CHECKING:
    from httptop.collect.exported_series import ExportedSeries

#: How often, and for how long, to check for the first rows before the first tick.
_LOOK_S: Final = 0.05
_LOOKING_S: Final = 2.0

_CUT: Final = (
    "rates and latencies cover less time than they should: so many endpoints are active, or come "
    f"and go, that the window would take more than {MOST_BYTES >> 20} MiB, or has no room for more"
)

#: Makes the context that a collector's ticks run in; its argument is a descriptor (see Collector).
Around = Callable[[int], AbstractContextManager[tuple[str, ...]]]


def _nothing_around(_: int) -> AbstractContextManager[tuple[str, ...]]:
    return contextlib.nullcontext(())


class Collector:
    """Makes snapshots from a source; a :class:`httptop.collect.feed.Feed`."""

    def __init__(
        self,
        source: Source,
        settings: Settings,
        scope: Scope,
        *,
        around: Around = _nothing_around,
        host: str | None = None,
        meter: OverheadMeter | None = None,
        first_rows_at_once: bool = False,
        written: bool = False,
        exported: bool = False,
        methods: frozenset[str] | None = None,
        kept_s: float = 0.0,
        news: Callable[[], tuple[str, ...]] = tuple,
        cpu_s: Callable[[], float] = time.thread_time,
    ) -> None:
        """``around`` returns a context manager, entered by the thread around its use of the source.

        ``around`` gets a descriptor that is readable once the run is to end. The context yields
        sentences about what cannot be seen, or raises :class:`Interrupted`.
        ``first_rows_at_once``: make a snapshot as soon as there are rows, before the first tick.
        ``written``: whether snapshots are written with all they have, to a capture or as JSON.
        ``exported``: whether outputs will ask for metrics, or nothing is kept for them;
        ``methods``: those that they tell apart, None: all.
        ``kept_s``: for how long what has left the window is kept, for a longer one.
        ``news`` returns sentences on what has changed since. ``cpu_s``: the CPU time of the thread.
        """
        self._source, self._settings = source, settings
        self._around = around
        self._window = Window(settings.general.window_s, kept_s)
        self._window_is_cut = False  # since it was asked for
        self._asked_window_s: deque[float] = deque(maxlen=1)
        self._host = clean(socket.gethostname().encode()) if host is None else host
        self._meter = meter or OverheadMeter()
        self._governor = Governor()
        self.first_rows_at_once = first_rows_at_once
        self._written = written
        self._exported, self._methods = exported, methods
        self._on_demand = MetricsOnDemand()
        self._overhead = Overhead()  # of the last tick
        #: Of readings since the last tick: samples, and the latest cost.
        self._samples_read = 0
        self._cost: KernelCost | None = None
        self._news = news
        self._looks_at: EndpointKey | None = None
        self._filter: ScreenFilter | None = None
        self._scope = scope
        self._rows: EndpointRows | None = None  # since the run has begun
        #: For each destination of the log of requests, what is new.
        self.new_requests = tuple(NewRequests() for _ in settings.request_log.to)
        #: Those that spans are made of; None: none are.
        self.new_for_spans = (
            NewRequests() if settings.otlp.endpoint and settings.otlp.spans else None
        )
        also = () if self.new_for_spans is None else (self.new_for_spans,)
        self._recent = RecentRequests(settings, scope, (*self.new_requests, *also))
        self._controls: Controls | None = None
        self._in_flight = InFlightLook(source, cpu_s)
        self._late_ticks = 0
        self._notes: tuple[str, ...] = ()
        self._started_s = self._began_at = 0.0
        self._last_s = 0.0
        self._handed_in: deque[Settings] = deque(maxlen=1)
        self._stopping = threading.Event()
        #: Wake the thread: for any news, and for the end of the run only.
        self._wakeups: tuple[Wakeup, ...] = ()
        self._wakeup_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._final: Snapshot | None = None

    @property
    def _tick_s(self) -> float:
        return self._settings.general.tick_s

    # ---- the thread --------------------------------------------------------------------------

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        """Start the thread; see Feed."""
        self._wakeups = woken, to_end = Wakeup(), Wakeup()
        self._thread = threading.Thread(
            target=self._run, args=(publish, fail, woken, to_end), name="collector", daemon=True
        )
        self._thread.start()

    def apply(self, settings: Settings) -> None:
        """Use other settings from the next step on, or immediately if the thread is waiting."""
        self._handed_in.append(settings)
        self._wake()

    def look_at(self, key: EndpointKey | None) -> None:
        """Have snapshots hold more of an endpoint; see Feed."""
        self._looks_at = key

    def set_window(self, seconds: float) -> None:
        """Have rates and latencies cover another time; see Feed."""
        if not self._written:
            self._asked_window_s.append(seconds)

    def look_in_flight(self, on: bool) -> None:
        """Have snapshots hold the requests in flight; see Feed."""
        self._in_flight.asked = on

    def filter_by(self, ready: ScreenFilter | None) -> None:
        """Have snapshots hold what a filter of the screen picks; see Feed."""
        self._filter = ready

    def metrics(self, timeout_s: float) -> Metrics | None:
        """Return what outputs of metrics send; see Feed."""
        if not self._exported:
            return None
        return self._on_demand.ask(self._wake, timeout_s)

    def stop(self) -> Snapshot | None:
        """End the thread and return the last snapshot; None if there never was one."""
        self._stopping.set()
        self._wake(to_end=True)
        if self._thread is not None:
            self._thread.join()
            self._close_wakeups()
        else:
            self._source.close()
        return self._final

    def _wake(self, *, to_end: bool = False) -> None:
        with self._wakeup_lock:
            for wakeup in self._wakeups[: 1 + to_end]:
                wakeup.set()

    def _close_wakeups(self) -> None:
        with self._wakeup_lock:
            wakeups, self._wakeups = self._wakeups, ()
        for wakeup in wakeups:
            wakeup.close()

    def _run(
        self,
        publish: Callable[[Snapshot], None],
        fail: Callable[[BaseException], None],
        woken: Wakeup,
        to_end: Wakeup,
    ) -> None:
        try:
            with self._around(to_end.reader) as self._notes:
                self.begin(time.monotonic(), time.time())
                if self.first_rows_at_once:
                    self._look(publish)
                self._loop(publish, woken)
            self._source.detach()
            # A program still running on another CPU when its link was closed ends within
            # microseconds; the last snapshot must include its counts.
            time.sleep(0.002)
            self._final = self.step(time.monotonic(), time.time(), final=True)
        except Interrupted:  # nothing was counted
            self._final = self._snapshot(Reading(), Overhead(), 0.0, time.time(), True)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that can show it
            fail(error)
        finally:
            self._on_demand.close(None)
            self._source.close()

    def _look(self, publish: Callable[[Snapshot], None]) -> None:
        """Publish the first rows as soon as they exist, if that is before the first tick."""
        last_s = self._started_s + min(self._tick_s, _LOOKING_S) - 2 * _LOOK_S
        while time.monotonic() < last_s and not self._stopping.wait(_LOOK_S):
            self._answer()
            snapshot = self.glimpse(time.monotonic(), time.time())
            if snapshot.endpoints:
                publish(snapshot)
                return

    def _loop(self, publish: Callable[[Snapshot], None], woken: Wakeup) -> None:
        before_s = self._started_s  # when the last tick was due
        while not self._stopping.is_set():
            due_s = before_s + self._tick_s
            if self._source.wait(before_s, due_s, woken.reader):
                woken.clear()
                tick_s = self._tick_s
                self._adopt()
                if self._tick_s < tick_s:
                    # It may be over already, which does not make the tick late.
                    before_s = max(before_s, time.monotonic() - self._tick_s)
                due_s = before_s + self._tick_s
                if time.monotonic() < due_s:  # or whoever asks all the time would hold the tick up
                    self._answer()
                    continue
            now_s = time.monotonic()
            if now_s - due_s > self._tick_s / 2:
                self._late_ticks += 1
                due_s += (now_s - due_s) // self._tick_s * self._tick_s
            publish(self.step(now_s, time.time()))
            self._answer()
            before_s = due_s

    # ---- a tick ------------------------------------------------------------------------------

    def begin(self, now_s: float, unix_s: float = 0.0) -> None:
        """Set the start of the run: ``now_s`` on a monotonic clock, ``unix_s`` Unix time."""
        self._started_s = self._last_s = now_s
        self._began_at = unix_s
        self._meter.measure(now_s, 0, None)
        self._rows = EndpointRows(
            self._source.sums,
            self._source.returns,
            self._source.parties,
            self._scope,
            PathRules(self._settings.paths.templates),
            max_distinct=self._settings.paths.max_distinct,
            max_not_found=self._settings.paths.max_not_found,
            history=self._settings.general.history,
            max_series=self._settings.metrics.max_series if self._exported else 0,
            methods=self._methods,
        )
        if self._rows.series is not None:
            self._rows.series.since = self._began_at
        self._adopt()
        self._control()

    def step(self, now_s: float, unix_s: float, *, final: bool = False) -> Snapshot:
        """Read the source and return the snapshot of this moment."""
        self._adopt()
        rows, reading, uptime_s = self._read(now_s, unix_s)
        elapsed_s, self._last_s = now_s - self._last_s, now_s
        give_way()
        rows.end_tick(elapsed_s, max(1, round(elapsed_s / self._tick_s)))
        if not final:
            rows.forget(now_s, self._settings.general.forget_s, self._source.names)
        give_way()
        overhead = self._meter.measure(now_s, self._samples_read, self._cost)
        self._samples_read, self._cost = 0, None
        if not final:
            self._governor.judge(overhead, self._settings.performance.max_overhead_percent)
            self._control()
        snapshot = self._snapshot(reading, overhead, uptime_s, unix_s, final)
        self._overhead = snapshot.overhead
        if rows.series is not None:
            if final:
                self._on_demand.close(self._metrics(rows.series, reading, now_s, unix_s))
            else:
                rows.series.look_after(now_s, unix_s)
        return snapshot

    def _answer(self) -> None:
        """Answer those who wait for metrics, if any, with a reading of their own."""
        self._on_demand.answer(lambda: self.read_metrics(time.monotonic(), time.time()))

    def read_metrics(self, now_s: float, unix_s: float) -> Metrics:
        """Read the source and return the metrics of this moment, which are exported."""
        rows, reading, _ = self._read(now_s, unix_s, in_flight=False)
        assert rows.series is not None
        return self._metrics(rows.series, reading, now_s, unix_s)

    def _metrics(
        self, series: ExportedSeries, reading: Reading, now_s: float, unix_s: float
    ) -> Metrics:
        """Return what outputs of metrics send, of what was read last."""
        rows = self._rows
        assert rows is not None
        return Metrics(
            taken_at=unix_s,
            began_at=self._began_at,
            host=self._host,
            series=series.read(now_s, unix_s),
            folded=series.folded,
            unmeasured=rows.unmeasured_latencies,
            health=self._health(reading.losses),
            overhead=self._overhead,
            other_protocols=protocols_of(reading),
            ended=series.ended,
            ended_requests=dict(series.ended_requests),
        )

    def glimpse(self, now_s: float, unix_s: float) -> Snapshot:
        """Return a snapshot within a tick, without advancing trends and own cost."""
        _, reading, uptime_s = self._read(now_s, unix_s)
        snapshot = self._snapshot(reading, Overhead(), uptime_s, unix_s, False)
        return replace(snapshot, early=True)

    def _adopt(self) -> None:
        """Adopt the window asked for, and the settings passed to :meth:`apply`, if any."""
        if self._asked_window_s:
            self._window.seconds, self._window_is_cut = self._asked_window_s.pop(), False
        if not self._handed_in:
            return
        before, self._settings = self._settings, self._handed_in.pop()
        self._recent.adopt(self._settings)
        templates = self._settings.paths.templates
        if templates != before.paths.templates:
            assert self._rows is not None
            self._recent.rename(self._rows.regroup(PathRules(templates)))
        self._control()

    def _control(self) -> None:
        """Pass the controls to the source if they have changed."""
        controls = controls_of(self._settings, self._governor.level)
        if controls != self._controls:
            self._controls = controls
            self._source.control(controls)

    def _read(
        self, now_s: float, unix_s: float, *, in_flight: bool = True
    ) -> tuple[EndpointRows, Reading, float]:
        """Read the source into the rows; return them, the reading, and the uptime in seconds."""
        rows = self._rows
        assert rows is not None
        rows.filter_by(self._filter, self._last_s - self._started_s)
        reading = self._source.read()
        self._samples_read += len(reading.samples)
        self._cost = reading.cost or self._cost
        give_way()
        uptime_s = now_s - self._started_s
        rows.count(self._window.slots(uptime_s), self._source.names)
        self._window_is_cut |= self._window.fit(self._source.sums)
        if in_flight:
            self._in_flight.read(rows, now_s, written=self._settings.output.in_flight)
        for sample in reading.samples:
            key = rows.key_of(sample.endpoint, sample.status)
            if key is not None:
                self._recent.add(sample, key, unix_s - now_s)
        return rows, reading, uptime_s

    def _snapshot(
        self, reading: Reading, overhead: Overhead, uptime_s: float, unix_s: float, final: bool
    ) -> Snapshot:
        give_way()
        covered_s = self._window.covered_s
        rows, looks_at = self._rows, self._looks_at
        in_flight = self._in_flight.latest
        read_s = uptime_s if in_flight is None else self._in_flight.read_s - self._started_s
        return Snapshot(
            taken_at=unix_s,
            host=self._host,
            uptime_s=uptime_s,
            interval_s=self._tick_s,
            window_s=self._window.seconds,
            covered_s=covered_s,
            kept_s=self._window.kept_s,
            totals=rows.totals(covered_s) if rows else {},
            endpoints=rows.table(covered_s, written=self._written) if rows else (),
            recent=self._recent.newest_first(),
            health=self._health(reading.losses),
            overhead=replace(
                overhead,
                shed=self._governor.shed,
                window_bytes=self._source.sums.window_bytes if rows else None,
                tables=self._source.returns.tables() if rows else {},
            ),
            final=final,
            in_flight=None if in_flight is None else in_flight.requests,
            in_flight_cut=in_flight is not None and in_flight.cut,
            in_flight_for_screen=self._in_flight.for_screen,
            in_flight_age_s=uptime_s - read_s,
            filtered=rows.filtered() if rows else None,
            looked_at=rows.look_at(looks_at) if rows and looks_at else None,
            other_protocols=protocols_of(reading),
            notes=(
                *self._notes,
                *self._news(),
                *self._governor.notes,
                *([_CUT] if self._window_is_cut else []),
                *notes_on(reading.losses, rows.unmeasured_latencies if rows else 0),
                *(() if rows is None or rows.crowding is None else (rows.crowding,)),
            ),
        )

    def _health(self, losses: Losses) -> Health:
        overflow = self._rows.overflow_requests if self._rows else 0
        return health_of(losses, overflow, self._late_ticks)
