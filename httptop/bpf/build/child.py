"""The probes, seen from the process that uses them: a child loads them, we hold the descriptors."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from httptop.bpf.filter.c_conditions import Conditions
from httptop.errors import Unavailable
from httptop.linux import bpf_syscall

_LONGEST_LOAD_S: Final = 60.0
_MOST_DESCRIPTORS: Final = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """What to load: the sizes and conditions that are compiled in."""

    defines: dict[str, int]
    conditions: Conditions = field(default_factory=Conditions)
    front: str | None = None  # insist on this way to see bytes
    cache: str = ""  # directory of compiled probes; empty: none is kept

    def to_json(self) -> bytes:
        """Return it as the loader reads it."""
        return json.dumps(
            {
                "defines": {**self.defines, **self.conditions.defines},
                "conditions": self.conditions.text,
                "glob_steps": [matcher.step for matcher in self.conditions.matchers],
                "front": self.front,
                "cache": self.cache,
            }
        ).encode()


@dataclass(slots=True)
class Probes:
    """Descriptors of what is loaded; the probes stay attached for as long as ``links`` are open."""

    front: str  # how bytes are seen: "sockets" or "syscalls"
    maps: dict[str, int]
    programs: dict[str, int]
    points: tuple[str, ...]  # programs that :meth:`attach` attaches
    refused: dict[str, str] = field(default_factory=dict)  # what -> why the kernel refused it
    links: dict[str, int] = field(default_factory=dict)

    def attach(self) -> None:
        """Attach every program that is not attached; raise Unavailable where one cannot be."""
        for name in self.points:
            if name not in self.links:
                self.attach_one(name)

    def attach_one(self, name: str) -> None:
        """Attach a program to the tracepoint of its name; raise Unavailable."""
        try:
            link = bpf_syscall.raw_tracepoint_open(self.programs[name], name)
        except OSError as error:
            raise Unavailable(f"cannot attach {name}: {error.strerror}") from error
        os.set_inheritable(link, False)
        self.links[name] = link

    def detach_one(self, name: str) -> None:
        """Detach it."""
        _close((self.links.pop(name),))

    def detach(self) -> None:
        """Close the links: no program runs again."""
        _close(self.links.values())
        self.links = {}

    def close(self) -> None:
        """Close everything; idempotent."""
        self.detach()
        _close((*self.programs.values(), *self.maps.values()))
        self.programs, self.maps = {}, {}


class Loading:
    """A load under way in a child process: start it early, say what to load, wait for it late.

    Until it is told what to load the child does what is the same for all plans: it imports BCC and
    reads the kernel's types.
    """

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._child = subprocess.Popen(
                # -P: the current directory must not lend modules to a program run by root.
                [sys.executable, "-P", "-m", "httptop.bpf.build.loader", str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is for us; the child ends by itself
            )

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def give(self, plan: Plan) -> None:
        """Say what to load."""
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._child.stdin as pipe:
            pipe.write(plan.to_json())

    def wait(self) -> Probes:
        """Return the probes, not attached yet; raise Unavailable where there are none."""
        try:
            if not select.select([self._channel], [], [], _LONGEST_LOAD_S)[0]:
                raise Unavailable("the probes did not load within a minute; try again")
            message, descriptors, _, _ = socket.recv_fds(self._channel, 1 << 20, _MOST_DESCRIPTORS)
        finally:
            self.cancel()
        if not message:
            assert self._child.stderr is not None
            said = self._child.stderr.read(4096).decode("utf-8", "replace").strip()
            last = said.splitlines()[-1] if said else f"exit status {self._child.returncode}"
            raise Unavailable(f"the loader ended early: {last}")
        reply = json.loads(message)
        if "error" in reply:
            raise Unavailable(str(reply["error"]))
        given = iter(descriptors)
        maps, programs = (
            {name: next(given) for name in reply[kind]} for kind in ("maps", "programs")
        )
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        return Probes(reply["front"], maps, programs, tuple(reply["attach"]), reply["refused"])

    def cancel(self) -> None:
        """End the child if it still runs."""
        self._channel.close()
        if self._child.stdin is not None and not self._child.stdin.closed:
            self._child.stdin.close()  # not told what to load it ends by itself
        if self._child.poll() is None:
            try:
                self._child.wait(timeout=1)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
