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
    owners_of,
)
from httptop.linux.control_groups import mounted_hierarchies

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


# The groups of a hierarchy


def inode(path: Path) -> int:
    return path.stat().st_ino


def test_a_watch_tells_what_came_and_what_went(tmp_path: Path) -> None:
    watch = ContainerWatch([("web", "b*"), (f"{OTHER[:12]}", "web")], tmp_path, Names(tmp_path))
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
    again = ContainerWatch([("web",)], tmp_path, Names(tmp_path))
    assert again.changes()[0].keys() == ours.keys() - {went}


def test_a_hierarchy_as_deep_as_can_be_is_not_followed_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("httptop.linux.containers._DEEPEST", 5)
    (tmp_path / "/".join(["lxc"] * 10)).mkdir(parents=True)
    watch = ContainerWatch([("lxc",)], tmp_path, Names(tmp_path))
    assert len(watch.changes()[0]) == 4  # those below the first
    assert watch.changes() == ({}, set())
    assert watch.left_some_out


def test_that_there_are_too_many_groups_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("httptop.linux.containers.MOST_GROUPS", 5)
    (tmp_path / "lxc/web").mkdir(parents=True)
    watch = ContainerWatch([("web",)], tmp_path, Names(tmp_path))
    assert len(watch.changes()[0]) == 1
    assert not watch.left_some_out
    for number in range(9):
        (tmp_path / f"lxc/web/{number}").mkdir()
    assert 1 < len(watch.changes()[0]) < 9
    assert watch.left_some_out


# The real one

REAL = [found for found in mounted_hierarchies() if os.access(found.mount, os.W_OK)]
needs_groups = pytest.mark.skipif(not REAL, reason="needs control groups to write to")


@pytest.fixture(params=REAL, ids=lambda found: found.mount.name)
def mount(request: pytest.FixtureRequest) -> Path:
    """Each real hierarchy."""
    return Path(request.param.mount)


@pytest.fixture
def group(mount: Path) -> Iterator[Path]:
    """A control group of the real hierarchy that looks like a container's."""
    path = mount / f"docker-{os.urandom(32).hex()}.scope"
    path.mkdir()
    yield path
    with contextlib.suppress(FileNotFoundError):
        path.rmdir()


@needs_groups
def test_real_groups_come_and_go(mount: Path, group: Path) -> None:
    watch = ContainerWatch([(group.name.removeprefix("docker-")[:12],)], mount)
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
