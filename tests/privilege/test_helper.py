"""The helper that stays root: what it does, and that it does nothing else."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.config import LARGEST_FILE
from httptop.linux.files import FileText, InvokingUser
from httptop.output import LARGEST_EXPORT, MOST_EXPORTS
from httptop.output.exported import export_name
from httptop.privilege import confine
from httptop.privilege import helper as module
from httptop.privilege.helper import GONE, LATE, Helper, start
from httptop.privilege.helper_protocol import (
    EXPORT,
    LONGEST,
    LONGEST_EXPORT,
    MOST_PROGRAMS,
    READ,
    SAVE,
    SETTLE,
    STATISTICS,
    HelperError,
    Launch,
    Limits,
)
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

ROOT = InvokingUser(0, 0, Path("/root"))
SOMEONE = InvokingUser(1, 1, Path("/"), elevated=True)


def capabilities_of(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    sets = {line.split()[1] for line in lines if line.startswith(("CapPrm", "CapEff"))}
    assert len(sets) == 1
    return int(sets.pop(), 16)


def test_it_has_a_name_a_process_group_and_few_descriptors(helper: Helper) -> None:
    helper.settle(ROOT)
    assert Path(f"/proc/{helper.pid}/comm").read_text() == "httptop-helper\n"
    assert os.getpgid(helper.pid) == helper.pid  # Ctrl-C does not reach it
    assert os.getsid(helper.pid) == os.getsid(0)  # the kernel hangs it up when we end
    assert len(os.listdir(f"/proc/{helper.pid}/fd")) == 4  # three of nothing, and the socket


def test_it_imports_little_and_no_site_packages() -> None:
    """Each of these costs it some hundred KiB: they are imported in children, if at all."""
    dear = {"collections", "contextlib", "enum", "json", "re", "signal", "site", "socket", "typing"}
    program = "import sys; sys.path[:] = sys.argv[1:]; import httptop.privilege.helper_process"
    ran = subprocess.run(
        [sys.executable, "-ISBc", f"{program}; print(*sys.modules)", *sys.path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert dear & set(ran.stdout.split()) == set()


def test_it_starts_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("PYTHONSTARTUP", "/nowhere")
    made = Helper()
    made.settle(ROOT)
    made.end()


@pytest.mark.parametrize(
    ("invoker", "kept"),
    [(ROOT, {2, 19, 21}), (SOMEONE, {2, 6, 7, 19, 21})],
    ids=["root", "sudo"],
)
def test_it_keeps_the_capabilities_it_needs(
    helper: Helper, invoker: InvokingUser, kept: set[int]
) -> None:
    helper.settle(invoker)
    mine = capabilities_of(os.getpid())
    assert capabilities_of(helper.pid) == sum(1 << number for number in kept) & mine


def test_the_launcher_is_of_the_user_and_holds_a_socket_and_nothing_else(helper: Helper) -> None:
    filters = confine.filters_of_others(wanted=True)
    launch = Launch(65534, 65533, (65533, 7), ahead=False, filter=filters.demo)
    helper.settle(ROOT, filter=filters.helper, launch=launch)
    assert helper.launcher_pid is not None
    proc, python = Path(f"/proc/{helper.launcher_pid}"), os.path.realpath(sys.executable)
    comm = proc / "comm"
    while os.readlink(proc / "exe") == python or comm.read_text() != "httptop-demo\n":
        time.sleep(0.001)  # it is not yet the shell
    lines = (proc / "status").read_text().splitlines()
    fields = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
    assert fields["Name"] == ["httptop-demo"]
    assert (set(fields["Uid"]), set(fields["Gid"])) == ({"65534"}, {"65533"})
    assert fields["Groups"] == ["7", "65533"]
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == (["1"], ["2"])
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(fields[name][0], 16) == 0
    held = sorted(os.readlink(entry)[:8] for entry in (proc / "fd").iterdir())
    assert held == ["/dev/nul", "/dev/nul", "socket:[", "socket:["]
    assert "Seccomp:\t2" in Path(f"/proc/{helper.pid}/status").read_text()
    launcher = helper.take_launcher()
    assert launcher is not None
    assert helper.take_launcher() is None
    os.close(launcher)
    stat = Path(f"/proc/{helper.launcher_pid}/stat")  # the helper waits for none
    while stat.exists() and ") Z " not in stat.read_text():
        time.sleep(0.001)


def test_it_serves_with_its_system_calls_restricted(folder: Path) -> None:
    """As one of root's, and for somebody who has called sudo."""
    for invoker in (ROOT, SOMEONE):
        place = folder / str(invoker.uid)
        place.mkdir()
        os.chown(place, invoker.uid, invoker.gid)
        file = place / "config.toml"
        helper = Helper()
        try:
            filters = confine.filters_of_others(wanted=True)
            helper.settle(invoker, [folder / "no.toml"], file, filter=filters.helper)
            helper.save(file, "[ui]\nsort = 'p99'\n")
            helper.save(file, "[ui]\nsort = 'p50'\n")
            assert helper.read(file).text == "[ui]\nsort = 'p50'\n"
            with pytest.raises(FileNotFoundError):
                helper.read(folder / "no.toml")
            os.close(helper.statistics())
            assert helper.times([]) == []
            assert helper.survey().holders
            assert file.stat().st_uid == invoker.uid
        finally:
            helper.end()


def test_it_ends_with_the_socket(helper: Helper) -> None:
    pid = helper.pid
    helper.end()
    helper.end()
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)  # it was waited for


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        while ") T " not in Path(f"/proc/{pid}/stat").read_text():
            time.sleep(0.001)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_the_end_of_one_that_hangs_is_not_waited_for(
    helper: Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper.settle(ROOT)
    monkeypatch.setattr(module, "_END_PATIENCE_S", 0.01)
    with stopped(helper.pid):
        helper.end()
    os.waitpid(helper.pid, 0)


def test_one_that_is_late_is_waited_for_and_its_late_replies_are_nobodys(
    helper: Helper, folder: Path
) -> None:
    """However much of the request, or of the reply, has come by then."""
    one, other = folder / "one.toml", folder / "other.toml"
    one.write_text("1" * LARGEST_FILE)
    other.write_text("[ui]\n")
    helper.settle(ROOT, read=[one, other], save=other)
    before = len(os.listdir("/proc/self/fd"))
    asks: list[Callable[[float], object]] = [
        lambda patience_s: helper._ask(STATISTICS, b"", patience_s),
        lambda patience_s: helper._ask(READ, os.fsencode(one), patience_s),
        lambda patience_s: helper._ask(
            SAVE, os.fsencode(other) + b"\0" + b"#" * LARGEST_FILE, patience_s
        ),
    ]
    for ask in asks:
        for patience_s in (0.0, 0.01, 0.001):
            with stopped(helper.pid):
                with pytest.raises(HelperError, match="does not answer"):
                    ask(patience_s)
                assert helper.trouble == LATE
                with pytest.raises(HelperError, match="does not answer"):
                    helper._ask(STATISTICS, late_s=0.0)
        assert helper.read(one).text == one.read_text()
        assert helper.trouble == ""
    assert helper.read(other).text == "#" * LARGEST_FILE
    assert len(os.listdir("/proc/self/fd")) == before


def test_one_that_is_gone_is_said_to_be_gone(helper: Helper) -> None:
    helper.settle(ROOT)
    assert helper.trouble == ""
    os.kill(helper.pid, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(HelperError, match="is gone"):
            helper.statistics()
    assert helper.trouble == GONE


@pytest.mark.ebpf
def test_statistics_are_a_descriptor(helper: Helper) -> None:
    helper.settle(ROOT)
    descriptor = helper.statistics()
    assert os.readlink(f"/proc/self/fd/{descriptor}") == "anon_inode:bpf-stats"
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


@pytest.mark.ebpf
def test_times_are_those_of_programs_that_exist(helper: Helper) -> None:
    helper.settle(ROOT)
    assert helper.times([]) == []
    with pytest.raises(HelperError, match="No such file"):
        helper.times([0xFFFFFFFE])
    assert helper.trouble == ""


def test_times_of_more_programs_than_there_can_be_end_it(helper: Helper) -> None:
    helper.settle(ROOT)
    with pytest.raises(HelperError, match="is gone"):
        helper.times(range(MOST_PROGRAMS + 1))


# Files


def test_it_reads_the_files_settled_on(helper: Helper, folder: Path) -> None:
    there, other = folder / "there.toml", folder / "other.toml"
    there.write_text("# grüße")
    helper.settle(ROOT, read=[there], save=other)
    assert helper.read(there) == FileText("# grüße")
    with pytest.raises(FileNotFoundError):
        helper.read(other)
    there.write_text("# now")
    assert helper.read(there).text == "# now"


def test_it_tells_why_a_file_cannot_be_read(helper: Helper, folder: Path) -> None:
    helper.settle(ROOT, read=[folder])
    with pytest.raises(HelperError, match=r"is a directory$"):
        helper.read(folder)
    assert isinstance(HelperError("x"), OSError)


def test_another_file_than_those_ends_it(helper: Helper, folder: Path) -> None:
    helper.settle(ROOT, read=[folder / "there.toml"])
    with pytest.raises(HelperError, match="is gone"):
        helper.read(Path("/etc/shadow"))
    with pytest.raises(HelperError, match="is gone"):
        helper.statistics()
    assert os.waitpid(helper.pid, 0) == (helper.pid, 0)


def test_under_sudo_it_reads_and_writes_as_the_one_who_called(helper: Helper, folder: Path) -> None:
    theirs = folder / "theirs"
    theirs.mkdir()
    os.chown(theirs, 1, 1)
    secret = folder / "secret.toml"
    secret.write_text("[ui]\n")
    secret.chmod(0o600)
    os.chown(secret, 2, 2)
    helper.settle(SOMEONE, read=[secret], save=theirs / "config.toml")
    with pytest.raises(HelperError, match="no permission to read it"):
        helper.read(secret)
    assert helper.save(theirs / "config.toml", '[ui]\nsort = "p99"\n') == theirs / "config.toml"
    found = (theirs / "config.toml").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1, 1, 0o600)


def test_what_is_saved_is_a_configuration(helper: Helper, folder: Path) -> None:
    file = folder / "config.toml"
    file.write_text("[ui]\n")
    helper.settle(ROOT, save=file)
    for text, why in (
        ("[ui\n", "invalid TOML"),
        ('[ui]\nsort = "wrong"\n', "ui.sort"),
        ("[some]\nthing = 1\n", "unknown key"),
    ):
        with pytest.raises(HelperError, match=why):
            helper.save(file, text)
        assert file.read_text() == "[ui]\n"
    helper.save(file, '[ui]\nsort = "p99"\n')
    assert file.read_text() == '[ui]\nsort = "p99"\n'


@pytest.mark.parametrize(
    "text",
    [
        "[security]\ndrop_privileges = false\n",
        '[security]\nuser = "daemon"\n',
        '[general]\nlog_file = "/etc/cron.d/some"\n',
    ],
)
def test_what_is_saved_gives_nobody_root_at_the_next_start(
    helper: Helper, folder: Path, text: str
) -> None:
    file = folder / "config.toml"
    helper.settle(ROOT, save=file)
    with pytest.raises(HelperError, match="can be changed only by hand"):
        helper.save(file, text)
    assert not file.exists()
    file.write_text(text)  # by hand, and so it stays
    helper.save(file, text + '[ui]\nsort = "p99"\n')
    with pytest.raises(HelperError, match="can be changed only by hand"):
        helper.save(file, '[ui]\nsort = "p99"\n')


def test_a_message_holds_the_largest_configuration_and_its_path() -> None:
    assert LARGEST_FILE + os.pathconf("/", "PC_PATH_MAX") <= LONGEST


# Exports


def test_under_sudo_it_exports_as_the_one_who_called(folder: Path) -> None:
    theirs = folder / "theirs"
    theirs.mkdir()
    os.chown(theirs, 1, 1)
    host, moment = os.uname().nodename, 1_790_000_000
    filters = confine.filters_of_others(wanted=True)
    helper = Helper()
    try:
        helper.settle(SOMEONE, export=theirs, filter=filters.helper)
        one = helper.export("txt", moment, b"one")
        other = helper.export("txt", moment + 0.5, b"\0 other")
        assert one == theirs / export_name(host, moment, "txt")
        assert other == theirs / export_name(host, moment, "txt", 2)
        assert (one.read_bytes(), other.read_bytes()) == (b"one", b"\0 other")
        for path in (one, other):
            found = path.lstat()
            assert (found.st_uid, found.st_gid, found.st_mode) == (1, 1, stat.S_IFREG | 0o600)
        big = helper.export("json", moment, b"x" * LARGEST_EXPORT)
        assert big.stat().st_size == LARGEST_EXPORT
        with pytest.raises(HelperError, match="larger than 16 MiB"):
            helper.export("json", moment, b"x" * (LARGEST_EXPORT + 1))
        os.chown(theirs, 2, 2)
        theirs.chmod(0o755)
        with pytest.raises(HelperError, match="no permission to write it for"):
            helper.export("svg", moment, b"")
        assert len(os.listdir(theirs)) == 3
    finally:
        helper.end()


def test_root_exports_only_where_nobody_else_can_change_anything(
    helper: Helper, folder: Path
) -> None:
    theirs = folder / "theirs"
    theirs.mkdir()
    os.chown(theirs, 1, 1)
    helper.settle(ROOT, export=theirs)
    with pytest.raises(HelperError, match="nobody but root can change anything"):
        helper.export("txt", 0, b"")
    assert os.listdir(theirs) == []


def test_it_exports_so_many_files_and_no_more(helper: Helper, folder: Path) -> None:
    helper.settle(ROOT, export=folder)
    for _ in range(MOST_EXPORTS):
        with contextlib.suppress(HelperError):  # nine are of this second
            helper.export("txt", 0, b"")
    assert len(os.listdir(folder)) == 9
    with pytest.raises(HelperError, match=f"{MOST_EXPORTS} files"):
        helper.export("txt", 1, b"")
    assert len(os.listdir(folder)) == 9
    assert helper.trouble == ""


# Nonsense


@contextlib.contextmanager
def served() -> Iterator[tuple[socket.socket, Callable[[], int]]]:
    """A helper, a bare socket to it, and its wait status."""
    ours, theirs = socket.socketpair()
    with theirs:
        pid = start(theirs)
    waited: list[int] = []

    def ended() -> int:
        if not waited:
            waited.append(os.waitpid(pid, 0)[1])
        return waited[0]

    with ours:
        ours.settimeout(PATIENCE_S)
        yield ours, ended
    ended()


def say(channel: socket.socket, said: bytes) -> None:
    """Send, and read all replies; data that the helper does not read resets the socket."""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        channel.sendall(said)
        channel.shutdown(socket.SHUT_WR)
        while channel.recv(65536):
            pass


def message(what: bytes, text: bytes = b"") -> bytes:
    return struct.pack("=cII", what, 1, len(text)) + text


LIMITS = Limits(0, 0, False, b"/root", b"", []).to_bytes()
EXPORTING = Limits(0, 0, False, b"/root", b"", [], export=b"/nowhere").to_bytes()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(message(STATISTICS), id="before anything is settled"),
        pytest.param(message(SETTLE, b"0\x000\x00"), id="too few limits"),
        pytest.param(message(SETTLE, b"root" + LIMITS[1:]), id="no number"),
        pytest.param(message(SETTLE, LIMITS) * 2, id="settled twice"),
        pytest.param(message(SETTLE, LIMITS) + message(b"X"), id="an unknown wish"),
        pytest.param(message(SETTLE, LIMITS) + message(READ, b"/etc/shadow"), id="another file"),
        pytest.param(message(SETTLE, LIMITS) + message(SAVE, b"/etc/x\0"), id="nowhere to save"),
        pytest.param(message(SETTLE, LIMITS) + message(SAVE, b"\0[ui]"), id="a trick"),
        pytest.param(
            message(SETTLE, LIMITS) + message(EXPORT, b"txt\x000\0x"), id="nowhere to export"
        ),
        pytest.param(message(SETTLE, EXPORTING) + message(EXPORT, b"txt\x000"), id="no contents"),
        pytest.param(
            message(SETTLE, EXPORTING) + message(EXPORT, b"sh\x000\0x"), id="another kind"
        ),
        pytest.param(message(SETTLE, EXPORTING) + message(EXPORT, b"txt\0../x\0x"), id="no moment"),
        pytest.param(
            message(SETTLE, EXPORTING) + struct.pack("=cII", EXPORT, 1, LONGEST_EXPORT + 1),
            id="an export too long",
        ),
        pytest.param(struct.pack("=cII", SETTLE, 1, 1 << 31), id="too long"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"F\0", id="half a message"),
    ],
)
def test_nonsense_ends_it(said: bytes) -> None:
    with served() as (channel, ended):
        say(channel, said)
        assert os.WIFEXITED(ended())


@given(st.binary(max_size=64), st.booleans())
def test_no_bytes_make_it_do_anything_else(said: bytes, settled: bool) -> None:
    with served() as (channel, ended):
        say(channel, (message(SETTLE, LIMITS) if settled else b"") + said)
        assert os.WIFEXITED(ended())
