"""End a poll from another thread or from a signal handler."""

from __future__ import annotations

import contextlib
import os


class Wakeup:
    """A pipe whose ``reader`` becomes readable when it is set.

    Unlike :class:`threading.Event` it has no lock, on which a second signal could deadlock.
    """

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def set(self) -> None:
        """End the current poll, or else the next one; any thread or signal handler may call it."""
        with contextlib.suppress(OSError):  # full: the poll ends anyway
            os.write(self._writer, b"\0")

    def clear(self) -> None:
        """Drain pending wake-ups."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self.reader, 512):
                pass

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.reader)
        os.close(self._writer)
