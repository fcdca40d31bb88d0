"""A small helper that stays root when httptop gives it up, and does four things for it.

::

    httptop (nobody) ──── socket pair ──── monitor (root, with the few capabilities for this)
                          SETTLE      ───►  once: which files, and whose they are
                          STATISTICS  ───►  has the kernel time BPF programs; returns a descriptor
                          READ        ───►  returns the text of one of the configuration files
                          SAVE        ───►  replaces the configuration file, where it is a valid one
                          SURVEY      ───►  returns which processes hold stream sockets (holders.py)

Nothing else can be asked for: the paths are settled before httptop has looked at anybody's
traffic, and a second SETTLE ends the helper, as does every message that makes no sense. So does
the end of the socket, which comes when httptop ends, whatever it ends of.

What is saved changes neither what httptop may do (security) nor which files it writes: who got
hold of httptop must not get hold of root when it is started next.

A message is a byte (request: what; reply: whether it worked), its length in four bytes, and its
text. The helper is forked off first of all, while the process is small, so this module imports
little, and what a file needs is imported in a child of its own that ends with the reply.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import struct
import threading

from httptop.linux import bpf_syscall, capabilities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any, ClassVar

    from httptop.coverage.processes import Survey
    from httptop.linux.files import Caller

SETTLE, STATISTICS, READ, SAVE, SURVEY = b"F", b"T", b"R", b"S", b"P"
_DONE, _REFUSED, _ABSENT = b"+", b"-", b"0"

_HEAD = struct.Struct("=cI")
#: Bytes of a configuration file, and of a message, which may hold one.
_LARGEST_FILE = 1 << 20
_LONGEST = _LARGEST_FILE + 4096
#: Seconds after which a helper that does not answer is given up: about files, which may wait for
#: a disk; about statistics, for which the collector waits; at the end.
_PATIENCE_S = 10.0
_TICK_PATIENCE_S = 1.0
_END_PATIENCE_S = 1.0
#: Seconds after which a look at the processes is ended.
_LONGEST_SURVEY_S = 5


class MonitorError(OSError):
    """The helper refused, or is gone; the message says why."""

    def __str__(self) -> str:
        return str(self.args[0])


class Monitor:
    """The helper, seen from the process that asks it; any thread may."""

    #: The helper of this process, if it has one.
    running: ClassVar[Monitor | None] = None

    def __init__(self) -> None:
        """Fork; the process should have one thread and be small."""
        self._channel, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                _alone(theirs)
                _serve(theirs)
                status = 0
            finally:
                os._exit(status)
        theirs.close()
        self._lock = threading.Lock()

    @classmethod
    def begin(cls) -> Monitor:
        """Return the helper that was started before, or a new one."""
        if cls.running is None:
            cls.running = cls()
        return cls.running

    @classmethod
    def end(cls) -> None:
        """End the helper, if there is one, and wait for it; idempotent."""
        monitor, cls.running = cls.running, None
        if monitor is not None:
            monitor._channel.close()
            with contextlib.suppress(OSError):
                ended = os.pidfd_open(monitor.pid)
                select.select([ended], [], [], _END_PATIENCE_S)
                os.close(ended)
                os.waitpid(monitor.pid, os.WNOHANG)

    def settle(self, caller: Caller, read: Sequence[Path] = (), save: Path | None = None) -> None:
        """Say once which files it is about, for whom; then nothing of it can be changed.

        ``read``: files whose text may be asked for, ``save`` is one of them.
        """
        limits = {
            "caller": [caller.uid, caller.gid, str(caller.home), caller.elevated],
            "read": [os.path.abspath(path) for path in (*read, *((save,) if save else ()))],
            "save": None if save is None else os.path.abspath(save),
        }
        self._ask(SETTLE, json.dumps(limits).encode())

    def statistics(self) -> int:
        """Have the kernel time BPF programs for as long as the returned descriptor is open."""
        _, descriptors = self._ask(STATISTICS, patience_s=_TICK_PATIENCE_S)
        if len(descriptors) != 1:
            raise MonitorError("the helper gave no descriptor")
        return descriptors[0]

    def read(self, path: Path) -> str:
        """Return the text of one of the files settled on.

        Raises :class:`FileNotFoundError` where there is none, :class:`MonitorError` with the reason
        where it cannot be read.
        """
        return self._ask(READ, os.fsencode(os.path.abspath(path)))[0].decode()

    def save(self, path: Path, text: str) -> Path:
        """Replace the configuration file settled on; return where it is.

        Raises :class:`MonitorError` where the text is no valid configuration, changes what it must
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
            raise MonitorError("the privileged helper of httptop is busy")
        try:
            try:
                self._channel.settimeout(patience_s)
                self._channel.sendall(_HEAD.pack(what, len(text)) + text)
                head, descriptors, _, _ = socket.recv_fds(self._channel, _HEAD.size, 1)
                for descriptor in descriptors:
                    os.set_inheritable(descriptor, False)
                done, length = _HEAD.unpack(head + _received(self._channel, _HEAD.size - len(head)))
                reply = _received(self._channel, length)
            except (OSError, EOFError) as fault:
                # What is in the socket now belongs to no question.
                self._channel.close()
                raise MonitorError("the privileged helper of httptop is gone") from fault
        finally:
            self._lock.release()
        if done == _ABSENT:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(text))
        if done != _DONE:
            raise MonitorError(reply.decode("utf-8", "replace"))
        return reply, descriptors


def _received(channel: socket.socket, length: int) -> bytes:
    if length > _LONGEST:
        raise EOFError
    data = bytearray()
    while len(data) < length:
        more = channel.recv(min(length - len(data), 1 << 16))
        if not more:
            raise EOFError
        data += more
    return bytes(data)


# The helper itself


def _alone(channel: socket.socket) -> None:
    """Leave the terminal and the descriptors of the other process."""
    os.setsid()  # no signal from its keys
    with open("/proc/self/comm", "w") as name:
        name.write("httptop-monitor")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.closerange(3, channel.fileno())
    os.closerange(channel.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
    os.chdir("/")
    capabilities.make_undumpable()
    capabilities.forbid_new_privileges()
    capabilities.empty_inherited_sets()


def _serve(channel: socket.socket) -> None:
    """Reply until the socket ends or something makes no sense."""
    limits: dict[str, Any] | None = None
    while True:
        try:
            what, length = _HEAD.unpack(_received(channel, _HEAD.size))
            text = _received(channel, length)
        except (EOFError, OSError):
            return
        if what == SETTLE and limits is None:
            limits = json.loads(text)
            _reduce(elevated=limits["caller"][3])
            _reply(channel, b"")
        elif limits is None:
            return
        elif what == STATISTICS:
            _give_statistics(channel)
        elif what == READ and os.fsdecode(text) in limits["read"]:
            _apart(channel, _read, limits, text)
        elif what == SAVE and os.fsdecode(text.partition(b"\0")[0]) == limits["save"]:
            _apart(channel, _save, limits, text)
        elif what == SURVEY and not text:
            _apart(channel, _survey, limits, text)
        else:
            return


def _reduce(*, elevated: bool) -> None:
    """Keep what the rest needs.

    That is: the statistics, files with the rights of whose they are, and what processes hold.
    """
    kept = [
        capabilities.CAP_SYS_ADMIN,
        capabilities.CAP_SYS_PTRACE,
        capabilities.CAP_DAC_READ_SEARCH,
    ]
    if elevated:
        kept += (capabilities.CAP_SETUID, capabilities.CAP_SETGID, capabilities.CAP_CHOWN)
    else:
        kept += (capabilities.CAP_DAC_OVERRIDE,)
    capabilities.keep_only(kept)


def _reply(channel: socket.socket, text: bytes, done: bytes = _DONE) -> None:
    channel.sendall(_HEAD.pack(done, len(text)) + text)


def _give_statistics(channel: socket.socket) -> None:
    try:
        descriptor = bpf_syscall.enable_stats()
    except OSError as fault:
        _reply(channel, str(fault.strerror).encode(), _REFUSED)
        return
    try:
        socket.send_fds(channel, [_HEAD.pack(_DONE, 0)], [descriptor])
    finally:
        os.close(descriptor)


def _apart(
    channel: socket.socket,
    action: Callable[[dict[str, Any], bytes], bytes],
    limits: dict[str, Any],
    text: bytes,
) -> None:
    """Reply from a child: what it imports, and what may go wrong in it, ends with it."""
    child = os.fork()
    if child == 0:
        try:
            try:
                reply, done = action(limits, text), _DONE
            except FileNotFoundError:
                reply, done = b"", _ABSENT
            except Exception as fault:  # noqa: BLE001 - whatever it is, the other side shall know
                reply, done = str(fault).encode("utf-8", "replace")[:4000], _REFUSED
            _reply(channel, reply, done)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        _reply(channel, b"it took too long", _REFUSED)


def _caller(limits: dict[str, Any]) -> Caller:
    from pathlib import Path

    from httptop.linux.files import Caller

    uid, gid, home, elevated = limits["caller"]
    return Caller(uid, gid, Path(home), elevated)


def _read(limits: dict[str, Any], path: bytes) -> bytes:
    from pathlib import Path

    from httptop.linux.files import read_text

    return read_text(Path(os.fsdecode(path)), _LARGEST_FILE, _caller(limits)).encode()


def _save(limits: dict[str, Any], request: bytes) -> bytes:
    from pathlib import Path

    from httptop.config.load import check_text, read_config
    from httptop.config.settings import SETTINGS
    from httptop.config.settings.string_types import FILE
    from httptop.linux.files import write_text

    path, caller, wanted = (
        Path(limits["save"]),
        _caller(limits),
        request.partition(b"\0")[2].decode(),
    )
    new = check_text(wanted, path).settings
    now = check_text(read_config(path, caller), path).settings
    for setting in SETTINGS:
        guarded = setting.section == "security" or setting.kind is FILE
        if guarded and setting.of(new) != setting.of(now):
            raise MonitorError(f"{setting.key} can be changed by hand only, in {path}")
    return os.fsencode(write_text(path, wanted, caller))


def _survey(_limits: dict[str, Any], _nothing: bytes) -> bytes:
    """Look at the processes with no more rights than that takes, and not for long.

    One that is stuck in the kernel can hold up who reads its mappings.
    """
    import time

    from httptop.coverage.processes import survey, to_text

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LONGEST_SURVEY_S)
    capabilities.keep_only((capabilities.CAP_SYS_PTRACE, capabilities.CAP_DAC_READ_SEARCH))
    reply = to_text(survey(time.time())).encode()
    signal.alarm(0)
    return reply
