"""Files that the screen exports: their names, and that none is ever replaced."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.linux.files import FileError, InvokingUser
from httptop.output import EXPORTS, LARGEST_EXPORT
from httptop.output.exported import export_name, write_export

MOMENT = 1_790_000_000.7
SELF = InvokingUser(os.geteuid(), os.getegid(), Path("/"))


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def test_a_name_says_host_and_moment() -> None:
    assert export_name("web-1.example", MOMENT, "svg") == (
        "httptop-web-1.example-20260921-141320.svg"
    )
    assert export_name("web-1", MOMENT, "txt", 2) == "httptop-web-1-20260921-141320-2.txt"


@given(st.text(), st.sampled_from(EXPORTS))
def test_whatever_the_host_is_called_the_name_is_plain(host: str, kind: str) -> None:
    name = export_name(host, MOMENT, kind)
    assert re.fullmatch(r"httptop-[A-Za-z0-9][A-Za-z0-9.-]*-20260921-141320\.[a-z]+", name)
    assert ".." not in name or ".." in host
    assert len(name) < 128


@pytest.mark.parametrize(("at_s", "kind"), [(MOMENT, "sh"), (1e30, "txt"), (float("nan"), "txt")])
def test_no_name_for_what_is_no_kind_or_no_moment(at_s: float, kind: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        export_name("host", at_s, kind)


def test_a_file_is_new_and_its_owners_alone(place: Path) -> None:
    before = os.umask(0)
    try:
        made = write_export(place, "h", MOMENT, "json", b"{}", SELF)
    finally:
        os.umask(before)
    assert made.read_bytes() == b"{}"
    assert made.lstat().st_mode == stat.S_IFREG | 0o600


def test_nothing_is_replaced_and_no_link_followed(place: Path) -> None:
    names = [export_name("h", MOMENT, "txt", nth) for nth in range(1, 10)]
    (place / names[0]).write_text("precious")
    (place / names[1]).symlink_to(place / "elsewhere")
    (place / names[2]).symlink_to(place / names[0])
    (place / names[3]).mkdir()
    assert write_export(place, "h", MOMENT, "txt", b"new", SELF) == place / names[4]
    for name in names[5:]:
        (place / name).touch()
    with pytest.raises(FileError, match="exists"):
        write_export(place, "h", MOMENT, "txt", b"new", SELF)
    assert (place / names[0]).read_text() == "precious"
    assert sorted(os.listdir(place)) == sorted(names)


def test_what_is_too_large_is_not_begun(place: Path) -> None:
    with pytest.raises(FileError, match="16 MiB"):
        write_export(place, "h", MOMENT, "json", bytes(LARGEST_EXPORT + 1), SELF)
    assert os.listdir(place) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be another user")
def test_where_the_user_may_not_write_nothing_is_written(place: Path) -> None:
    someone = InvokingUser(1, 1, Path("/"), elevated=True)
    with pytest.raises(FileError, match="no permission to write it"):
        write_export(place, "h", MOMENT, "txt", b"new", someone)
    assert os.listdir(place) == []


def test_what_cannot_be_written_whole_is_not_left(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, mode: int) -> None:  # noqa: ARG001
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchmod", full)
    with pytest.raises(FileError, match="no space left"):
        write_export(place, "h", MOMENT, "txt", b"new", SELF)
    assert os.listdir(place) == []
