"""Start and ask the helper: a small process that stays root when httptop gives it up.

::

    httptop (nobody) ──── socket pair ──── helper (root, with the few capabilities for this)
                          SETTLE      ───►  once: the files, and their user
                          STATISTICS  ───►  has the kernel time BPF programs; returns a descriptor
                          READ        ───►  returns the text of one of the configuration files, and
                                            who could have written it
                          SAVE        ───►  replaces the configuration file, if the text is valid
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

from httptop.privilege.helper_process import CHANNEL, START
from httptop.privilege.helper_protocol import (
    ABSENT,
    DONE,
    HEAD,
    READ,
    SAVE,
    SETTLE,
    STATISTICS,
    SURVEY,
    HelperError,
    Limits,
    receive,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from httptop.coverage.processes import Survey
    from httptop.linux.files import FileText, InvokingUser

#: Seconds to wait for the helper: for files, which may wait for a disk; for statistics, while the
#: collector waits; for its end.
_PATIENCE_S = 10.0
_TICK_PATIENCE_S = 1.0
_END_PATIENCE_S = 1.0


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
        with theirs:
            self.pid = start(theirs)
        self._lock = threading.Lock()

    def end(self) -> None:
        """End the helper and wait for it, for a second at most; idempotent."""
        if self._ended:
            return
        self._ended = True
        self._channel.close()
        with contextlib.suppress(OSError):
            ended = os.pidfd_open(self.pid)
            select.select([ended], [], [], _END_PATIENCE_S)
            os.close(ended)
            os.waitpid(self.pid, os.WNOHANG)

    def settle(
        self, invoker: InvokingUser, read: Sequence[Path] = (), save: Path | None = None
    ) -> None:
        """Tell the helper, once and unchangeably, the files and the user it may act for.

        ``read``: files that may be read, in addition to ``save``, which may also be replaced.
        """
        saved = b"" if save is None else os.fsencode(os.path.abspath(save))
        limits = Limits(
            invoker.uid,
            invoker.gid,
            invoker.elevated,
            os.fsencode(invoker.home),
            saved,
            [*(os.fsencode(os.path.abspath(path)) for path in read), *([saved] if saved else [])],
        )
        self._ask(SETTLE, limits.to_bytes())

    def statistics(self) -> int:
        """Have the kernel time BPF programs for as long as the returned descriptor is open."""
        _, descriptors = self._ask(STATISTICS, patience_s=_TICK_PATIENCE_S)
        if len(descriptors) != 1:
            raise HelperError("the helper gave no descriptor")
        return descriptors[0]

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

    def survey(self) -> Survey:
        """Return the processes with stream sockets, as ``coverage.processes.survey`` does."""
        from httptop.coverage.processes import from_text

        return from_text(self._ask(SURVEY)[0].decode())

    def _ask(
        self, what: bytes, text: bytes = b"", patience_s: float = _PATIENCE_S
    ) -> tuple[bytes, list[int]]:
        if not self._lock.acquire(timeout=patience_s):
            raise HelperError("the privileged helper of httptop is busy")
        try:
            try:
                self._channel.settimeout(patience_s)
                self._channel.sendall(HEAD.pack(what, len(text)) + text)
                head, descriptors, _, _ = socket.recv_fds(self._channel, HEAD.size, 1)
                for descriptor in descriptors:
                    os.set_inheritable(descriptor, False)
                done, length = HEAD.unpack(head + receive(self._channel, HEAD.size - len(head)))
                reply = receive(self._channel, length)
            except (OSError, EOFError) as error:
                # A late reply would be taken for that of the next request.
                self._channel.close()
                raise HelperError("the privileged helper of httptop is gone") from error
        finally:
            self._lock.release()
        if done == ABSENT:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(text))
        if done != DONE:
            raise HelperError(reply.decode("utf-8", "replace"))
        return reply, descriptors
