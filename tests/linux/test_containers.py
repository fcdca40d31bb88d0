"""Containers and units, from the paths of control groups; the real hierarchy where there is one."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.linux.containers import (
    ContainerWatch,
    Names,
    hierarchy,
    owners_of,
)

ID = "3f2a" * 16
OTHER = "0123456789abcdef" * 4
SHORT = ID[:12]
NAMED = {ID: "web"}


def owners(path: str) -> tuple[str, ...]:
    return owners_of(path, lambda container: NAMED.get(container, ""))


@pytest.mark.parametrize(
    "path",
    [
        f"/docker/{ID}",
        f"/system.slice/docker-{ID}.scope",
        f"/system.slice/docker-{ID}.scope/init",
        f"/machine.slice/libpod-{ID}.scope/container",
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope",
        f"/system.slice/crio-{ID}.scope",
        f"/system.slice/containerd.service/kubepods-burstable-pod1.slice:cri-containerd:{ID}",
        f"/system.slice/nerdctl-{ID}.scope",
        f"/docker/{ID}/docker/{OTHER}",  # what a container makes below itself
        f"/docker/{ID}/system.slice/nginx.service",
        f"/docker/{ID}/lxc/db",
    ],
)
def test_containers_that_have_an_id(path: str) -> None:
    assert owners(path) == ("web", SHORT, ID)
    assert owners(path.replace(ID, OTHER)) == ("0123456789ab", OTHER)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/lxc/db", "db"),
        ("/lxc.payload.db/system.slice/ssh.service", "db"),
        ("/lxc.payload/db", "db"),
        ("/machine.slice/systemd-nspawn@db.service/payload", "db"),
        ("/machine.slice/machine-my\\x2ddb.scope", "my-db"),
        ("/lxc/a\x1b[2Jb", "a\\x1b[2Jb"),
    ],
)
def test_containers_that_have_a_name(path: str, name: str) -> None:
    assert owners(path) == (name,)


def test_containers_of_pods_are_known_by_the_pod() -> None:
    pod = "0b8f1a5e-2f0e-4b8e-9d55-0d3f3a7c1e11"
    slices = f"/kubepods.slice/kubepods-burstable-pod{pod.replace('-', '_')}.slice"
    whole = ("web", SHORT, ID, pod)
    assert owners(f"{slices}/cri-containerd-{ID}.scope") == whole
    assert owners(f"/kubepods/burstable/pod{pod}/{ID}") == whole
    assert owners(slices) == (pod,)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/system.slice/nginx.service", "nginx.service"),
        ("/system.slice/nginx.service/worker", "nginx.service"),
        ("/user.slice/user-0.slice/session-3.scope", "session-3.scope"),
        ("/user.slice/user-1.slice/user@1.service/app.slice/some.service", "some.service"),
        (f"/machine.slice/libpod-conmon-{ID}.scope", f"libpod-conmon-{ID}.scope"),
        ("/", ""),
        ("", ""),
        ("/process_api/25b6310ff72c09f5c712692ee17f5cda", ""),
        ("/system.slice", ""),
    ],
)
def test_what_is_no_container_is_a_unit_or_nothing(path: str, name: str) -> None:
    assert owners(path) == ((name,) if name else ())


@given(st.text())
def test_no_path_is_too_odd(path: str) -> None:
    assert all(word.isprintable() for word in owners(path))


# Names


def test_names_are_read_at_once_and_later_ones_while_that_is_allowed(tmp_path: Path) -> None:
    docker = tmp_path / "var/lib/docker/containers"

    def make(container: str, text: str) -> None:
        (docker / container).mkdir(parents=True)
        (docker / container / "config.v2.json").write_text(text)

    make(ID, json.dumps({"Name": "/web", "State": {}}))
    (docker / "some other directory").mkdir()
    names = Names(tmp_path)
    make(OTHER, json.dumps({"Name": "/late"}))
    (docker / ID / "config.v2.json").unlink()
    assert names.of(ID) == "web"
    assert names.of(OTHER) == "late"
    for text in ("", "[]", "{", '{"Name": 7}', "[" * 100_000, "\xff"):
        number = f"{len(os.listdir(docker)):064x}"
        make(number, text)
        assert names.of(number) == ""
    make("a" * 64, '{"Name": "/x\\u001b[2J\\ud800"}')
    assert names.of("a" * 64).isprintable()


def test_names_that_podman_gave(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/containers/storage/overlay-containers"
    folder.mkdir(parents=True)
    listed = [{"id": OTHER, "names": []}, {"id": ID, "names": ["web"]}, 7]
    (folder / "containers.json").write_text(json.dumps(listed))
    names = Names(tmp_path)
    assert (names.of(ID), names.of(OTHER), names.of("f" * 64)) == ("web", "", "")


# The hierarchy


def test_the_hierarchy_is_found_where_all_of_it_is_mounted(tmp_path: Path) -> None:
    file = tmp_path / "mountinfo"
    file.write_text(
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw\n"
        "39 31 0:37 /part /mnt/part rw - cgroup2 cgroup2 rw\n"
        "40 31 0:37 / /sys/fs/some\\040where rw,relatime shared:4 - cgroup2 cgroup2 rw\n"
    )
    assert hierarchy(file) == Path("/sys/fs/some where")
    file.write_text("")
    assert hierarchy(file) is None
    assert hierarchy(tmp_path / "nothing") is None


def test_without_a_hierarchy_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("httptop.linux.containers.hierarchy", lambda: None)
    watch = ContainerWatch([("*",)])
    assert not watch.possible
    assert watch.changes() == ({}, set())


def inode(path: Path) -> int:
    return path.stat().st_ino


def test_a_watch_tells_what_came_and_what_went(tmp_path: Path) -> None:
    watch = ContainerWatch([("web", "b*"), (f"{OTHER[:12]}", "web")], Names(tmp_path), tmp_path)
    assert watch.changes() == ({}, set())
    web, unit = tmp_path / "lxc/web", tmp_path / "system.slice/b.service"
    (web / "inner/most").mkdir(parents=True)
    unit.mkdir(parents=True)
    ours = {inode(web): 3, inode(web / "inner"): 3, inode(web / "inner/most"): 3, inode(unit): 1}
    assert watch.changes() == (ours, set())
    assert watch.changes() == ({}, set())
    docker = tmp_path / f"docker-{OTHER}.scope"
    docker.mkdir()
    went = inode(unit)
    unit.rmdir()
    assert watch.changes() == ({inode(docker): 2}, {went})
    below = docker / "b.service"  # of a container's own making: it is the container's
    below.mkdir()
    assert watch.changes() == ({inode(below): 2}, set())
    again = ContainerWatch([("web",)], Names(tmp_path), tmp_path)
    assert again.changes()[0].keys() == ours.keys() - {went}


def test_a_hierarchy_as_deep_as_can_be_is_not_followed_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("httptop.linux.containers._DEEPEST", 5)
    (tmp_path / "/".join(["lxc"] * 10)).mkdir(parents=True)
    watch = ContainerWatch([("lxc",)], Names(tmp_path), tmp_path)
    assert len(watch.changes()[0]) == 4  # those below the first
    assert watch.changes() == ({}, set())


# The real one

REAL = hierarchy()
needs_groups = pytest.mark.skipif(
    REAL is None or not os.access(REAL, os.W_OK), reason="needs a version 2 hierarchy to write to"
)


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of the real hierarchy that looks like a container's."""
    assert REAL is not None
    path = REAL / f"docker-{os.urandom(32).hex()}.scope"
    path.mkdir()
    yield path
    with contextlib.suppress(FileNotFoundError):
        path.rmdir()


@needs_groups
def test_real_groups_come_and_go(group: Path) -> None:
    watch = ContainerWatch([(group.name.removeprefix("docker-")[:12],)])
    assert watch.changes() == ({inode(group): 1}, set())
    inner = group / "inner"
    inner.mkdir()
    number = inode(inner)
    assert watch.changes() == ({number: 1}, set())
    inner.rmdir()
    inner.mkdir()  # another one, under the same name
    assert watch.changes() == ({inode(inner): 1}, {number})
    number = inode(inner)
    inner.rmdir()
    assert watch.changes() == ({}, {number})
    assert watch.changes() == ({}, set())
