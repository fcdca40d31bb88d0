"""Tell the service manager, such as systemd, how a service is: sd_notify(3).

The manager names a datagram socket in the environment, which takes lines of NAME=VALUE. It is
connected to while the process may still do so, and written to later, which needs no right and no
system call beyond write. What cannot be written at once is lost: no thread waits for the manager.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket

#: The variables that the manager sets, for this process and no child of it.
_VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_LONGEST: Final = 2048  # bytes of a message; more is cut
#: Ticks that may fail to come until the watchdog barks, where it would bark sooner.
_TICKS: Final = 3


class ServiceManager:
    """The service manager of this process; any thread, or signal handler, may tell it something."""

    def __init__(
        self,
        connected: socket.socket,
        watchdog_us: int = 0,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """``watchdog_us``: how long it may hear nothing; 0: for ever."""
        connected.setblocking(False)
        self._socket = connected
        self._wanted_us = self._granted_us = watchdog_us
        self._clock_ns = clock_ns
        self._is_ready = self._is_stopping = False

    @property
    def watchdog_s(self) -> float:
        """How long it may hear nothing, in seconds; 0: for ever."""
        return self._granted_us / 1e6

    def alive(self, tick_s: float, status: str) -> None:
        """Say that a tick has passed, and that the service is ready if it is the first.

        ``tick_s``: the time until the next.
        """
        first, self._is_ready = not self._is_ready, True
        self._tell(*(["READY=1"] if first else []), *self._patience(tick_s), "WATCHDOG=1", status)

    def reloading(self) -> None:
        """Say that the configuration is being read again."""
        if self._is_ready and not self._is_stopping:  # else READY=1 would end the start too early
            self._tell("RELOADING=1", f"MONOTONIC_USEC={self._clock_ns() // 1000}")

    def reloaded(self, tick_s: float) -> None:
        """Say that it was read; ``tick_s``: the time between ticks from now on."""
        if self._is_ready and not self._is_stopping:
            self._tell("READY=1", *self._patience(tick_s))

    def stopping(self) -> None:
        """Say that the service ends; idempotent."""
        if not self._is_stopping:
            self._is_stopping = True
            self._tell("STOPPING=1")

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _patience(self, tick_s: float) -> tuple[str, ...]:
        """Return how long the watchdog has to wait, if that changes with the time of a tick."""
        needed_us = max(self._wanted_us, int(_TICKS * tick_s * 1e6)) if self._wanted_us else 0
        if needed_us == self._granted_us:
            return ()
        self._granted_us = needed_us
        return (f"WATCHDOG_USEC={needed_us}",)

    def _tell(self, *lines: str) -> None:
        data = "\n".join(line.replace("\n", " ") for line in lines).encode("utf-8", "replace")
        with contextlib.suppress(OSError):  # it is gone, or does not read
            os.write(self._socket.fileno(), data[:_LONGEST])


def take_manager(variables: MutableMapping[str, str]) -> ServiceManager | None:
    """Return the manager that the environment names, and take it out: children have none.

    None: there is no manager, or its kind of socket is unknown. Raises :class:`OSError` if it
    cannot be reached.
    """
    name, microseconds, pid = (variables.pop(variable, "") for variable in _VARIABLES)
    if not name.startswith(("/", "@")):
        return None
    import socket  # most runs have no manager

    connected = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        # @ stands for the zero byte that begins a name without a file.
        connected.connect("\0" + name[1:] if name.startswith("@") else name)
    except BaseException:
        connected.close()
        raise
    watched = microseconds.isdecimal() and pid in ("", str(os.getpid()))
    return ServiceManager(connected, int(microseconds) if watched else 0)
