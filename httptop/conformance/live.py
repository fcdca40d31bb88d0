"""Play the cases on real sockets under the real probes, and compare the counts."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from httptop.bpf.source import LiveSource
from httptop.collect.metrics import Metrics
from httptop.collector import Collector
from httptop.config.scope import Scope
from httptop.config.settings import Settings
from httptop.conformance import at_once, sockets
from httptop.conformance.case import PATH, Case, path_of
from httptop.conformance.reference import Counted, Counts, Endpoint, expected
from httptop.model import EndpointStats, Health, Snapshot
from httptop.view.rows import rows_where

#: The kernel counts within the system call, but may learn of a connection's end later.
_PATIENCE_S: Final = 0.25
_KNOWN_PATIENCE_S: Final = 0.02
_PAUSE_S: Final = 0.002
#: Paths are reused, since each endpoint adds to the cost of every snapshot; late counts show up.
_PATHS: Final = 2
#: What is played at once on each CPU is no case of its own, but it has a result for each socket.
AT_ONCE: Final = Case("all of these in several processes at once on each CPU", "at once", (), ())
_NAME: Final = Path("/proc/self/comm")


@dataclass(frozen=True, slots=True)
class Result:
    """The result of playing a case on a kind of socket."""

    case: Case
    sockets: str
    differences: tuple[str, ...]  # sentences; empty: all counts are right

    @property
    def agrees(self) -> bool:
        """Whether exactly the expected counts were seen."""
        return not self.differences


class SteppedRun:
    """A source and its collector without a thread: the caller takes every snapshot.

    Each endpoint has a row of its own, also where it is never found.
    """

    def __init__(
        self, source: LiveSource, settings: Settings, scope: Scope, *, exported: bool = False
    ) -> None:
        """``exported``: whether there are metrics, too."""
        paths = replace(settings.paths, max_not_found=0)
        self.source = source
        self.collector = Collector(source, replace(settings, paths=paths), scope, exported=exported)

    def __enter__(self) -> Self:
        """Open the source; raises Unavailable if this host cannot be traced."""
        self.source.open()
        self.collector.begin(time.monotonic(), time.time())
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()

    def step(self) -> Snapshot:
        """Take a snapshot now."""
        return self.collector.step(time.monotonic(), time.time())

    def metrics(self) -> Metrics:
        """Take metrics now."""
        return self.collector.read_metrics(time.monotonic(), time.time())


class Stage:
    """Plays cases under probes, with a process name that no other process has."""

    def __init__(self, step: Callable[[], Snapshot]) -> None:
        """``step`` takes a snapshot of the whole host."""
        self._step = step
        self._name = f"selftest-{os.getpid()}"[:15]
        self._played = 0
        self._before: Counted = {}
        self._now: Counted = {}
        #: The whole host's, from the latest snapshot.
        self.health = Health()

    def play(self, case: Case, *, once: bool = False) -> Iterator[Result]:
        """Play a case on each of its kinds of sockets; ``once``: only on the first of them."""
        for kind in case.sockets[:1] if once else case.sockets:
            with self._renamed():
                yield Result(case, kind, tuple(self._play(case, kind)))

    def play_at_once(self, cases: Sequence[Case]) -> Iterator[Result]:
        """Play the cases in several processes at once on each CPU, on each kind of sockets."""
        counted = {case.name: expected(case, PATH, closed=True) for case in cases}
        for kind in AT_ONCE.sockets:
            playable = [case for case in cases if kind in case.sockets and not case.known]
            each = [counted[case.name] for case in playable]
            with self._renamed():
                yield Result(AT_ONCE, kind, tuple(self._play_at_once(playable, each, kind)))

    @contextlib.contextmanager
    def _renamed(self) -> Iterator[None]:
        called = _NAME.read_text().strip()
        _NAME.write_text(self._name)
        try:
            yield
        finally:
            _NAME.write_text(called)

    def _play(self, case: Case, kind: str) -> list[str]:
        path = path_of(self._played % _PATHS)
        self._played += 1
        patience_s = _KNOWN_PATIENCE_S if case.known else _PATIENCE_S
        wanted, at_last = expected(case, path), expected(case, path, closed=True)
        found: list[str] = []
        try:
            with sockets.connected(kind) as ends:
                sockets.perform(case, path, ends)
                if wanted != at_last:
                    found = self._compare(wanted, patience_s)
        except (OSError, sockets.Stuck) as error:
            found = [f"it could not be played: {error}"]
            self._now = self._rows()
        found = found or self._compare(at_last, patience_s)
        self._before = self._now
        return [text.replace(path, "$") for text in found]

    def _play_at_once(self, cases: Sequence[Case], each: Sequence[Counted], kind: str) -> list[str]:
        try:
            with at_once.Players(cases, kind) as players:
                played = players.play(self._step)
        except OSError as error:
            return [f"it could not be played: {error}"]
        faults = [player.fault for player in played if player.fault]
        found = faults or self._compare(sum_of(each, played), _PATIENCE_S)
        self._before = self._now = self._rows()
        return found

    def _compare(self, wanted: Counted, patience_s: float) -> list[str]:
        deadline = time.monotonic() + patience_s
        while True:
            self._now = self._rows()
            differences = difference(wanted, _grown(self._before, self._now))
            if not differences or time.monotonic() > deadline:
                return differences
            time.sleep(_PAUSE_S)

    def _rows(self) -> Counted:
        snapshot = self._step()
        self.health = snapshot.health
        found: Counted = {}
        for row in rows_where(snapshot.endpoints, lambda key: key.process == self._name):
            key = Endpoint(row.key.side, row.key.method, row.key.path, row.key.protocol)
            found.setdefault(key, Counts()).add(_counts(row), 1)  # at whatever port
        return found


def difference(wanted: Counted, seen: Counted) -> list[str]:
    """Return a sentence for each endpoint that differs; empty if none does."""
    nothing = Counts()
    return [
        f"{key.side} {key.method} {key.path} {key.protocol}:"
        f" expected {wanted.get(key, nothing)}, seen {seen.get(key, nothing)}"
        for key in sorted({*wanted, *seen})
        if wanted.get(key, nothing) != seen.get(key, nothing)
    ]


def sum_of(each: Sequence[Counted], played: Sequence[at_once.Played]) -> Counted:
    """Return the counts of all that was played; ``each`` case's are those under ``PATH``."""
    wanted: Counted = {}
    for player in played:
        path = at_once.path_of(player.player)
        for counted, times in zip(each, player.times, strict=True):
            for key, counts in counted.items() if times else ():
                ours = replace(key, path=key.path.replace(PATH, path))
                wanted.setdefault(ours, Counts()).add(counts, times)
    return wanted


def _counts(row: EndpointStats) -> Counts:
    return Counts(
        dict(row.status),
        row.unanswered,
        row.in_flight or 0,
        row.truncated,
        row.request_bytes,
        row.response_bytes,
    )


def _grown(before: Counted, after: Counted) -> Counted:
    """Return the growth of the counts; endpoints that have not grown are left out."""
    grown = {}
    nothing = Counts()
    for key, now in after.items():
        then = before.get(key, nothing)
        status = {code: n - then.status.get(code, 0) for code, n in now.status.items()}
        counts = Counts(
            {code: n for code, n in status.items() if n},
            now.unanswered - then.unanswered,
            now.in_flight - then.in_flight,
            now.truncated - then.truncated,
            now.request_bytes - then.request_bytes,
            now.response_bytes - then.response_bytes,
        )
        if counts != nothing:
            grown[key] = counts
    return grown
