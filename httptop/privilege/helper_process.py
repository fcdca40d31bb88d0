"""Run the helper: the process that stays root when httptop gives it up.

It serves the requests of :mod:`httptop.privilege.helper` only. The paths are settled before httptop
sees any traffic. A second SETTLE ends the helper, and so does any invalid message. It also ends
with the socket, which closes when httptop ends, for whatever reason.

A saved configuration can change neither the security settings nor the files that httptop writes:
an attacker who controls httptop must not get root when it is started next.

It is a Python of its own, without site packages and with few modules: that takes less memory than
a fork of httptop. What a request needs beyond is imported in a child process that ends with the
reply.
"""

from __future__ import annotations

import _socket  # socket would bring in enum, selectors and collections
import os
import sys

from httptop.linux import bpf_syscall, capabilities, seccomp
from httptop.output import MOST_EXPORTS
from httptop.privilege.helper_protocol import (
    ABSENT,
    DONE,
    EXPORT,
    HEAD,
    LONGEST,
    LONGEST_EXPORT,
    MOST_PROGRAMS,
    MOST_REOPENINGS,
    PROGRAM,
    PROGRAM_TIMES,
    READ,
    REFUSED,
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
    receive,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from httptop.linux.files import InvokingUser

#: The descriptor of the helper's end of the socket pair.
CHANNEL = 3
#: The command that starts the helper, but for the interpreter; the module path follows. -B: root's
#: process must not write beside the sources.
START = (
    "-ISBc",
    "import sys; sys.path[:] = sys.argv[1:]\n"
    "from httptop.privilege.helper_process import main; main()",
)

#: Seconds after which a survey of the processes is aborted.
_LONGEST_SURVEY_S = 5


def main() -> NoReturn:
    """Serve on CHANNEL until the socket ends or a message is invalid; end the process."""
    status = 1
    try:
        channel = _socket.socket(fileno=CHANNEL)
        _isolate()
        serve(channel)
        status = 0
    finally:
        os._exit(status)


def _isolate() -> None:
    """Detach from httptop's descriptors, and restrict what this process can gain."""
    with open("/proc/self/comm", "w") as name:
        name.write("httptop-helper")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.closerange(CHANNEL + 1, os.sysconf("SC_OPEN_MAX"))
    os.chdir("/")
    capabilities.make_undumpable()
    capabilities.forbid_new_privileges()
    capabilities.empty_inherited_sets()


def serve(channel: _socket.socket) -> None:
    """Reply to requests until the socket ends or a message is invalid.

    Raises :class:`ValueError` if what is settled is malformed.
    """
    limits: Limits | None = None
    exports = reopenings = 0
    while True:
        try:
            what, number, length = HEAD.unpack(receive(channel, HEAD.size))
            may_export = what == EXPORT and limits is not None and limits.export != b""
            text = receive(channel, length, LONGEST_EXPORT if may_export else LONGEST)
        except (EOFError, OSError):
            return
        if what == SETTLE and limits is None:
            limits = Limits.from_bytes(text)
            _settle(channel, number, limits)
        elif limits is None:
            return
        elif what == STATISTICS:
            _give_statistics(channel, number)
        elif what == TIMES and len(text) <= MOST_PROGRAMS * PROGRAM.size:
            _give_times(channel, number, text)
        elif what == READ and text in limits.read:
            _apart(channel, number, _read, limits, text)
        elif what == SAVE and limits.save and text.partition(b"\0")[0] == limits.save:
            _apart(channel, number, _save, limits, text)
        elif what == SURVEY and not text:
            _apart(channel, number, _survey, limits, text)
        elif what == REOPEN and limits.log_at(text) is not None:
            reopenings += 1
            if reopenings > MOST_REOPENINGS:
                _reply(channel, number, b"logs were opened %d times" % MOST_REOPENINGS, REFUSED)
            else:
                _apart(channel, number, _reopen, limits, text)
        elif may_export and Export.from_bytes(text) is not None:
            exports += 1
            if exports > MOST_EXPORTS:
                _reply(channel, number, b"%d files have been asked for" % MOST_EXPORTS, REFUSED)
            else:
                _apart(channel, number, _export, limits, text)
        else:
            return


def _settle(channel: _socket.socket, number: int, limits: Limits) -> None:
    """Have the launcher made, give up what no request needs, and tell who the launcher is.

    The reply to a launch is the launcher's process id, and with it comes the socket to it.
    """
    pid, theirs = (0, None) if limits.launch is None else _launcher(channel, limits.launch)
    _reduce(elevated=limits.elevated)
    if limits.filter:
        seccomp.apply(limits.filter)
    if theirs is None:
        _reply(channel, number, b"")
    else:
        _reply_with(channel, number, theirs.fileno(), b"%d" % pid)
        theirs.close()


def _launcher(channel: _socket.socket, launch: Launch) -> tuple[int, _socket.socket]:
    """Start the launcher; return its process id and the other end of its socket."""
    from httptop.privilege.launcher import run

    ours, theirs = _socket.socketpair()
    child = os.fork()
    if child:
        ours.close()
        return child, theirs
    try:
        channel.close()
        theirs.close()
        os.dup2(ours.fileno(), CHANNEL)
        os.closerange(CHANNEL + 1, os.sysconf("SC_OPEN_MAX"))
        run(CHANNEL, launch)
    finally:
        os._exit(0)


def _reduce(*, elevated: bool) -> None:
    """Drop all capabilities but those for the requests.

    They need: the statistics, under sudo access to files with their user's permissions, and the
    descriptors and mappings of processes. Root's own files need none.
    """
    kept = [
        capabilities.CAP_SYS_ADMIN,
        capabilities.CAP_SYS_PTRACE,
        capabilities.CAP_DAC_READ_SEARCH,
    ]
    if elevated:
        kept += (capabilities.CAP_SETUID, capabilities.CAP_SETGID)
    capabilities.keep_only(kept)


def _reply(channel: _socket.socket, number: int, text: bytes, done: bytes = DONE) -> None:
    channel.sendall(HEAD.pack(done, number, len(text)) + text)


def _reply_with(channel: _socket.socket, number: int, descriptor: int, text: bytes = b"") -> None:
    sent = descriptor.to_bytes(4, sys.byteorder)
    rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, sent)
    channel.sendmsg([HEAD.pack(DONE, number, len(text)) + text], [rights])


def _give_statistics(channel: _socket.socket, number: int) -> None:
    try:
        descriptor = bpf_syscall.enable_stats()
    except OSError as error:
        _reply(channel, number, str(error.strerror).encode(), REFUSED)
        return
    try:
        _reply_with(channel, number, descriptor)
    finally:
        os.close(descriptor)


def _give_times(channel: _socket.socket, number: int, programs: bytes) -> None:
    try:
        numbers = [program for (program,) in PROGRAM.iter_unpack(programs)]
        times = [PROGRAM_TIMES.pack(*_times_of(at)) for at in numbers]
    except OSError as error:
        _reply(channel, number, str(error.strerror).encode(), REFUSED)
        return
    _reply(channel, number, b"".join(times))


def _times_of(program: int) -> tuple[int, int, int]:
    descriptor = bpf_syscall.prog_by_number(program)
    try:
        return bpf_syscall.prog_times(descriptor)
    finally:
        os.close(descriptor)


def _apart(
    channel: _socket.socket,
    number: int,
    action: Callable[[Limits, bytes], bytes | tuple[bytes, int]],
    limits: Limits,
    text: bytes,
) -> None:
    """Reply from a child process, so that its imports and its errors end with it.

    ``action`` returns the text of the reply, perhaps with a descriptor.
    """
    child = os.fork()
    if child == 0:
        try:
            try:
                reply: bytes | tuple[bytes, int] = action(limits, text)
                done = DONE
            except FileNotFoundError:
                reply, done = b"", ABSENT
            except Exception as error:  # noqa: BLE001 - httptop is told, whatever it is
                reply, done = str(error).encode("utf-8", "replace")[:4000], REFUSED
            if isinstance(reply, tuple):
                _reply_with(channel, number, reply[1], reply[0])
            else:
                _reply(channel, number, reply, done)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        _reply(channel, number, b"it took too long", REFUSED)


def _caller(limits: Limits) -> InvokingUser:
    from pathlib import Path

    from httptop.linux.files import InvokingUser

    home = Path(os.fsdecode(limits.home))
    return InvokingUser(limits.uid, limits.gid, home, limits.elevated)


def _read(limits: Limits, path: bytes) -> bytes:
    from pathlib import Path

    from httptop.config.load import own_reader

    found = own_reader(_caller(limits))(Path(os.fsdecode(path)))
    return b"\0".join((found.offence.encode("utf-8", "replace"), found.text.encode()))


def _save(limits: Limits, request: bytes) -> bytes:
    from pathlib import Path

    from httptop.config.load import check_text, read_config
    from httptop.config.settings import GUARDED, SETTINGS
    from httptop.linux.files import write_text

    path, invoker, wanted = (
        Path(os.fsdecode(limits.save)),
        _caller(limits),
        request.partition(b"\0")[2].decode(),
    )
    new = check_text(wanted, path).settings
    now = check_text(read_config(path, invoker), path).settings
    for setting in SETTINGS:
        if setting.key in GUARDED and setting.of(new) != setting.of(now):
            raise HelperError(f"{setting.key} can be changed only by hand, in {path}")
    return os.fsencode(write_text(path, wanted, invoker))


def _export(limits: Limits, request: bytes) -> bytes:
    from pathlib import Path

    from httptop.output.exported import write_export

    wanted = Export.from_bytes(request)
    assert wanted is not None
    directory, host = Path(os.fsdecode(limits.export)), os.uname().nodename
    return os.fsencode(
        write_export(directory, host, wanted.at_s, wanted.kind, wanted.data, _caller(limits))
    )


def _reopen(limits: Limits, place: bytes) -> tuple[bytes, int]:
    """Open one of the logs as it was at the start; httptop has no say in how, or in which."""
    from pathlib import Path

    from httptop.linux.appended import open_for_appending
    from httptop.output.own_log import start_of

    log = limits.log_at(place)
    assert log is not None
    path, format = Path(os.fsdecode(log[0])), log[1].decode("utf-8", "surrogateescape")
    opened = open_for_appending(path, _caller(limits), ours=start_of(format))
    return TORN if opened.torn else b"", opened.descriptor


def _survey(_limits: Limits, _nothing: bytes) -> bytes:
    """Survey the processes with the capabilities that this requires, and with a time limit.

    Reading the mappings of a process that is stuck in the kernel can block.
    """
    import signal
    import time

    from httptop.coverage.processes import survey, to_text

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LONGEST_SURVEY_S)
    capabilities.keep_only((capabilities.CAP_SYS_PTRACE, capabilities.CAP_DAC_READ_SEARCH))
    reply = to_text(survey(time.time())).encode()
    signal.alarm(0)
    return reply
