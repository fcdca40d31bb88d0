"""The kernel's table of control groups that a filter selects."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from httptop.bpf.cgroup_filter import GroupFilter
from httptop.linux import bpf_syscall
from httptop.linux.control_groups import Hierarchy

pytestmark = pytest.mark.ebpf

_HASH = 1


@pytest.fixture
def table() -> Iterator[int]:
    """A table with room for three groups."""
    descriptor = bpf_syscall.map_create("groups", _HASH, 8, 4, 3, flags=bpf_syscall.NO_PREALLOC)
    yield descriptor
    os.close(descriptor)


def groups_in(table: int) -> set[int]:
    return {
        number for (number,) in struct.iter_unpack("<Q", b"".join(bpf_syscall.map_keys(table, 8)))
    }


def test_groups_without_room_are_told_and_wait_for_it(table: int, tmp_path: Path) -> None:
    web = tmp_path / "lxc/web"
    inner = [web / str(number) for number in range(4)]
    for path in inner:
        path.mkdir(parents=True)
    groups = GroupFilter([("web",)], [Hierarchy(0, tmp_path)])
    groups.update(table)
    assert len(groups_in(table)) == 3
    (note,) = groups.news
    assert "not counted" in note
    for path in inner[:2]:
        path.rmdir()
    groups.update(table)
    assert groups_in(table) == {path.stat().st_ino for path in (web, *inner[2:])}
    assert groups.news == ()
    inner[2].rmdir()
    groups.update(table)
    assert groups_in(table) == {path.stat().st_ino for path in (web, inner[3])}
