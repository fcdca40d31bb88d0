"""The filter of containers, with real control groups that look like containers'."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from httptop.config.load import build
from httptop.config.scope import scope_of
from httptop.linux.control_groups import mounted_hierarchies
from tests.live.live import Watch, new_path

MOUNTS = [found.mount for found in mounted_hierarchies() if os.access(found.mount, os.W_OK)]
pytestmark = [
    pytest.mark.ebpf,
    pytest.mark.skipif(not MOUNTS, reason="needs control groups to write to"),
    pytest.mark.parametrize("mount", MOUNTS, ids=lambda mount: mount.name),
]

#: Exchanges with itself as many requests as it is told to, each time.
TALKER = """
import socket, sys
client, server = socket.socketpair()
for line in sys.stdin:
    path, times = line.split()
    for _ in range(int(times)):
        client.sendall(f"GET {path} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
        server.recv(4096)
        server.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
        client.recv(4096)
    print("done", flush=True)
"""


@contextlib.contextmanager
def container(mount: Path) -> Iterator[Path]:
    group = mount / f"docker-{os.urandom(32).hex()}.scope"
    group.mkdir()
    try:
        yield group
    finally:
        group.rmdir()


@contextlib.contextmanager
def talker(group: Path | None) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", TALKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        if group is not None:
            (group / "cgroup.procs").write_text(str(child.pid))
        try:
            yield child
        finally:
            child.kill()
            child.wait()


def talk(child: subprocess.Popen[str], path: str, times: int) -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(f"{path} {times}\n")
    child.stdin.flush()
    assert child.stdout.readline() == "done\n"


def only(short: str) -> Watch:
    settings = build({"filter.process.containers": (short,)})
    return Watch(settings, scope_of(settings.filter))


def short(group: Path) -> str:
    return group.name.removeprefix("docker-")[:12]


@pytest.mark.setting("filter.process.containers")
def test_only_processes_in_the_container_are_counted(mount: Path) -> None:
    path = new_path()
    with (
        container(mount) as group,
        container(mount) as another,
        talker(group) as within,
        talker(another) as elsewhere,
        talker(None) as without,
        only(short(group)) as watch,
    ):
        talk(within, path, 7)
        talk(without, path, 11)
        talk(elsewhere, path, 13)
        watch.expect(path, {200: 7})
        assert watch.row(path).containers == (short(group),)


@pytest.mark.setting("filter.process.containers")
def test_a_container_that_starts_later_is_seen_from_the_next_tick_on(mount: Path) -> None:
    path = new_path()
    with container(mount) as group, talker(group) as within, only(short(group)) as watch:
        talk(within, path, 2)
        inner = group / "inner"
        inner.mkdir()
        try:
            watch.step()
            with talker(inner) as later:
                talk(later, path, 3)
                watch.expect(path, {200: 5})
        finally:
            inner.rmdir()
