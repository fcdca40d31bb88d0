"""Start and ask the helper: a small process that stays root when httptop gives it up.

::

    httptop (nobody) ──── socket pair ──── helper (root, with the few capabilities for this)
                          SETTLE      ───►  once: the files, and their user
                          STATISTICS  ───►  has the kernel time BPF programs; returns a descriptor
                          TIMES       ───►  returns how long BPF programs ran, by their numbers
                          READ        ───►  returns the text of one of the configuration files, and
                                            who could have written it
                          SAVE        ───►  replaces the configuration file, if the text is valid
                          EXPORT      ───►  writes a new file into the directory that httptop was
                                            started in
                          REOPEN      ───►  opens one of the logs by its name, after it was rotated;
                                            returns a descriptor
                          SURVEY      ───►  returns which processes hold stream sockets
                                            (coverage/processes.py)

It does nothing else. This module runs in httptop; :mod:`httptop.privilege.helper_process` runs in
the helper and decides which requests are allowed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import sys
import threading
import time

from httptop.output import LARGEST_EXPORT
from httptop.privilege.helper_process import CHANNEL, START
from httptop.privilege.helper_protocol import (
    ABSENT,
    DONE,
    EXPORT,
    HEAD,
    LOG,
    LONGEST,
    PROGRAM,
    PROGRAM_TIMES,
    READ,
    REOPEN,
    SAVE,
    SETTLE,
    STATISTICS,
    SURVEY,
    TIMES,
    TORN,
    Export,
    HelperError,
    Launch,
    Limits,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from httptop.coverage.processes import Survey
    from httptop.linux.appended import Appending
    from httptop.linux.files import FileText, InvokingUser

#: Seconds to wait for the helper: for files, which may wait for a disk; for statistics, while the
#: collector waits; for its end.
_PATIENCE_S = 10.0
_TICK_PATIENCE_S = 1.0
_END_PATIENCE_S = 1.0

GONE = (
    "the privileged helper of httptop is gone: what the probes cost, and which calls the kernel "
    "skipped, is not measured, settings can be neither saved nor read again, nothing can be "
    "exported to a file, and the page of health has no processes"
)
LATE = (
    "the privileged helper of httptop does not answer: what the probes cost, and which calls the "
    "kernel skipped, is not measured"
)


def start(channel: socket.socket) -> int:
    """Start the helper with its end of a socket pair; return its process id. Raises OSError.

    It gets a process group of its own, so that Ctrl-C in the terminal does not end it, and stays in
    this session: so the kernel hangs up a helper that is stopped when httptop ends, which httptop
    could not do without root.
    """
    return os.posix_spawn(
        sys.executable,
        [sys.executable, *START, *sys.path],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, channel.fileno(), CHANNEL)],
        setpgroup=0,
    )


class Helper:
    """The helper as seen by httptop; any thread may call the methods."""

    def __init__(self) -> None:
        """Start the helper; raises :class:`OSError`."""
        self._channel, theirs = socket.socketpair()
        self._ended = False
        self._logs: list[bytes] = []  # those settled
        with theirs:
            self.pid = start(theirs)
        self._lock = threading.Lock()
        self._gone = self._late = False
        self._asked = self._answered = 0  # the numbers of the latest request and reply
        self._unsent = b""  # of the latest request
        self._came = bytearray()  # of the next reply
        self._descriptors: list[int] = []  # that came with it
        #: The process id of the launcher of the demo; None: there is none.
        self.launcher_pid: int | None = None
        self._launcher: int | None = None  # the socket to it

    @property
    def trouble(self) -> str:
        """A sentence on what is missing while the helper is gone, or does not answer."""
        if self._gone:
            return GONE
        return LATE if self._late else ""

    def end(self) -> None:
        """End the helper and wait for it, for a second at most; idempotent."""
        if self._ended:
            return
        self._ended = True
        self._channel.close()
        launcher = self.take_launcher()
        _close((*self._descriptors, *(() if launcher is None else (launcher,))))
        self._descriptors = []
        with contextlib.suppress(OSError):
            ended = os.pidfd_open(self.pid)
            waiting = select.poll()
            waiting.register(ended, select.POLLIN)
            waiting.poll(_END_PATIENCE_S * 1000)
            os.close(ended)
            os.waitpid(self.pid, os.WNOHANG)

    def settle(
        self,
        invoker: InvokingUser,
        read: Sequence[Path] = (),
        save: Path | None = None,
        *,
        export: Path | None = None,
        filter: bytes = b"",
        launch: Launch | None = None,
        logs: Sequence[tuple[Path, str]] = (),
    ) -> None:
        """Tell the helper, once and unchangeably, the files and the user it may act for.

        ``read``: files that may be read, in addition to ``save``, which may also be replaced.
        ``export``: the directory in which new files may be made; None: none may.
        ``filter``: what restricts its system calls; empty: nothing. ``launch``: make the launcher
        of the demo, and keep a socket to it. ``logs``: the files that may be opened again to append
        to them, each with the format of its lines as ``output.own_log.start_of`` takes it.
        """
        saved = b"" if save is None else os.fsencode(os.path.abspath(save))
        self._logs = [os.fsencode(os.path.abspath(path)) for path, _ in logs]
        formats = [format.encode("utf-8", "surrogateescape") for _, format in logs]
        limits = Limits(
            invoker.uid,
            invoker.gid,
            invoker.elevated,
            os.fsencode(invoker.home),
            saved,
            [*(os.fsencode(os.path.abspath(path)) for path in read), *([saved] if saved else [])],
            export=b"" if export is None else os.fsencode(os.path.abspath(export)),
            filter=filter,
            launch=launch,
            logs=list(zip(self._logs, formats, strict=True)),
        )
        reply, descriptors = self._ask(SETTLE, limits.to_bytes())
        if launch is not None and len(descriptors) == 1:
            self.launcher_pid, self._launcher = int(reply), descriptors[0]

    def take_launcher(self) -> int | None:
        """Return the socket to the launcher, which the receiver closes; None: there is none."""
        launcher, self._launcher = self._launcher, None
        return launcher

    def statistics(self) -> int:
        """Have the kernel time BPF programs for as long as the returned descriptor is open."""
        _, descriptors = self._ask(STATISTICS, patience_s=_TICK_PATIENCE_S, late_s=0.0)
        if len(descriptors) != 1:
            raise HelperError("the helper gave no descriptor")
        return descriptors[0]

    def times(self, programs: Collection[int]) -> list[tuple[int, int, int]]:
        """Return run time in nanoseconds, runs and missed runs of BPF programs by their numbers."""
        asked = b"".join(PROGRAM.pack(number) for number in programs)
        reply, _ = self._ask(TIMES, asked, patience_s=_TICK_PATIENCE_S, late_s=0.0)
        if len(reply) != len(programs) * PROGRAM_TIMES.size:
            raise HelperError("the helper gave no times")
        return list(PROGRAM_TIMES.iter_unpack(reply))

    def read(self, path: Path) -> FileText:
        """Return the text of one of the settled files, and who could have written it.

        Raises :class:`FileNotFoundError` if it does not exist, :class:`HelperError` with the reason
        if it cannot be read.
        """
        from httptop.linux.files import FileText

        reply = self._ask(READ, os.fsencode(os.path.abspath(path)))[0].decode()
        offence, _, text = reply.partition("\0")
        return FileText(text, offence)

    def save(self, path: Path, text: str) -> Path:
        """Replace the settled configuration file; return its path, links resolved.

        Raises :class:`HelperError` if the text is not a valid configuration, changes a setting that
        it must not, or cannot be written.
        """
        from pathlib import Path

        request = b"\0".join((os.fsencode(os.path.abspath(path)), text.encode()))
        return Path(os.fsdecode(self._ask(SAVE, request)[0]))

    def export(self, kind: str, at_s: float, data: bytes) -> Path:
        """Write a new file into the settled directory; return its path, links resolved.

        ``kind`` is one of ``output.EXPORTS``, ``at_s`` the moment that is exported, Unix time.
        Raises :class:`HelperError` with the reason if it cannot be written.
        """
        from pathlib import Path

        if len(data) > LARGEST_EXPORT:
            raise HelperError(f"it would be larger than {LARGEST_EXPORT >> 20} MiB")
        wanted = Export(kind, max(0, int(at_s)), data)
        return Path(os.fsdecode(self._ask(EXPORT, wanted.to_bytes())[0]))

    def reopen(self, path: Path) -> Appending | None:
        """Open one of the settled logs by its name, or make it, as at the start; None: it is none.

        Raises :class:`HelperError` with the reason if it cannot be opened.
        """
        from httptop.linux.appended import Appending

        name = os.fsencode(os.path.abspath(path))
        if name not in self._logs:
            return None
        reply, descriptors = self._ask(REOPEN, LOG.pack(self._logs.index(name)))
        if len(descriptors) != 1:
            raise HelperError("the helper gave no descriptor")
        return Appending(descriptors[0], reply == TORN)

    def survey(self) -> Survey:
        """Return the processes with stream sockets, as ``coverage.processes.survey`` does."""
        from httptop.coverage.processes import from_text

        return from_text(self._ask(SURVEY)[0].decode())

    def _ask(
        self,
        what: bytes,
        text: bytes = b"",
        patience_s: float = _PATIENCE_S,
        late_s: float | None = None,
    ) -> tuple[bytes, list[int]]:
        """Return the reply to a request and the descriptors that came with it.

        Replies to earlier requests that were given up are waited for first, for ``late_s`` at most,
        since the helper does one thing after the other.
        """
        if not self._lock.acquire(timeout=patience_s):
            raise HelperError("the privileged helper of httptop is busy")
        try:
            if self._gone:
                raise HelperError("the privileged helper of httptop is gone")
            try:
                until_s = time.monotonic() + (patience_s if late_s is None else late_s)
                while self._answered < self._asked:
                    _close(self._reply(until_s)[2])
                self._asked += 1
                self._unsent = HEAD.pack(what, self._asked, len(text)) + text
                done, reply, descriptors = self._reply(time.monotonic() + patience_s)
                self._late = False
            except (TimeoutError, BlockingIOError) as error:
                self._late = True
                raise HelperError("the privileged helper of httptop does not answer") from error
            except (OSError, EOFError) as error:
                self._gone = True
                self._channel.close()
                raise HelperError("the privileged helper of httptop is gone") from error
        finally:
            self._lock.release()
        if done == ABSENT:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(text))
        if done != DONE:
            raise HelperError(reply.decode("utf-8", "replace"))
        return reply, descriptors

    def _reply(self, until_s: float) -> tuple[bytes, bytes, list[int]]:
        """Return the next reply: its result, its text and descriptors.

        What has come of it by ``until_s`` (the monotonic clock) is kept for the next call. Raises
        :class:`TimeoutError` or :class:`BlockingIOError` then, :class:`EOFError` or
        :class:`OSError` if the helper is gone or makes no sense.
        """
        while self._unsent:
            self._channel.settimeout(max(0.0, until_s - time.monotonic()))
            self._unsent = self._unsent[self._channel.send(self._unsent) :]
        length, whole = 0, False
        while not whole:
            missing = HEAD.size + length - len(self._came)
            if len(self._came) >= HEAD.size:
                _, number, length = HEAD.unpack_from(self._came)
                if number != self._answered + 1 or length > LONGEST:
                    raise EOFError
                missing = HEAD.size + length - len(self._came)
                whole = not missing
            if missing:
                self._channel.settimeout(max(0.0, until_s - time.monotonic()))
                some, descriptors, _, _ = socket.recv_fds(self._channel, min(missing, 1 << 16), 1)
                for descriptor in descriptors:
                    os.set_inheritable(descriptor, False)
                self._descriptors += descriptors
                if not some:
                    raise EOFError
                self._came += some
        done, self._answered, _ = HEAD.unpack_from(self._came)
        reply = bytes(self._came[HEAD.size :])
        descriptors, self._descriptors = self._descriptors, []
        self._came.clear()
        return done, reply, descriptors


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
