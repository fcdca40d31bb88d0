"""The collector: a thread that reads the source once a tick and publishes a frozen Snapshot.

Readings come as growth by cell (httptop/readings.py); rows (httptop/rows.py) add it up. The
thread alone touches rows and source; what leaves it is immutable.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from httptop import histogram
from httptop.http1 import answer_length, path_in
from httptop.model import (
    OVERFLOW_PATH,
    SIDES,
    EndpointKey,
    EndpointStats,
    Health,
    Overhead,
    Side,
    Snapshot,
    Transaction,
    clean,
)
from httptop.overhead import OverheadMeter
from httptop.readings import Growth, Losses, RawAnswer, RawEndpoint, RawSample, Reading, Source
from httptop.rows import Row, SideRow
from httptop.scope import Scope
from httptop.settings import Settings
from httptop.windows import SLOTS

#: Status of cells whose answers were too fast to count (bpf/types.h).
_BELOW_MIN_LATENCY: Final = 0xFFFF
_RECENT_EACH: Final = 100
_MOST_PIDS: Final = 16
#: For how long, and every how many ticks, the kernel times our programs.
_TIMING_S: Final = 0.02
_TIMING_TICKS: Final = 2
#: ``early``: how often to look for the first row until the first tick.
_LOOK_S: Final = 0.05


class Collector:
    """Makes snapshots of a source; a :class:`httptop.feed.Feed`."""

    def __init__(
        self,
        source: Source,
        settings: Settings,
        scope: Scope,
        *,
        host: str | None = None,
        meter: OverheadMeter | None = None,
        early: bool = False,
    ) -> None:
        """``early``: show the first rows, for a screen, as soon as there are any."""
        self._source, self._scope = source, scope
        self._tick_s, self._window_s = settings.general.tick_s, settings.general.window_s
        self._slow_ns = settings.sampling.slow_threshold_ns
        self._host = clean(socket.gethostname().encode()) if host is None else host
        self._meter = meter or OverheadMeter()
        self.early = early
        self._rows: dict[int, Row] = {}  # by the endpoint's cell; only those in scope
        self._overflow: list[Row] = []  # of these, the ones for what had no room
        self._answers: dict[int, RawAnswer] = {}
        self._endpoints: dict[int, RawEndpoint] = {}
        self._sides: dict[Side, SideRow] = {side: SideRow() for side in SIDES}
        self._active: set[int] = set()  # cells of rows with something in their window
        self._stats: dict[int, EndpointStats] = {}
        self._ordinary: deque[Transaction] = deque(maxlen=_RECENT_EACH)
        self._notable: deque[Transaction] = deque(maxlen=_RECENT_EACH)
        self._serial = 0
        self._tick = 0
        self._slot = 0
        self._late_ticks = 0
        self._notes: tuple[str, ...] = ()
        self._started_s = 0.0
        self._last_s = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._final: Snapshot | None = None

    # ---- the thread --------------------------------------------------------------------------

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        """Start the thread; see Feed."""
        self._thread = threading.Thread(
            target=self._run, args=(publish, fail), name="collector", daemon=True
        )
        self._thread.start()

    def stop(self) -> Snapshot | None:
        """End the thread and return the last snapshot; None where there never was one."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        else:
            self._source.close()
        return self._final

    def _run(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        try:
            self._notes = self._source.open()
            self.begin(time.monotonic())
            self._loop(publish)
            self._source.detach()
            # A program that was running on another CPU when the link was closed ends within
            # microseconds; its count belongs to the last snapshot.
            time.sleep(0.002)
            self._final = self.step(time.monotonic(), time.time(), final=True)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that can show it
            fail(error)
        finally:
            self._source.close()

    def _look(self, publish: Callable[[Snapshot], None]) -> None:
        """Publish at once, and again when the first rows are there, if before the first tick."""
        publish(self.glimpse(time.monotonic(), time.time()))
        last_s = self._started_s + self._tick_s - 2 * _LOOK_S
        while not self._rows and time.monotonic() < last_s and not self._stopping.wait(_LOOK_S):
            snapshot = self.glimpse(time.monotonic(), time.time())
            if self._rows:
                publish(snapshot)

    def _loop(self, publish: Callable[[Snapshot], None]) -> None:
        due_s = self._started_s + self._tick_s
        while not self._stopping.wait(max(0.0, due_s - time.monotonic())):
            now_s = time.monotonic()
            if now_s - due_s > self._tick_s / 2:
                self._late_ticks += 1
                due_s += (now_s - due_s) // self._tick_s * self._tick_s
            publish(self.step(now_s, time.time()))
            due_s += self._tick_s
            if self._tick % _TIMING_TICKS == 1:
                self._source.time_programs(True)
                self._stopping.wait(_TIMING_S)
                self._source.time_programs(False)

    # ---- a tick ------------------------------------------------------------------------------

    def begin(self, now_s: float) -> None:
        """Set the start of the run, ``now_s`` on a monotonic clock."""
        self._started_s = self._last_s = now_s
        self._meter.measure(now_s, 0, None)

    def step(self, now_s: float, unix_s: float, *, final: bool = False) -> Snapshot:
        """Read the source and return the snapshot of this moment."""
        self._tick += 1
        reading, uptime_s = self._read(now_s, unix_s)
        elapsed_s, self._last_s = now_s - self._last_s, now_s
        for side in self._sides.values():
            side.end_tick(self._slot, elapsed_s)
        for cell in self._active:
            self._rows[cell].end_tick(self._tick)
        overhead = self._meter.measure(now_s, len(reading.samples), reading.cost)
        return self._snapshot(reading, overhead, uptime_s, unix_s, final)

    def glimpse(self, now_s: float, unix_s: float) -> Snapshot:
        """Return a snapshot within a tick, which goes on: trends and own cost wait for its end."""
        reading, uptime_s = self._read(now_s, unix_s)
        return self._snapshot(reading, Overhead(), uptime_s, unix_s, False)

    def _read(self, now_s: float, unix_s: float) -> tuple[Reading, float]:
        """Read the source into the rows; return what it said, and the uptime."""
        reading = self._source.read()
        uptime_s = now_s - self._started_s
        self._move_window(uptime_s)
        self._learn(reading)
        touched: set[int] = set()
        for grown in reading.growth:
            self._count(grown, touched)
        self._active |= touched
        for sample in reading.samples:
            self._keep_sample(sample, unix_s - now_s)
        return reading, uptime_s

    def _move_window(self, uptime_s: float) -> None:
        slot = int(uptime_s * SLOTS / self._window_s)
        if slot == self._slot:
            return
        self._slot = slot
        for side in self._sides.values():
            side.window.expire(slot)
        for cell in list(self._active):
            if not self._rows[cell].window.expire(slot):
                self._active.discard(cell)
                self._stats[cell] = self._rows[cell].stats(1.0)

    def _learn(self, reading: Reading) -> None:
        """Note what new cells are for."""
        self._answers.update(reading.answers)
        for cell, raw in reading.endpoints.items():
            if cell in self._endpoints:
                continue
            self._endpoints[cell] = raw
            key = _key(raw)
            if self._scope.admits_key(key):
                row = self._rows[cell] = Row(key)
                if key.path == OVERFLOW_PATH:
                    self._overflow.append(row)
        if reading.users is not None:
            pids: dict[int, set[int]] = {}
            for cell, pid in reading.users:
                pids.setdefault(cell, set()).add(pid)
            for cell, seen in pids.items():
                if (known := self._rows.get(cell)) is not None:
                    known.pids = tuple(sorted(seen)[:_MOST_PIDS])

    def _count(self, grown: Growth, touched: set[int]) -> None:
        """Add a cell's growth to its row and its side."""
        answer = self._answers.get(grown.cell)
        cell = grown.cell if answer is None else answer.endpoint
        row = self._rows.get(cell)
        if row is None:
            return  # out of scope
        touched.add(cell)
        tick = self._sides[row.key.side].tick
        if answer is None:
            row.started += grown.counted
            row.settled += grown.unanswered + grown.moved
            row.request_bytes += grown.bytes
            tick.started += grown.counted
            tick.settled += grown.unanswered + grown.moved
            tick.request_bytes += grown.bytes
            if grown.unanswered and self._scope.admits(row.key, 0):
                row.count_unanswered(self._slot, grown.unanswered)
                tick.unanswered += grown.unanswered
            return
        row.settled += grown.counted
        tick.settled += grown.counted
        status = answer.status
        if status == _BELOW_MIN_LATENCY or not self._scope.admits(row.key, status):
            return
        row.count_answers(
            self._slot,
            status,
            grown.counted,
            grown.bytes,
            grown.latency_sum_ns,
            grown.latency_max_ns,
            grown.histogram,
        )
        row.tick_sum_ns += grown.latency_sum_ns
        row.tick_count += grown.counted
        tick.response_bytes += grown.bytes
        tick.sum_ns += grown.latency_sum_ns
        tick.max_ns = max(tick.max_ns, grown.latency_max_ns)
        if grown.counted:
            tick.status[status] = tick.status.get(status, 0) + grown.counted
        histogram.add(tick.histogram, grown.histogram)

    def _keep_sample(self, sample: RawSample, unix_offset_s: float) -> None:
        row = self._rows.get(sample.endpoint)
        if row is None or not self._scope.admits(row.key, sample.status):
            return
        self._serial += 1
        slow = sample.latency_ns >= self._slow_ns
        transaction = Transaction(
            self._serial,
            sample.start_ns / 1e9 + unix_offset_s,
            row.key,
            sample.pid,
            path_in(sample.line, sample.line_cut) if sample.line else row.key.path,
            sample.status,
            sample.latency_ns,
            sample.request_bytes,
            answer_length(sample.answer, row.key.method, sample.status),
            sample.peer,
            slow,
        )
        notable = slow or sample.status >= 400
        (self._notable if notable else self._ordinary).append(transaction)

    # ---- the snapshot ------------------------------------------------------------------------

    def _snapshot(
        self, reading: Reading, overhead: Overhead, uptime_s: float, unix_s: float, final: bool
    ) -> Snapshot:
        oldest_s = max(0, self._slot - SLOTS + 1) * self._window_s / SLOTS
        covered_s = uptime_s - oldest_s
        for cell in self._active:
            self._stats[cell] = self._rows[cell].stats(covered_s)
        losses = reading.losses
        recent = sorted(
            (*self._ordinary, *self._notable), key=lambda sample: sample.serial, reverse=True
        )
        return Snapshot(
            taken_at=unix_s,
            host=self._host,
            uptime_s=uptime_s,
            interval_s=self._tick_s,
            window_s=self._window_s,
            totals={side: row.totals(covered_s) for side, row in self._sides.items()},
            endpoints=tuple(
                stats for stats in self._stats.values() if stats.requests or stats.in_flight
            ),
            recent=tuple(recent),
            health=Health(
                orphan_responses=losses.orphan_responses,
                lost_samples=losses.lost_samples,
                overflow_requests=sum(row.requests for row in self._overflow),
                parse_errors=losses.parse_errors,
                late_ticks=self._late_ticks,
                missed_calls=losses.missed_calls,
            ),
            overhead=overhead,
            final=final,
            notes=self._notes + _notes_on(losses),
        )


def _notes_on(losses: Losses) -> tuple[str, ...]:
    if not losses.untracked_requests:
        return ()
    return (
        f"{losses.untracked_requests} requests came while performance.max_connections connections "
        "were followed already; they are counted under ~other, their outcome is unknown",
    )


def _key(raw: RawEndpoint) -> EndpointKey:
    path = clean(raw.path) + ("…" if raw.truncated else "")
    protocol = f"HTTP/1.{raw.minor}"
    return EndpointKey(SIDES[raw.side], clean(raw.process), protocol, False, raw.method, path)
