"""Every request vector to every server, in every manner: httptop's rows are wire and log."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from httptop.config.scope import limited
from tests.live.live import Watch
from tests.suites.compare import Difference, Seen, differences, logged_in, observed, seen_in
from tests.suites.play import MANNERS, SECOND_PATH, Exchange, Played, play
from tests.suites.vectors import Vector
from tests.zoo.running import Running, Server, running
from tests.zoo.servers import SERVERS

_BATCH: Final = 64
_SETTLE_S: Final = 0.4
#: Probes are begun anew after so many exchanges: every endpoint that was seen adds to a reading.
_MOST: Final = 1500

_WANTED: Final = (
    "nginx", "Apache event", "Node http", "Go net/http", "gunicorn gthread", "aiohttp", "lighttpd",
)  # fmt: skip


@dataclass(slots=True)
class Result:
    """What a server's exchanges came to."""

    name: str
    played: int = 0
    different: list[tuple[Exchange, list[Difference]]] = field(default_factory=list)


def servers() -> list[Server]:
    """Return the servers that are installed."""
    by_name = {server.name: server for server in SERVERS}
    return [by_name[name] for name in _WANTED if Path(by_name[name].needs).exists()]


def exchanges_of(vectors: Sequence[Vector]) -> list[Exchange]:
    """Return every vector in every manner."""
    return [Exchange(vector, manner) for vector in vectors for manner in MANNERS]


class Subject(Protocol):
    """What is compared: it says what it saw of some connections."""

    def begin(self) -> None:
        """Expect connections."""

    def seen(self, played: Sequence[Played]) -> Seen:
        """Return what was counted since; asked again where it may still come."""


class Reference:
    """The observer of the conformance cases, fed with what went through."""

    def begin(self) -> None:
        """Nothing is to be done."""

    def seen(self, played: Sequence[Played]) -> Seen:
        """Return what the observer makes of it."""
        return observed(played)


class Probes:
    """httptop's probes, at work."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._before = Seen()

    def begin(self) -> None:
        """Note what was counted until now."""
        self._before = seen_in(self._watch.step())

    def seen(self, played: Sequence[Played]) -> Seen:  # noqa: ARG002
        """Return what was counted since."""
        return seen_in(self._watch.step()) - self._before


def play_all(
    server: Server, exchanges: Sequence[Exchange], work: Path, *, reference: bool = False
) -> Result:
    """Play the exchanges to one server; compare httptop's rows, or the reference's."""
    result = Result(server.name)
    with running(server, work, (SECOND_PATH,)) as one:
        for at in range(0, len(exchanges), _MOST):
            with contextlib.ExitStack() as stack:
                subject: Subject = Reference()
                if not reference:
                    scope = limited(f"port = {one.port}")
                    subject = Probes(stack.enter_context(Watch(scope=scope)))
                some = exchanges[at : at + _MOST]
                for begin in range(0, len(some), _BATCH):
                    batch = some[begin : begin + _BATCH]
                    result.different.extend(_differing(subject, one, batch))
                    result.played += len(batch)
    return result


def _differing(
    subject: Subject, one: Running, batch: Sequence[Exchange]
) -> Iterator[tuple[Exchange, list[Difference]]]:
    """Play a batch; where its sums differ, play its parts, down to single exchanges."""
    found = _played(subject, one, batch)
    if not found:
        return
    if len(batch) == 1:
        yield batch[0], found
        return
    size = max(1, len(batch) // 4)
    for at in range(0, len(batch), size):
        yield from _differing(subject, one, batch[at : at + size])


def _played(subject: Subject, one: Running, batch: Sequence[Exchange]) -> list[Difference]:
    subject.begin()
    position = one.log.stat().st_size
    played = play(batch, one.port)
    deadline = time.monotonic() + _SETTLE_S
    while True:
        with one.log.open("rb") as log:
            log.seek(position)
            logged = logged_in(log.read())
        came = [each.answers for each in played]
        found = differences(came, logged, subject.seen(played))
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)
