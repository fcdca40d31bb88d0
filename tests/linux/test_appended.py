"""Files at whose end is written: what has the name now, opened by this process or another."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from httptop.linux import appended
from httptop.linux.appended import AppendedFile, Appending, open_for_appending
from httptop.linux.files import FileError, InvokingUser, opened_for_writing

ME = InvokingUser(os.geteuid(), os.getegid(), Path("/"))


def is_log(start: bytes) -> bool:
    return start.startswith(b"log")


def once_judged(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Do something when a file has been opened and judged, and before it is opened again."""
    judge = opened_for_writing
    left = [do]

    def judged(*words: object) -> int | None:
        found = judge(*words)  # type: ignore[arg-type]
        if left:
            left.pop()()
        return found

    monkeypatch.setattr(appended, "opened_for_writing", judged)


def test_a_link_planted_in_between_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, target = tmp_path / "a.log", tmp_path / "target"
    file.write_text("log\n")
    target.write_text("log\n")

    def plant() -> None:
        file.unlink()
        file.symlink_to(target)

    once_judged(monkeypatch, plant)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileError, match="too many levels of symbolic links"):
        open_for_appending(file, ME, ours=is_log)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_planted_in_between_is_judged_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = tmp_path / "a.log", tmp_path / "other"
    other.write_text("something else")
    once_judged(monkeypatch, lambda: other.rename(file))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileError, match="httptop has not written it"):
        open_for_appending(file, ME, ours=is_log)
    assert len(os.listdir("/proc/self/fd")) == before
    file.unlink()
    once_judged(monkeypatch, file.unlink)
    descriptor, torn = open_for_appending(file, ME, ours=is_log)
    assert os.path.samestat(os.fstat(descriptor), file.stat())
    assert not torn
    os.close(descriptor)


def test_where_this_process_may_not_another_opens_it(tmp_path: Path) -> None:
    file, new = tmp_path / "a.log", tmp_path / "new.log"
    asked: list[Path] = []

    def helped(path: Path) -> Appending:
        asked.append(path)
        return open_for_appending(new, ME, ours=is_log)

    log = AppendedFile(file, ME, ours=is_log, helped=helped)
    number = log.descriptor
    assert not log.reopen()
    assert asked == []  # it is the same
    file.rename(tmp_path / "a.log.1")
    file.mkdir()  # which cannot be gone on in
    new.write_text("log, half")
    assert log.reopen()
    assert (asked, log.descriptor, log.torn) == ([file], number, True)
    os.write(log.descriptor, b"\nlog\n")
    assert new.read_text() == "log, half\nlog\n"
    before = len(os.listdir("/proc/self/fd"))
    assert not log.reopen()  # it has this one
    assert len(os.listdir("/proc/self/fd")) == before
    log.close()


def test_where_nobody_can_open_it_the_reason_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.log"

    def refused(path: Path) -> Appending:
        raise OSError(f"{path}: refused")

    for helped, why in (
        (None, "is a directory"),
        (lambda _: None, "is a directory"),
        (refused, "refused"),
    ):
        log = AppendedFile(file, ME, ours=is_log, helped=helped)
        old = os.fstat(log.descriptor)
        file.rename(tmp_path / "a.log.1")
        file.mkdir()
        with pytest.raises(FileError, match=f"^{file}: {why}$"):
            log.reopen()
        assert os.path.samestat(os.fstat(log.descriptor), old)
        file.rmdir()
        log.close()
