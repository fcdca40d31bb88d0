"""The hierarchies of control groups, as made-up hosts mount them."""

from __future__ import annotations

from pathlib import Path

import pytest

from httptop.linux.control_groups import (
    Hierarchy,
    mounted_hierarchies,
    sees_own_groups_only,
)

_TMPFS = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw\n"
_V2 = "40 31 0:37 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw\n"


def v1(options: str, root: str = "/", place: str = "") -> str:
    place = place or options
    return f"41 31 0:38 {root} /sys/fs/cgroup/{place} rw shared:5 - cgroup cgroup rw,{options}\n"


def host(proc: Path, mounts: str, groups: str) -> tuple[Hierarchy, ...]:
    (proc / "self").mkdir(exist_ok=True)
    (proc / "self/mountinfo").write_text(mounts)
    (proc / "self/cgroup").write_text(groups)
    return mounted_hierarchies(proc)


def test_only_version_2(tmp_path: Path) -> None:
    whole = "40 31 0:37 / /sys/fs/some\\040where rw,relatime shared:4 - cgroup2 cgroup2 rw\n"
    part = "39 31 0:37 /part /mnt/part rw - cgroup2 cgroup2 rw\n"
    assert host(tmp_path, part + whole, "0::/\n") == (Hierarchy(0, Path("/sys/fs/some where")),)
    assert host(tmp_path, part, "0::/\n") == ()


def test_version_1_by_name_and_by_one_controller(tmp_path: Path) -> None:
    mounts = _TMPFS + v1("xattr,name=systemd", place="systemd") + v1("pids") + v1("memory")
    groups = "9:pids:/a\n7:memory:/docker/x\n1:name=systemd:/\n"
    found = host(tmp_path, mounts, groups)
    assert [(number, mount.name) for number, mount in found] == [(7, "memory"), (1, "systemd")]
    found = host(tmp_path, mounts + _V2, groups + "0::/\n")
    assert [number for number, _ in found] == [0, 7, 1]


def test_controllers_that_share_a_hierarchy(tmp_path: Path) -> None:
    found = host(tmp_path, v1("cpu,cpuacct", place="cpu"), "4:cpu,cpuacct:/\n")
    assert found == (Hierarchy(4, Path("/sys/fs/cgroup/cpu")),)


def test_what_is_mounted_in_part_is_left_out(tmp_path: Path) -> None:
    assert host(tmp_path, v1("memory", root="/docker/x"), "4:memory:/docker/x\n") == ()


def test_no_more_than_there_is_room_for(tmp_path: Path) -> None:
    names = [f"name=h{number}" for number in range(9)]
    mounts = "".join(v1(name) for name in names)
    groups = "".join(f"{at}:{name}:/\n" for at, name in enumerate(names, 1))
    assert [number for number, _ in host(tmp_path, mounts, groups)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "text", ["", "\n", " - ", "a b c d e - cgroup", ":::", "x:memory:/", "99999999999:memory:/"]
)
def test_odd_lines_are_passed_over(tmp_path: Path, text: str) -> None:
    assert host(tmp_path, text, text) == ()
    assert host(tmp_path, v1("memory") + text, text) == ()


def test_without_proc_there_is_nothing(tmp_path: Path) -> None:
    assert mounted_hierarchies(tmp_path) == ()
    assert not sees_own_groups_only(tmp_path)


def test_the_first_namespace_is_known(tmp_path: Path) -> None:
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "self/ns/cgroup").write_text("")  # another inode than the first namespace's
    assert sees_own_groups_only(tmp_path)
