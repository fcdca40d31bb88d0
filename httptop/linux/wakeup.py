"""End a poll from another thread, or from a signal handler."""

from __future__ import annotations

import contextlib
import os


class Wakeup:
    """A pipe: what polls its ``reader`` wakes up when it is set.

    Unlike :class:`threading.Event` it has no lock, which a second signal could find taken.
    """

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def set(self) -> None:
        """End the poll, now or when it begins."""
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
