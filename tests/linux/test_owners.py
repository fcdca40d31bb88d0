"""Names of users, and containers of processes, in made-up trees of /proc and for this process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.linux.containers import container_of
from httptop.linux.owners import Users, container_of_process

ID = "3f2a" * 16


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
        ("", None),
        ("::::\n\n:", ""),
    ],
)
def test_containers(tmp_path: Path, groups: str, container: str | None) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/cgroup").write_text(groups)
    assert container_of_process(7, tmp_path) == container


def test_a_process_that_is_not_there(tmp_path: Path) -> None:
    assert container_of_process(7, tmp_path) is None
    assert container_of_process(os.getpid()) is not None


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
