"""The helper opens logs again that were rotated: those that were settled, and as at the start."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from httptop.linux.appended import Appending
from httptop.linux.files import InvokingUser
from httptop.privilege import confine, helper_process
from httptop.privilege.helper import Helper
from httptop.privilege.helper_protocol import HEAD, REOPEN, SETTLE, HelperError, Limits
from tests.privilege.test_helper import ROOT, SOMEONE, message, say, served

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

JSON = '{"serial":1,'
OWN = "2026-01-01T00:00:00.000Z info httptop 1 starts\n"


def settled(helper: Helper, *logs: tuple[Path, str], invoker: InvokingUser = ROOT) -> Helper:
    filters = confine.filters_of_others(wanted=True)
    helper.settle(invoker, filter=filters.helper, logs=logs)
    return helper


def opened(helper: Helper, path: Path) -> Appending:
    found = helper.reopen(path)
    assert found is not None
    return found


def test_it_makes_a_log_again_where_only_root_may_and_for_writing_at_its_end_alone(
    helper: Helper, folder: Path
) -> None:
    roots = folder / "roots"
    roots.mkdir(mode=0o700)
    file = roots / "requests.log"
    settled(helper, (file, "json"))
    descriptor, torn = opened(helper, file)
    assert not torn
    assert os.path.samestat(os.fstat(descriptor), file.lstat())
    found = file.lstat()
    assert (found.st_uid, found.st_mode) == (0, stat.S_IFREG | 0o600)
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    assert flags & (os.O_ACCMODE | os.O_APPEND) == os.O_WRONLY | os.O_APPEND
    assert not os.get_inheritable(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.read(descriptor, 1)
    os.write(descriptor, JSON.encode())
    again, torn = opened(helper, file)  # what is there is gone on with
    assert torn
    os.write(again, b"}\n")
    assert file.read_text() == JSON + "}\n"
    assert not opened(helper, file).torn
    assert len(os.listdir(f"/proc/{helper.pid}/fd")) == 4  # it keeps none


def test_it_makes_a_log_again_where_a_group_of_the_system_may_write(
    helper: Helper, folder: Path
) -> None:
    logs = folder / "logs"  # as /var/log is on Ubuntu
    logs.mkdir()
    os.chown(logs, 0, 4)
    logs.chmod(0o775)
    file = logs / "requests.log"
    settled(helper, (file, "json"))
    os.close(opened(helper, file).descriptor)
    assert file.lstat().st_mode == stat.S_IFREG | 0o600


def test_under_sudo_it_opens_as_the_one_who_called(helper: Helper, folder: Path) -> None:
    theirs, roots = folder / "theirs", folder / "roots"
    theirs.mkdir(mode=0o700)
    roots.mkdir(mode=0o755)
    os.chown(theirs, 1, 1)
    file, other = theirs / "httptop.log", roots / "httptop.log"
    settled(helper, (file, ""), (other, ""), invoker=SOMEONE)
    opened(helper, file)
    found = file.lstat()
    assert (found.st_uid, found.st_gid, found.st_mode) == (1, 1, stat.S_IFREG | 0o600)
    with pytest.raises(HelperError, match="no permission to write it for"):
        helper.reopen(other)
    file.unlink()
    file.write_text(OWN)  # root's
    with pytest.raises(HelperError, match="belongs to another user"):
        helper.reopen(file)
    file.unlink()
    other.write_text(OWN)
    file.symlink_to(other)
    os.chown(file, 1, 1, follow_symlinks=False)
    with pytest.raises(HelperError, match="belongs to another user"):
        helper.reopen(file)
    assert other.read_text() == OWN


def test_each_log_is_known_by_its_own_format(helper: Helper, folder: Path) -> None:
    requests, own = folder / "requests.log", folder / "httptop.log"
    settled(helper, (own, ""), (requests, "json"))
    requests.write_text(JSON)
    own.write_text(OWN)
    opened(helper, requests)
    opened(helper, own)
    requests.write_text(OWN)
    own.write_text(JSON)
    for path in (requests, own):
        with pytest.raises(HelperError, match="httptop has not written it"):
            helper.reopen(path)


def in_place_of(folder: Path) -> dict[str, tuple[Callable[[Path], object], str]]:
    target = folder / "target"
    target.write_text(JSON)

    def of_another(file: Path) -> None:
        file.write_text(JSON)
        os.chown(file, 1, 1)

    def link_of_another(file: Path) -> None:
        file.symlink_to(target)
        os.chown(file, 1, 1, follow_symlinks=False)

    return {
        "a link of somebody's": (link_of_another, "symbolic link of another user"),
        "another name": (lambda file: file.hardlink_to(target), "hard links"),
        "a FIFO": (lambda file: os.mkfifo(file), "no regular file"),
        "a directory": (lambda file: file.mkdir(), "is a directory"),
        "somebody's": (of_another, "belongs to another user"),
        "no log": (lambda file: file.write_text("root:x:0:0"), "httptop has not written it"),
    }


def test_what_could_not_have_been_opened_at_the_start_is_refused(
    helper: Helper, folder: Path
) -> None:
    roots = folder / "roots"
    roots.mkdir(mode=0o700)
    file = roots / "requests.log"
    settled(helper, (file, "json"))
    for name, (place, why) in in_place_of(folder).items():
        place(file)
        with pytest.raises(HelperError, match=why):
            pytest.fail(f"{name}: {helper.reopen(file)}")
        if file.is_dir() and not file.is_symlink():
            file.rmdir()
        else:
            file.unlink()
    assert (folder / "target").read_text() == JSON
    assert helper.trouble == ""
    opened(helper, file)


def test_a_directory_that_somebody_put_in_its_place_is_refused(
    helper: Helper, folder: Path
) -> None:
    roots, theirs = folder / "roots", folder / "theirs"
    roots.mkdir(mode=0o700)
    theirs.mkdir(mode=0o755)
    os.chown(theirs, 1, 1)
    file = roots / "requests.log"
    settled(helper, (file, "json"))
    roots.rename(folder / "moved")
    with pytest.raises(HelperError, match="no such file or directory"):
        helper.reopen(file)
    roots.symlink_to(theirs)
    with pytest.raises(HelperError, match="nobody but root can change anything"):
        helper.reopen(file)
    os.chown(roots, 1, 1, follow_symlinks=False)
    with pytest.raises(HelperError, match="symbolic link of another user"):
        helper.reopen(file)
    roots.unlink()
    theirs.rename(roots)
    with pytest.raises(HelperError, match="nobody but root can change anything"):
        helper.reopen(file)
    assert os.listdir(roots) == []


def test_of_another_file_it_is_not_asked(helper: Helper, folder: Path) -> None:
    settled(helper, (folder / "requests.log", "json"))
    assert helper.reopen(folder / "other.log") is None
    assert os.listdir(folder) == []


def limits(*logs: tuple[bytes, bytes]) -> bytes:
    return Limits(0, 0, False, b"/root", b"", [], logs=logs).to_bytes()


def test_limits_say_which_logs_whatever_their_names() -> None:
    logs = [(b"/a,b:c\n\xff", b"%U, %s: %t"), (b"/own", b"")]
    found = Limits.from_bytes(limits(*logs))
    assert found.logs == logs
    assert found.log_at(struct.pack("=I", 1)) == logs[1]
    assert Limits.from_bytes(limits()).logs == []


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(struct.pack("=I", 1), id="behind the last"),
        pytest.param(struct.pack("=i", -1), id="before the first"),
        pytest.param(b"", id="none"),
        pytest.param(bytes(3), id="too short"),
        pytest.param(bytes(5), id="too long"),
        pytest.param(b"/etc/shadow", id="a path"),
        pytest.param(bytes(4) + b"/etc/shadow", id="a path as well"),
    ],
)
def test_nonsense_ends_it(folder: Path, place: bytes) -> None:
    log = os.fsencode(folder / "requests.log"), b"json"
    for said in (
        message(SETTLE, limits(log)) + message(REOPEN, place),
        message(SETTLE, limits()) + message(REOPEN, bytes(4)),
        message(REOPEN, bytes(4)),
    ):
        with served() as (channel, ended):
            say(channel, said + message(REOPEN, bytes(4)))  # nor does it go on behind it
            assert os.WIFEXITED(ended())
    assert os.listdir(folder) == []


def test_it_opens_them_so_often_and_no_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_process, "MOST_REOPENINGS", 3)
    log = folder / "requests.log"
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            ours.close()
            helper_process.serve(theirs)
        finally:
            os._exit(0)
    theirs.close()
    with ours, ours.makefile("rb") as replies:
        ours.sendall(message(SETTLE, limits((os.fsencode(log), b"json"))))
        results = []
        for _ in range(6):
            result, _, length = HEAD.unpack(replies.read(HEAD.size))
            results.append((result, replies.read(length)))
            log.unlink(missing_ok=True)
            ours.sendall(message(REOPEN, bytes(4)))
    os.waitpid(child, 0)
    assert results[:4] == [(b"+", b"")] * 4
    assert results[4:] == [(b"-", b"logs were opened 3 times")] * 2
