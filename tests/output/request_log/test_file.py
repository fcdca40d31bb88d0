"""Lines in files and on standard output: whole ones, in whatever file has the name."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from httptop.linux.appended import AppendedFile
from httptop.linux.files import FileError, InvokingUser
from httptop.output.request_log.file import FileMedium, StandardOutput
from httptop.output.request_log.lines import Line
from httptop.output.sink import SendError

ME = InvokingUser(os.geteuid(), os.getegid(), Path("/"))


def lines(*texts: str) -> deque[Line]:
    return deque(Line(f"{text}\n".encode()) for text in texts)


def opened(path: Path) -> FileMedium:
    return FileMedium(AppendedFile(path, ME, ours=lambda start: start.startswith(b"log")))


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process may become larger."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def test_a_file_is_appended_to_if_it_is_a_log(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    for number in range(2):
        medium = opened(file)
        medium.write(lines(f"log {number}", "more"))
        medium.close()
    assert file.read_text() == "log 0\nmore\nlog 1\nmore\n"
    assert file.stat().st_mode & 0o777 == 0o600
    other = tmp_path / "passwd"
    other.write_text("root\n")
    with pytest.raises(FileError, match="httptop has not written it"):
        opened(other)
    assert other.read_text() == "root\n"


def test_half_a_line_of_a_run_that_was_killed_is_not_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_text("log\nha")
    medium = opened(file)
    medium.write(lines("whole"))
    medium.write(lines("next"))
    assert file.read_text() == "log\nha\nwhole\nnext\n"
    file.rename(tmp_path / "a.log.1")
    file.write_text("log, restored in part")
    medium.reopen()
    medium.write(lines("behind"))
    medium.close()
    assert file.read_text() == "log, restored in part\nbehind\n"


def test_where_there_is_no_room_the_last_line_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    medium, waiting = opened(file), lines("log", "second", "third")
    with room_for(13):
        for _ in range(3):
            with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
                medium.write(waiting)
            assert file.read_text() == "log\nsecond\n"
            assert [line.data for line in waiting] == [b"third\n"]
    medium.write(waiting)
    assert not waiting
    assert file.read_text() == "log\nsecond\nthird\n"
    medium.close()


def test_half_a_line_that_cannot_be_taken_back_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, size: int) -> None:  # noqa: ARG001
        raise OSError(errno.EPERM, "")

    monkeypatch.setattr("os.ftruncate", refuse)
    file = tmp_path / "a.log"
    medium, waiting = opened(file), lines("log", "second")
    with room_for(6), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        medium.write(waiting)
    medium.write(waiting)
    assert file.read_text() == "log\nse\nsecond\n"
    medium.close()


def test_it_goes_on_in_the_file_that_has_the_name(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    medium = opened(file)
    medium.write(lines("log 1"))
    medium.reopen()  # the same
    medium.write(lines("log 2"))
    file.rename(tmp_path / "a.log.1")
    medium.write(lines("log 3"))
    medium.reopen()
    assert not file.exists()  # it is made when there is something to write
    medium.write(lines("log 4"))
    assert (tmp_path / "a.log.1").read_text() == "log 1\nlog 2\nlog 3\n"
    assert file.read_text() == "log 4\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert not medium.trouble
    medium.close()


def test_a_file_that_was_removed_is_made_again_or_takes_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    file = directory / "a.log"
    medium = opened(file)
    medium.write(lines("log 1"))
    file.unlink()
    medium.write(lines("log 2"))
    assert file.read_text() == "log 2\n"
    file.unlink()
    directory.rmdir()
    for _ in range(2):
        waiting = lines("log 3")
        with pytest.raises(SendError, match=r"the file was removed; .*no such file"):
            medium.write(waiting)
        assert len(waiting) == 1
    medium.close()


def test_what_is_no_log_of_the_user_s_own_is_not_gone_on_in(tmp_path: Path) -> None:
    file, old = tmp_path / "a.log", tmp_path / "a.log.1"
    medium = opened(file)
    file.rename(old)
    target = tmp_path / "target"
    target.write_text("log\n")
    for place in (
        lambda: file.symlink_to(target),
        lambda: file.hardlink_to(target),
        lambda: os.mkfifo(file),
        lambda: file.mkdir(),
        lambda: file.write_text("something else\n"),
    ):
        place()
        medium.reopen()
        medium.write(lines("log"))
        assert medium.trouble.startswith("the request log goes on in the file that is open: ")
        medium.trouble = ""
        if file.is_dir():
            file.rmdir()
        else:
            file.unlink()
    assert old.read_text() == 5 * "log\n"
    assert target.read_text() == "log\n"
    medium.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_it_goes_on_without_root_where_only_the_directory_lets_the_user(tmp_path: Path) -> None:
    above = tmp_path / "above"
    theirs = above / "logs"
    theirs.mkdir(parents=True)
    caller = InvokingUser(65534, 65534, Path("/"), elevated=True)
    os.chown(theirs, 65534, 65534)
    for directory in (tmp_path, *tmp_path.parents):
        if directory.stat().st_mode & 0o001 == 0:
            directory.chmod(0o711)
    file = theirs / "a.log"
    medium = FileMedium(AppendedFile(file, caller, ours=lambda start: start.startswith(b"log")))
    above.chmod(0o700)  # from now on nobody but root finds the way
    file.rename(theirs / "a.log.1")
    medium.reopen()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            medium.write(lines("log"))
            os._exit(0 if not medium.trouble else 2)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert file.read_text() == "log\n"
    assert file.stat().st_uid == 65534


def test_standard_output_has_whole_lines_until_its_reader_is_gone() -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
    out = StandardOutput(writer)
    waiting = lines(*(f"{number:01000d}" for number in range(200)))  # more than a pipe takes
    thread = threading.Thread(target=out.write, args=(waiting,))
    thread.start()
    got = b""
    while got.count(b"\n") < 200:
        got += os.read(reader, 1 << 16)
    thread.join()
    assert [int(line) for line in got.split()] == list(range(200))
    os.close(reader)
    for _ in range(2):  # which is no error
        waiting = lines("nobody")
        out.write(waiting)
        assert not waiting
    out.close()
    os.close(writer)


def test_standard_output_may_be_a_file(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+b", buffering=0) as file:
        file.write(b"before\n")
        out, waiting = StandardOutput(file.fileno()), lines("first", "second")
        with room_for(15), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            out.write(waiting)
        out.write(waiting)
    assert (tmp_path / "out").read_text() == "before\nfirst\nsecond\n"
