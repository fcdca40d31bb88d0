"""What the kernel tells of directories."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from httptop.linux.inotify import Inotify


def test_it_names_what_changed_and_once(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    inotify = Inotify()
    watch, inner = inotify.watch(str(tmp_path)), inotify.watch(str(tmp_path / "one"))
    assert watch is not None
    assert inner is not None
    assert inotify.read() == set()
    (tmp_path / "two").touch()
    (tmp_path / "one" / "a name").touch()
    assert inotify.read() == {(watch, b"two"), (inner, b"a name")}
    assert inotify.read() == set()
    inotify.close()


def test_it_says_so_when_the_kernel_lost_count(tmp_path: Path) -> None:
    longest = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if longest > 50_000:
        pytest.skip(f"{longest} events would take long")
    inotify = Inotify()
    inotify.watch(str(tmp_path))
    one, two = tmp_path / "one", tmp_path / "two"
    one.touch()
    two.touch()
    for _ in range(longest // 2 + 2):  # two of the same kind, one after the other, count as one
        one.chmod(0o600)
        two.chmod(0o600)
    assert (-1, b"") in inotify.read()
    inotify.close()


def test_what_is_refused_tells_nothing(tmp_path: Path) -> None:
    inotify = Inotify()
    (tmp_path / "file").touch()
    assert inotify.watch(str(tmp_path / "file")) is None
    assert inotify.watch(str(tmp_path / "missing")) is None
    inotify.close()
    inotify.close()
    assert inotify.watch(str(tmp_path)) is None
    assert inotify.read() == set()


def test_who_changes_more_than_can_be_read_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inotify = Inotify()
    watch = inotify.watch(str(tmp_path))
    assert watch is not None
    event = struct.pack("=iIII16s", watch, 0x100, 0, 16, b"name")
    monkeypatch.setattr("os.read", lambda *_: event)
    assert inotify.read() == {(watch, b"name")}
    monkeypatch.undo()
    inotify.close()
