"""A small process that stays root when httptop gives it up, and does four things for it.

::

    httptop (nobody) ──── socket pair ──── helper (root, with the few capabilities for this)
                          SETTLE      ───►  once: which files, and whose they are
                          STATISTICS  ───►  has the kernel time BPF programs; returns a descriptor
                          READ        ───►  returns the text of one of the configuration files
                          SAVE        ───►  replaces the configuration file, where it is a valid one
                          SURVEY      ───►  returns which processes hold stream sockets
                                            (coverage/processes.py)

Nothing else can be asked for. This is the half of httptop; that of the helper, which decides what
it does and what it does not, is :mod:`httptop.privilege.helper_process`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import socket
import threading

from httptop.privilege import helper_process
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
    receive,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from httptop.coverage.processes import Survey
    from httptop.linux.files import InvokingUser

#: Seconds after which a helper that does not reply is given up: about files, which may wait for
#: a disk; about statistics, for which the collector waits; at the end.
_PATIENCE_S = 10.0
_TICK_PATIENCE_S = 1.0
_END_PATIENCE_S = 1.0


class Helper:
    """The helper, seen from the process that asks it; any thread may."""

    def __init__(self) -> None:
        """Fork; the process should have one thread and be small. Raises :class:`OSError`."""
        self._channel, theirs = socket.socketpair()
        self._ended = False
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                helper_process.run(theirs)
                status = 0
            finally:
                os._exit(status)
        theirs.close()
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
        """Say once which files it is about, for whom; then nothing of it can be changed.

        ``read``: files whose text may be asked for, ``save`` is one of them.
        """
        limits = {
            "invoker": [invoker.uid, invoker.gid, str(invoker.home), invoker.elevated],
            "read": [os.path.abspath(path) for path in (*read, *((save,) if save else ()))],
            "save": None if save is None else os.path.abspath(save),
        }
        self._ask(SETTLE, json.dumps(limits).encode())

    def statistics(self) -> int:
        """Have the kernel time BPF programs for as long as the returned descriptor is open."""
        _, descriptors = self._ask(STATISTICS, patience_s=_TICK_PATIENCE_S)
        if len(descriptors) != 1:
            raise HelperError("the helper gave no descriptor")
        return descriptors[0]

    def read(self, path: Path) -> str:
        """Return the text of one of the files settled on.

        Raises :class:`FileNotFoundError` where there is none, :class:`HelperError` with the reason
        where it cannot be read.
        """
        return self._ask(READ, os.fsencode(os.path.abspath(path)))[0].decode()

    def save(self, path: Path, text: str) -> Path:
        """Replace the configuration file settled on; return where it is.

        Raises :class:`HelperError` where the text is no valid configuration, changes what it must
        not, or cannot be written.
        """
        from pathlib import Path

        request = b"\0".join((os.fsencode(os.path.abspath(path)), text.encode()))
        return Path(os.fsdecode(self._ask(SAVE, request)[0]))

    def survey(self) -> Survey:
        """Return which processes hold stream sockets, as ``coverage.processes.survey`` does."""
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
                # What is in the socket now belongs to no question.
                self._channel.close()
                raise HelperError("the privileged helper of httptop is gone") from error
        finally:
            self._lock.release()
        if done == ABSENT:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(text))
        if done != DONE:
            raise HelperError(reply.decode("utf-8", "replace"))
        return reply, descriptors
