"""What may be attached while something is measured: nothing, an empty program, httptop's probes.

All are loaded once and attached and detached in this process, so that states can be compared in
turns of a fraction of a second: on a machine whose speed changes, nothing else can be trusted. Each
time probes are attached, they forget what they know of connections (:func:`attach`).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from typing import Final

from httptop.bpf.abi import END, tracepoint_of
from httptop.bpf.build.child import Probes
from httptop.bpf.build.compiler import compile_module, instructions_of
from httptop.bpf.build.linker import Linked
from httptop.bpf.build.program import load
from httptop.bpf.plan import plan_of
from httptop.bpf.source import LiveSource
from httptop.collect.governor import controls_of
from httptop.collector import Collector
from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS
from httptop.linux import bpf_syscall
from httptop.linux.cpus import possible_cpus
from httptop.model import SIDES, Side
from httptop.output.json import to_json

NOTHING, EMPTY, HTTPTOP = "nothing", "empty", "httptop"
SETTLE_S: Final = 0.03

#: Maps that hold what is known of connections.
_OF_CONNECTIONS: Final = ("conns", "queue", "swept_conns")
_RAW_TRACEPOINT: Final = 17
_EMPTY_SOURCE: Final = "int empty(void *ctx)\n{\n\treturn 0;\n}\n"


def attach(probes: Probes) -> None:
    """Attach probes, and delete what they know of connections.

    The connections have lived on unseen, and requests or responses that passed meanwhile were
    missed; also while one of two tracepoints was attached and the other not yet. No httptop is
    detached and attached again: it meets each connection for the first time, and so they all are
    new here, once everything is attached.
    """
    probes.attach()
    for name in _OF_CONNECTIONS:
        descriptor = probes.maps[name]
        _, _, key_len, value_len, _, _ = bpf_syscall.map_info(descriptor)
        keys, _ = bpf_syscall.BatchReader(descriptor, key_len, value_len).read()
        for at in range(0, len(keys), key_len):
            bpf_syscall.map_delete(descriptor, keys[at : at + key_len])


class EmptyProgram:
    """A program that returns at once, on the tracepoints where probes see bytes pass."""

    def __init__(self, probes: Probes) -> None:
        code = instructions_of(compile_module(_EMPTY_SOURCE, {}), "empty")
        self.program = load(Linked(code, (0,)), "empty", _RAW_TRACEPOINT)
        self._points = sorted({tracepoint_of(name) for name in probes.points} - {END})
        self._links: list[int] = []

    def attach(self) -> None:
        """Attach it; idempotent."""
        if not self._links:
            for point in self._points:
                link = bpf_syscall.raw_tracepoint_open(self.program, point)
                os.set_inheritable(link, False)
                self._links.append(link)

    def detach(self) -> None:
        """Detach it; idempotent."""
        while self._links:
            os.close(self._links.pop())

    def close(self) -> None:
        """Unload it."""
        self.detach()
        os.close(self.program)


class Tracing:
    """One of the three at a time."""

    def __init__(self, sides: Iterable[Side] = SIDES) -> None:
        """Load the empty program and the probes of a default run on these sides."""
        settings = DEFAULTS
        scope = Scope(sides=frozenset(sides))
        self._source = LiveSource(plan_of(settings, scope, possible_cpus()), controls_of(settings))
        try:
            self._source.open()
            self.refused = self._source.notes
            self._empty = EmptyProgram(self.probes)
        except BaseException:
            self._source.close()
            raise
        self.state = HTTPTOP
        self._collector = Collector(self._source, settings, scope)
        self._collector.begin(time.monotonic())
        self._ticks = 0

    @property
    def probes(self) -> Probes:
        """httptop's probes."""
        assert self._source._probes is not None
        return self._source._probes

    def to(self, state: str) -> None:
        """Attach this and nothing else, and let the machine settle."""
        if state != self.state:
            if self.state == HTTPTOP:
                self.probes.detach()
            self._empty.detach()
            if state == EMPTY:
                self._empty.attach()
            elif state == HTTPTOP:
                attach(self.probes)
            self.state = state
        time.sleep(SETTLE_S)

    def drain(self) -> None:
        """Read the probes' maps and ring, so that the ring does not fill."""
        self._collector.step(time.monotonic(), time.time())

    def tick(self) -> None:
        """Do what the collector's thread and a batch run do once a tick."""
        to_json(self._collector.step(time.monotonic(), time.time()))
        self._ticks += 1
        if self._ticks % 2:
            self._source.timer.switch(True)
            time.sleep(0.02)
            self._source.timer.switch(False)

    def times(self) -> tuple[int, int]:
        """Return (run time in ns, runs) of the programs of this state, statistics being on."""
        programs = (
            [self._empty.program] if self.state == EMPTY else list(self.probes.programs.values())
        )
        found = [bpf_syscall.prog_times(program) for program in programs]
        return sum(row[0] for row in found), sum(row[1] for row in found)

    def close(self) -> None:
        """Unload everything."""
        self._empty.close()
        self._source.close()


@contextlib.contextmanager
def tracing(sides: Iterable[Side] = SIDES) -> Iterator[Tracing]:
    """Load for a while; nothing is attached at first."""
    loaded = Tracing(sides)
    try:
        loaded.to(NOTHING)
        yield loaded
    finally:
        loaded.close()


def turns(states: tuple[str, ...], rounds: int) -> Iterator[tuple[str, ...]]:
    """Yield the states once a round, each time in another order, so that drifts even out."""
    for number in range(rounds):
        at = number % len(states)
        order = states[at:] + states[:at]
        yield order if number // len(states) % 2 == 0 else order[::-1]
