"""Start and stop the demo: four small processes that talk HTTP to each other.

Ports cannot clash: this process binds the listening sockets to ports that the kernel chooses and
passes them on, so a service can be called from the moment it starts. No process is left over: all
children have the reading end of one pipe as their standard input, and exit when it ends, which it
does when this process dies, for whatever reason. (``PR_SET_PDEATHSIG`` would fire at the end of the
*thread* that started the children, and not at all after a change of user.)

The services themselves are in :mod:`httptop.demo.services`.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final

from httptop.demo import services
from httptop.linux.processes import end_child

_PROGRAM: Final = Path(services.__file__)

#: Seconds that the children have to exit by themselves.
_PATIENCE_S: Final = 1.0


class Demo:
    """The demo's processes. A context manager; ``stop`` is idempotent and safe at exit."""

    def __init__(self, seed: int | None = None) -> None:
        """Prepare only. The same ``seed`` makes the same customers and the same failures."""
        self._seed = int.from_bytes(os.urandom(4)) if seed is None else seed
        self._children: list[subprocess.Popen[bytes]] = []
        self._lifeline: int | None = None
        self._responded: int | None = None  # readable once the load has received a response
        self.ports: dict[str, int] = {}

    @property
    def pids(self) -> tuple[int, ...]:
        """The children's process ids; empty if the demo does not run."""
        return tuple(child.pid for child in self._children)

    @property
    def running(self) -> bool:
        """Whether the demo was started and all its processes are alive."""
        return bool(self._children) and all(child.poll() is None for child in self._children)

    def start(self) -> None:
        """Start the services and their load, unless they run already; raise OSError."""
        if self._children:
            return
        atexit.register(self.stop)
        leaves, self._lifeline = os.pipe()
        self._responded, responds = os.pipe()
        try:
            with contextlib.ExitStack() as sockets:
                listeners = {
                    role: sockets.enter_context(_listen())
                    for role in ("catalog", "orders", "gateway")
                }
                self.ports = {role: s.getsockname()[1] for role, s in listeners.items()}
                behind = (self.ports["catalog"], self.ports["orders"])
                self._spawn(leaves, "catalog", listeners["catalog"])
                self._spawn(leaves, "orders", listeners["orders"])
                self._spawn(leaves, "gateway", listeners["gateway"], *behind)
                self._spawn(leaves, "load", None, self.ports["gateway"], says=responds)
        except BaseException:
            self.stop()
            raise
        finally:
            os.close(leaves)
            os.close(responds)

    def wait_for_response(self, timeout_s: float, stop: int) -> bool:
        """Wait until the load has received a response; return whether it has.

        The wait ends after ``timeout_s``, or once the descriptor ``stop`` is readable.
        """
        assert self._responded is not None, "the demo was not started"
        waiting = select.poll()
        for descriptor in (self._responded, stop):
            waiting.register(descriptor, select.POLLIN)
        return (self._responded, select.POLLIN) in waiting.poll(timeout_s * 1000)

    def stop(self) -> None:
        """End all processes and wait for them: the load first, so that no response is cut off."""
        atexit.unregister(self.stop)
        for child in reversed(self._children):  # the load was started last
            child.terminate()
            end_child(child, _PATIENCE_S)
        for descriptor in (self._lifeline, self._responded):
            if descriptor is not None:
                os.close(descriptor)
        self._lifeline = self._responded = None
        self._children = []
        self.ports = {}

    def __enter__(self) -> Demo:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _spawn(
        self,
        lifeline: int,
        role: str,
        listener: socket.socket | None,
        *ports: int,
        says: int = subprocess.DEVNULL,
    ) -> None:
        fd = -1 if listener is None else listener.fileno()
        command = [sys.executable, "-I", "-S", "-E", str(_PROGRAM), str(self._seed), role, str(fd)]
        child = subprocess.Popen(
            [*command, *map(str, ports)],
            stdin=lifeline,
            stdout=says,
            stderr=subprocess.DEVNULL,
            pass_fds=() if listener is None else (fd,),
            process_group=0,  # Ctrl-C must reach httptop only, which then ends the demo
            cwd="/",
            env={"MALLOC_ARENA_MAX": "1"},  # one heap for all threads
        )
        self._children.append(child)


def _listen() -> socket.socket:
    """Return a listening socket on loopback, on a port that the kernel chose."""
    return socket.create_server((services.HOST, 0), backlog=64)
