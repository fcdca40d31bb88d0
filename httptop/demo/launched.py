"""The demo, started by another process, and what that process does: the two ends of a socket.

httptop may start no processes once it has restricted its system calls. So a launcher, made before,
starts the demo when it is told to. What they say to each other is a line, then single bytes::

    httptop  ──── START ───────►  launcher
             ◄─── STARTED ──────            or FAILED and why
             ◄─── RESPONDED ────  once the load has received a response
             ──── (end) ───────►  ends the demo, then itself

It imports little until the demo is started: a launcher that waits stays small.
"""

from __future__ import annotations

import _socket
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from httptop.demo.supervisor import Demo

START, STARTED, FAILED, RESPONDED = b"s\n", b"+", b"-", b"r"
#: A program for Python that serves who has asked for the start already: its name, the socket's
#: number and the module path follow.
SERVE = (
    "import sys; sys.path[:] = sys.argv[3:]\n"
    "with open('/proc/self/comm', 'w') as name: name.write(sys.argv[1])\n"
    "from httptop.demo.launched import serve; serve(int(sys.argv[2]), asked=True)"
)

#: Seconds to wait for the start, and for the end; the launcher waits a second for each service.
_START_PATIENCE_S = 30.0
_END_PATIENCE_S = 4.0
_NO_LIMIT_S = 1e6
_LONGEST_REASON = 1000


def made_here() -> Demo:
    """Return the demo, not started, with all that its start needs imported and read."""
    from httptop.demo.supervisor import Demo

    return Demo()


def serve(channel: int, demo: Demo | None = None, *, asked: bool = False) -> None:
    """Start the demo when told to, on the socket ``channel``, and end it with that.

    ``asked``: whether START has come already.
    """
    httptop = _socket.socket(fileno=channel)
    if not asked and httptop.recv(len(START)) != START:
        return
    try:
        demo = demo or made_here()
        demo.start()
    except Exception as error:  # noqa: BLE001 - whatever it is, the user is told
        httptop.sendall(FAILED + str(error).encode("utf-8", "replace")[:_LONGEST_REASON])
        return
    try:
        httptop.sendall(STARTED)
        if demo.wait_for_response(_NO_LIMIT_S, channel):
            httptop.sendall(RESPONDED)
        httptop.recv(1)
    finally:
        demo.stop()


class LaunchedDemo:
    """The demo as httptop has it; a context manager. ``stop`` is idempotent."""

    def __init__(self, channel: int) -> None:
        """``channel`` is a socket to the launcher; it is closed by ``stop``."""
        self._channel = _socket.socket(fileno=channel)
        self._started = False

    def start(self) -> None:
        """Start the services and their load, unless they run; raises :class:`HttptopError`."""
        from httptop.errors import HttptopError

        if self._started:
            return
        self._channel.settimeout(_START_PATIENCE_S)
        try:
            self._channel.sendall(START)
            result = self._channel.recv(1)
            reason = b"" if result in (STARTED, b"") else self._channel.recv(_LONGEST_REASON)
        except OSError as error:
            raise HttptopError(f"its launcher does not answer: {error}") from error
        if result != STARTED:
            raise HttptopError(reason.decode("utf-8", "replace") or "its launcher is gone")
        self._started = True

    def wait_for_response(self, timeout_s: float, stop: int) -> bool:
        """Wait until the load has received a response; return whether it has.

        The wait ends after ``timeout_s``, or once the descriptor ``stop`` is readable.
        """
        waiting = select.poll()
        for descriptor in (self._channel.fileno(), stop):
            waiting.register(descriptor, select.POLLIN)
        ready = [descriptor for descriptor, _ in waiting.poll(timeout_s * 1000)]
        if self._channel.fileno() not in ready:
            return False
        return self._channel.recv(1, _socket.MSG_PEEK) == RESPONDED

    def stop(self) -> None:
        """End all of the demo's processes, and wait for that."""
        if self._channel.fileno() < 0:
            return
        try:
            self._channel.shutdown(_socket.SHUT_WR)
            self._channel.settimeout(_END_PATIENCE_S)
            while self._started and self._channel.recv(64):
                pass
        except OSError:
            pass  # it is gone, or late: it ends all the same
        self._channel.close()

    def __enter__(self) -> LaunchedDemo:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
