"""Start and stop the demo: four small processes that talk HTTP to each other.

Ports cannot clash: this process binds the listening sockets to ports that the kernel chooses and
passes them on, so a service can be called from the moment it starts. No process is left over: all
children have the reading end of one pipe as their standard input, and exit when it ends, which it
does when this process dies, for whatever reason. (``PR_SET_PDEATHSIG`` would fire at the end of the
*thread* that started the children, and not at all after a change of user.)

The services themselves are in :mod:`httptop.demo.services`. They may be started when root has been
given up, by a user who can read neither that file nor the Python of a virtual environment: so the
program is read ahead and handed over in memory, and run by the Python below the environment.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final

from httptop.demo import services
from httptop.errors import HttptopError
from httptop.linux.processes import end_child
from httptop.printable import clean

#: Seconds that the children have to exit by themselves.
_PATIENCE_S: Final = 1.0


class Demo:
    """The demo's processes. A context manager; ``stop`` is idempotent and safe at exit."""

    def __init__(self, seed: int | None = None) -> None:
        """Prepare only. The same ``seed`` makes the same customers and the same failures.

        Raises :class:`OSError` if the program cannot be read.
        """
        self._seed = int.from_bytes(os.urandom(4)) if seed is None else seed
        self._program = Path(services.__file__).read_bytes()
        below = getattr(sys, "_base_executable", "")  # of a virtual environment
        self._python = os.path.realpath(below or sys.executable)
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
        """Start the services and their load, unless they run already.

        Raises :class:`OSError`, and :class:`HttptopError` if this user may not run Python.
        """
        if self._children:
            return
        atexit.register(self.stop)
        leaves, self._lifeline = os.pipe()
        self._responded, responds = os.pipe()
        try:
            with contextlib.ExitStack() as opened:
                listeners = {
                    role: opened.enter_context(_listen())
                    for role in ("catalog", "orders", "gateway")
                }
                self.ports = {role: s.getsockname()[1] for role, s in listeners.items()}
                program = opened.enter_context(open(os.memfd_create("httptop-demo"), "r+b"))
                program.write(self._program)
                program.flush()
                behind = (self.ports["catalog"], self.ports["orders"])
                spawn = functools.partial(self._spawn, leaves, program.fileno())
                spawn("catalog", listeners["catalog"])
                spawn("orders", listeners["orders"])
                spawn("gateway", listeners["gateway"], *behind)
                spawn("load", None, self.ports["gateway"], says=responds)
        except PermissionError as error:
            self.stop()
            raise HttptopError(
                f"the user that httptop has become may not run {clean(os.fsencode(self._python))}"
            ) from error
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
        program: int,
        role: str,
        listener: socket.socket | None,
        *ports: int,
        says: int = subprocess.DEVNULL,
    ) -> None:
        fd = -1 if listener is None else listener.fileno()
        script = f"/proc/self/fd/{program}"
        command = [self._python, "-I", "-S", "-E", script, str(self._seed), role, str(fd)]
        child = subprocess.Popen(
            [*command, *map(str, ports)],
            stdin=lifeline,
            stdout=says,
            stderr=subprocess.DEVNULL,
            pass_fds=(program,) if listener is None else (program, fd),
            process_group=0,  # Ctrl-C must reach httptop only, which then ends the demo
            cwd="/",
            env={"MALLOC_ARENA_MAX": "1"},  # one heap for all threads
        )
        self._children.append(child)


def _listen() -> socket.socket:
    """Return a listening socket on loopback, on a port that the kernel chose."""
    return socket.create_server((services.HOST, 0), backlog=64)
