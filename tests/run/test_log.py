"""The log: only where asked for, one safe line each, losses when they begin and end."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from httptop.config.load import build
from httptop.config.reload import Reload
from httptop.config.settings import DEFAULTS, Settings
from httptop.errors import HttptopError, UsageError
from httptop.linux.appended import AppendedFile
from httptop.linux.files import InvokingUser
from httptop.model import Health, Overhead, Snapshot
from httptop.run import log as run_log
from httptop.run.log import (
    LOG,
    LogFile,
    SnapshotLog,
    log_reload,
    log_start,
    logged,
    logging_to_file,
)
from tests.factory import snapshot_at


@pytest.fixture
def invoker(tmp_path: Path) -> InvokingUser:
    return InvokingUser(os.geteuid(), os.getegid(), tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "httptop.run.log"


@pytest.fixture
def log(file: Path, invoker: InvokingUser) -> Iterator[None]:
    with logging_to_file(logging_to(file), invoker):
        yield


def logging_to(file: Path, level: str = "info") -> Settings:
    return build({"general.log_file": str(file), "general.log_level": level})


def lines(file: Path) -> list[str]:
    """Return what was logged, without the times."""
    found = file.read_text().splitlines()
    stamped = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (.*)")
    assert all(stamped.fullmatch(line) for line in found)
    return [line.partition(" ")[2] for line in found]


def test_nothing_is_written_without_a_file(
    invoker: InvokingUser, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with logging_to_file(DEFAULTS, invoker) as log:
        assert log is None
        LOG.error("lost")
    LOG.error("lost")
    assert os.listdir(tmp_path) == []
    assert capfd.readouterr() == ("", "")


def test_appends_lines_that_are_safe_to_show(file: Path, invoker: InvokingUser) -> None:
    for text in ("first", "second\x1b[31m\nforged \udcff\u202e"):
        with logging_to_file(logging_to(file), invoker):
            LOG.info("%s", text)
    first, second = lines(file)
    assert first == "info first"
    assert second.startswith("info second\\x1b[31m\\x0aforged ")
    assert second.isprintable()
    assert file.stat().st_mode & 0o777 == 0o600
    assert not LOG.isEnabledFor(logging.DEBUG)


@pytest.mark.usefixtures("log")
def test_the_start_says_what_is_unusual(file: Path) -> None:
    log_start(build({"general.tick": 2.0, "filter.process.pids": (1, 2)}))
    first, *rest = lines(file)
    assert re.fullmatch(r"info httptop \S+ starts", first)
    assert rest == ['info general.tick = "2s"', "info filter.process.pids = [1, 2]"]


@pytest.mark.usefixtures("log")
def test_reloads(file: Path) -> None:
    settings = build({"general.tick": 2.0})
    log_reload(Reload(settings, applied=("general.tick",)))
    log_reload(Reload(settings, error="a.toml:1: x: bad"))
    assert lines(file) == [
        'info the configuration was read again: general.tick = "2s"',
        "error the configuration has errors; the settings are unchanged:",
        "error a.toml:1: x: bad",
    ]


@pytest.mark.usefixtures("log")
def test_a_reload_goes_on_in_the_file_that_has_the_name(file: Path) -> None:
    again = Reload(DEFAULTS)
    before = file.with_suffix(".1")
    log_reload(again)  # it is the same
    file.rename(before)
    log_reload(again)
    nothing_new = "info the configuration was read again; nothing changed"
    assert lines(before) == lines(file) == [nothing_new]
    file.rename(before)
    file.mkdir()  # no file can be made there
    log_reload(again)
    assert lines(before)[1:] == [
        f"warning the log goes on in the file that is open: {file}: is a directory",
        nothing_new,
    ]


def at(tick: int, notes: tuple[str, ...] = (), **health: int) -> Snapshot:
    return replace(snapshot_at(tick), notes=notes, health=Health(**health))


@pytest.mark.usefixtures("log")
def test_losses_that_begin_and_end(file: Path) -> None:
    watch = SnapshotLog()
    watch.see(at(1))
    watch.see(at(2, lost_samples=3))
    watch.see(at(3, lost_samples=9, parse_errors=1))
    watch.see(at(4, lost_samples=9, parse_errors=2))
    watch.see(at(5, lost_samples=9, parse_errors=2))
    watch.see(at(6, lost_samples=10, parse_errors=2))
    assert lines(file) == [
        "warning samples lost: 3, and counting",
        "warning malformed header sections: 1, and counting",
        "warning samples lost: 9, no more for now",
        "warning malformed header sections: 2, no more for now",
        "warning samples lost: 10, and counting",
    ]


@pytest.mark.usefixtures("log")
def test_notes_once_though_their_numbers_change(file: Path) -> None:
    watch = SnapshotLog()
    for tick in (1, 2, 3):
        watch.see(at(tick, (f"{tick} requests came late", "no sendfile")))
    assert lines(file) == ["warning 1 requests came late", "warning no sendfile"]


@pytest.mark.usefixtures("log")
def test_detail_that_is_shed(file: Path) -> None:
    watch = SnapshotLog()
    for shed in ((), ("samples",), ("samples",), ("samples", "pids"), ()):
        watch.see(replace(at(1), overhead=Overhead(shed=shed)))
    assert lines(file) == [
        "warning left out to stay cheap: samples",
        "warning left out to stay cheap: samples, pids",
        "warning left out to stay cheap: nothing any more",
    ]


def test_a_file_that_is_refused(invoker: InvokingUser, tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match=r"general.log_file: .* is a directory"),
        logging_to_file(logging_to(tmp_path), invoker),
    ):
        pass


def test_another_kind_of_file_stays_as_it_is(invoker: InvokingUser, file: Path) -> None:
    for content in ("root:x:0:0::/root:/bin/sh\n", "2026-01-01 some log\n", "#!/bin/sh\n"):
        file.write_text(content)
        file.chmod(0o644)
        with (
            pytest.raises(UsageError, match="exists, and httptop has not written it"),
            logging_to_file(logging_to(file), invoker),
        ):
            pass
        assert (file.read_text(), file.stat().st_mode & 0o777) == (content, 0o644)


@pytest.mark.parametrize(
    ("level", "written"),
    [("default", "info *** and /a b@1, \\x1b"), ("off", "info me:s3cr3t@h and /a b@1, \\x1b")],
)
def test_what_looks_like_a_secret_is_not_logged(
    level: str, written: str, invoker: InvokingUser, file: Path
) -> None:
    settings = build({"general.log_file": str(file), "security.redact": level})
    with logging_to_file(settings, invoker):
        LOG.info("%s and /a b@1, \x1b", "me:s3cr3t@h")
    assert lines(file) == [written.replace("***", "***@h")]


def full(*_: object, **__: object) -> AppendedFile:
    """Return a file on a disk that is full."""
    file = object.__new__(AppendedFile)
    file.descriptor = os.open("/dev/full", os.O_WRONLY)
    file._directory = os.dup(file.descriptor)
    return file


def test_a_full_disk_is_told_and_ends_nothing() -> None:
    handler = LogFile(full())
    handler.handle(logging.LogRecord("httptop", logging.INFO, "", 0, "x", (), None))
    assert handler.failure == "No space left on device"
    handler.close()


def test_a_run_whose_log_lacks_something_has_failed(
    invoker: InvokingUser, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "AppendedFile", full)
    with (
        pytest.raises(HttptopError, match=r"run\.log is not complete: No space left on device"),
        logged(logging_to(file), invoker),
    ):
        pass


def test_its_own_failure_comes_first(
    invoker: InvokingUser,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run_log, "AppendedFile", full)
    with pytest.raises(ZeroDivisionError), logged(logging_to(file), invoker):
        raise ZeroDivisionError
    assert "is not complete" in capsys.readouterr().err
