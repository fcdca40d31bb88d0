"""Play the cases on real sockets under the real probes, and compare the counts."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from httptop.bpf.source import LiveSource
from httptop.collector import Collector
from httptop.config.scope import Scope
from httptop.config.settings import Settings
from httptop.conformance import sockets
from httptop.conformance.case import Case, path_of
from httptop.conformance.reference import Counted, Counts, Endpoint, expected
from httptop.model import EndpointStats, Health, Side, Snapshot

#: The kernel counts within the system call, but may learn of a connection's end later.
_PATIENCE_S: Final = 0.25
_KNOWN_PATIENCE_S: Final = 0.02
_PAUSE_S: Final = 0.002
#: Paths are reused, since each endpoint adds to the cost of every snapshot; late counts show up.
_PATHS: Final = 2
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
    """A source and its collector without a thread: the caller takes every snapshot."""

    def __init__(self, source: LiveSource, settings: Settings, scope: Scope) -> None:
        self.source = source
        self.collector = Collector(source, settings, scope)

    def __enter__(self) -> Self:
        """Open the source; raises Unavailable if this host cannot be traced."""
        self.source.open()
        self.collector.begin(time.monotonic())
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()

    def step(self) -> Snapshot:
        """Take a snapshot now."""
        return self.collector.step(time.monotonic(), time.time())


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
                _perform(case, path, ends)
                if wanted != at_last:
                    found = self._compare(wanted, patience_s)
        except (OSError, sockets.Stuck) as error:
            found = [f"it could not be played: {error}"]
            self._now = self._rows()
        found = found or self._compare(at_last, patience_s)
        self._before = self._now
        return [text.replace(path, "$") for text in found]

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
        return {
            Endpoint(row.key.side, row.key.method, row.key.path, row.key.protocol): _counts(row)
            for row in snapshot.endpoints
            if row.key.process == self._name
        }


def difference(wanted: Counted, seen: Counted) -> list[str]:
    """Return a sentence for each endpoint that differs; empty if none does."""
    nothing = Counts()
    return [
        f"{key.side} {key.method} {key.path} {key.protocol}:"
        f" expected {wanted.get(key, nothing)}, seen {seen.get(key, nothing)}"
        for key in sorted({*wanted, *seen})
        if wanted.get(key, nothing) != seen.get(key, nothing)
    ]


def _perform(case: Case, path: str, ends: sockets.Ends) -> None:
    """Perform the steps of a case."""
    client, server = ends
    unread = {"client": 0, "server": 0}  # bytes in transit, by their sender
    for step in case.steps:
        who: Side = step.who
        end, other = (client, server) if who == "client" else (server, client)
        if step.do == "close":
            end.close()
        elif step.do == "reset":
            sockets.reset(end)
        elif step.do == "half-close":
            end.shutdown(1)
        else:
            for data in case.played(step, path):
                unread[who] += sockets.move(end, other, data, step.manner)
            if step.manner.read != "never":
                unread[who] = sockets.take(other, unread[who], step.manner)


def _counts(row: EndpointStats) -> Counts:
    return Counts(
        dict(row.status), row.unanswered, row.in_flight, row.request_bytes, row.response_bytes
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
            now.request_bytes - then.request_bytes,
            now.response_bytes - then.response_bytes,
        )
        if counts != nothing:
            grown[key] = counts
    return grown
