"""Load the probes in a child process and hold their descriptors in this one."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from httptop.bpf.abi import tracepoint_of
from httptop.bpf.filter.conditions import Conditions
from httptop.collect.source import Interrupted
from httptop.console import complain
from httptop.errors import Unavailable
from httptop.linux import bpf_syscall, perf_event
from httptop.linux.control_groups import Hierarchy
from httptop.linux.processes import cpu_time_s, end_child

#: What a load says that it does: it compiles, and the cache will have that; it compiles, and so
#: will the next one; it has the kernel verify the programs.
Step = Literal["compile_once", "compile", "load"]
_STEPS: Final[tuple[Step, ...]] = get_args(Step)
_MOST_DESCRIPTORS: Final = 64
#: What loads the probes. -P: a program run by root must not import from the current directory; -I:
#: nor from where variables say, if httptop itself did not.
_ISOLATION: Final = "-I" if sys.flags.isolated else "-P"
_LOADER: Final = (sys.executable, _ISOLATION, "-m", "httptop.bpf.build.loader")
#: How often to check that the child makes progress, and how long it may take to end.
_LOOK_S: Final = 0.5
_END_PATIENCE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to load: what is compiled in, and what is linked into it and decides on sizes."""

    defines: dict[str, int]
    sizes: dict[str, int] = field(default_factory=dict)  # how much tables hold, by MAX_ names
    constants: dict[str, int] = field(default_factory=dict)  # linked in (placeholders.CONSTANTS)
    conditions: Conditions = field(default_factory=Conditions)
    waits: bool = True  # whether waits of requests are to be measured: only servers have any
    front: str | None = None  # use this front (variants.FRONTS) only
    loops: bool = True  # use loops where the kernel has them (bpf/c/steps.h)
    hierarchies: tuple[Hierarchy, ...] = ()  # of control groups, that the filter looks at
    cache: str = ""  # directory of compiled probes; empty: no cache

    def to_json(self) -> bytes:
        """Return the plan as the loader reads it from standard input."""
        return json.dumps(
            {
                "defines": {**self.defines, **self.conditions.defines},
                "sizes": self.sizes,
                "constants": {**self.constants, **self.conditions.constants},
                "functions": {name: code.hex() for name, code in self.conditions.functions.items()},
                "tables": {
                    name: {
                        "entries": table.entries,
                        "values": [[k.hex(), v.hex()] for k, v in table.values.items()],
                    }
                    for name, table in self.conditions.tables.items()
                },
                "waits": self.waits,
                "front": self.front,
                "loops": self.loops,
                "cache": self.cache,
            }
        ).encode()


@dataclass(slots=True)
class Probes:
    """Descriptors of what is loaded; the probes stay attached for as long as ``links`` are open."""

    front: str  # how bytes are seen: one of variants.FRONTS
    loops: bool  # whether the kernel has bpf_loop (bpf/c/steps.h)
    maps: dict[str, int]
    programs: dict[str, int]
    points: tuple[str, ...]  # programs that :meth:`attach` attaches
    refused: dict[str, str] = field(default_factory=dict)  # what -> why the kernel refused it
    events: dict[str, int] = field(default_factory=dict)  # tracepoints of programs run as perf's
    links: dict[str, int] = field(default_factory=dict)

    def attach(self) -> None:
        """Attach every program that is not attached yet; raise Unavailable if one cannot be."""
        for name in self.points:
            if name not in self.links:
                self.attach_one(name)

    def attach_one(self, name: str) -> None:
        """Attach a program to the tracepoint that its name says; raise Unavailable."""
        try:
            if name in self.events:
                link = perf_event.attach(self.programs[name], self.events[name])
            else:
                link = bpf_syscall.raw_tracepoint_open(self.programs[name], tracepoint_of(name))
        except OSError as error:
            raise Unavailable(f"cannot attach {name}: {error.strerror}") from error
        os.set_inheritable(link, False)
        self.links[name] = link

    def detach_one(self, name: str) -> None:
        """Detach an attached program."""
        _close((self.links.pop(name),))

    def detach(self) -> None:
        """Close the links, the last first: no program runs again."""
        _close(reversed(self.links.values()))
        self.links = {}

    def close(self) -> None:
        """Close everything; idempotent."""
        self.detach()
        _close((*self.programs.values(), *self.maps.values()))
        self.programs, self.maps = {}, {}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a load may take."""

    quiet_s: float = 10.0  # until the user is told that loading continues
    stalled_s: float = 30.0  # without CPU time used by the child, until the load fails


PATIENCE: Final = Patience()


class Loading:
    """A load in progress in a child process: start it early, :meth:`give` a plan, :meth:`wait`.

    Until it gets the plan, the child imports what it needs.
    """

    def __init__(self, command: Sequence[str] = _LOADER) -> None:
        """Start the child, which gets the number of its end of the socket as its last argument."""
        self._told = False  # that it takes long
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._child = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                # Ctrl-C reaches us only; within this session the kernel hangs up a child that is
                # stopped when we end.
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def give(self, plan: Plan) -> None:
        """Tell the child what to load."""
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._child.stdin as pipe:
            pipe.write(plan.to_json())

    def wait(
        self,
        *,
        tell: Callable[[str], None] = complain,
        stop: int | None = None,
        patience: Patience = PATIENCE,
        doing: Callable[[Step], None] = lambda _: None,
    ) -> Probes:
        """Wait while the child makes progress; return the probes, which are not attached yet.

        ``tell`` gets a sentence if it takes long, ``doing`` what the child begins. Raises
        :class:`Unavailable` if the probes cannot be loaded, and :class:`Interrupted` as soon as the
        descriptor ``stop`` is readable.
        """
        try:
            while True:
                self._await_reply(tell, stop, patience)
                reply, descriptors = self._receive()
                if reply.get("doing") not in _STEPS:
                    break
                doing(reply["doing"])
            self._end(_END_PATIENCE_S)
        finally:
            self.cancel()
        if "error" in reply:
            raise Unavailable(str(reply["error"]))
        given = iter(descriptors)
        maps, programs = (
            {name: next(given) for name in reply[kind]} for kind in ("maps", "programs")
        )
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        points, events = tuple(reply["attach"]), reply["events"]
        front, loops, refused = reply["front"], reply["loops"], reply["refused"]
        return Probes(front, loops, maps, programs, points, refused, events)

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        message, descriptors, _, _ = socket.recv_fds(self._channel, 1 << 20, _MOST_DESCRIPTORS)
        if not message:
            raise Unavailable(f"the loader ended early: {self._last_words()}")
        return json.loads(message), descriptors

    def _await_reply(
        self, tell: Callable[[str], None], stop: int | None, patience: Patience
    ) -> None:
        waiting = select.poll()
        for descriptor in (self._channel.fileno(), *(() if stop is None else (stop,))):
            waiting.register(descriptor, select.POLLIN)
        began_s = progress_s = time.monotonic()
        used_s = cpu_time_s(self.pid)
        while not (ready := waiting.poll(_LOOK_S * 1000)):
            now_s = time.monotonic()
            if (found_s := cpu_time_s(self.pid)) > used_s:
                used_s, progress_s = found_s, now_s
            elif now_s - progress_s >= patience.stalled_s:
                raise Unavailable(
                    "the probes did not load: the process that compiles and loads them has used "
                    f"no CPU time for {patience.stalled_s:g} s ({used_s:.1f} s in all); "
                    "try again when this host is less busy"
                )
            if not self._told and now_s - began_s >= patience.quiet_s:
                self._told = True
                tell(
                    f"the probes are still being compiled and loaded after {patience.quiet_s:g} s; "
                    "that takes long on a slow or busy machine"
                )
        if stop is not None and stop in [descriptor for descriptor, _ in ready]:
            raise Interrupted

    def _last_words(self) -> str:
        """End the child; return the last line of its standard error, or its exit status."""
        assert self._child.stderr is not None
        self._end(_END_PATIENCE_S)
        said = self._child.stderr.read(4096).decode("utf-8", "replace").strip()
        return said.splitlines()[-1] if said else f"exit status {self._child.returncode}"

    def cancel(self) -> None:
        """Kill the child if it still runs, and release its resources; idempotent."""
        self._end(0.0)
        assert self._child.stderr is not None
        self._child.stderr.close()

    def _end(self, patience_s: float) -> None:
        self._channel.close()
        assert self._child.stdin is not None
        self._child.stdin.close()
        end_child(self._child, patience_s)


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
