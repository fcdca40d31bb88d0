"""Whose a process is, in made-up trees of /proc and for this very process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.linux.containers import container_of
from httptop.linux.owners import Owner, Users, owner_of

ID = "3f2a" * 16
STATUS = "Name:\tnginx\nUid:\t{uid}\t0\t0\t0\nGid:\t7\t7\t7\t7\n"


def process(proc: Path, groups: str, status: str = STATUS.format(uid=33)) -> Owner | None:
    (proc / "7").mkdir(exist_ok=True)
    (proc / "7/status").write_text(status)
    (proc / "7/cgroup").write_text(groups)
    return owner_of(7, proc)


@pytest.mark.parametrize(
    ("groups", "container"),
    [
        ("0::/system.slice/nginx.service\n", ""),
        (f"0::/system.slice/docker-{ID}.scope\n", ID[:12]),
        (f"9:memory:/docker/{ID}\n1:name=systemd:/\n0::/\n", ID[:12]),
        (
            f"9:memory:/\n1:name=systemd:/docker/{ID}\n0::/system.slice/containerd.service\n",
            ID[:12],
        ),
        (f"0::/../../docker/{ID}\n", ID[:12]),
        ("0::/lxc.payload.db/a:b\n", "db"),
        (f"0::/docker/{ID}/lxc/x\x1b[2J\n", ID[:12]),
        ("", ""),
        ("::::\n\n:", ""),
    ],
)
def test_user_and_container(tmp_path: Path, groups: str, container: str) -> None:
    assert process(tmp_path, groups) == Owner(33, container)


@pytest.mark.parametrize("status", ["", "Uid:\tx\t0\n", "Name:\tUid:\t5\n", "Uid:\t-1\n"])
def test_without_a_user_there_is_no_owner(tmp_path: Path, status: str) -> None:
    assert process(tmp_path, "", status) is None
    assert owner_of(8, tmp_path) is None


def test_this_process_is_its_users() -> None:
    found = owner_of(os.getpid())
    assert found is not None
    assert found.uid == os.getuid()


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_what_a_container_is_called_can_be_shown(path: str) -> None:
    assert container_of(path).isprintable()


def test_names_of_users(tmp_path: Path) -> None:
    passwd = tmp_path / "passwd"
    users = Users(passwd)
    assert users.name(33) == "33"
    passwd.write_bytes(
        b"root:x:0:0::/root:/bin/sh\ntoor:x:0:0\nw\x1b[2J:x:33:33\n:x:5:5\nx:x:\xb2:1\nlong"
        + b"g" * 99
        + b":x:6:6\nbad:x:99999999999:1\n\n::::"
    )
    assert [users.name(uid) for uid in (0, 33, 5, 34)] == ["root", "w\\x1b[2J", "5", "34"]
    assert len(users.name(6)) == 32
    passwd.write_bytes(b"www-data:x:33:33::/:/x\n")
    assert [users.name(uid) for uid in (0, 33)] == ["0", "www-data"]
