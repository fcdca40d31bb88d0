"""Network namespaces as hosts: each has an address that this one reaches, and what runs in it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

Made = TypeVar("Made")
_CLONE_NEWNET = 0x40000000


class Host:
    """A network namespace, joined to this one by a pair of interfaces."""

    def __init__(self, number: int) -> None:
        self.name = f"httptop-{os.getpid()}-{number}"
        self.address = f"10.213.{number}.2"
        self._ours = f"ht{os.getpid() % 100_000}-{number}"
        self._gateway = f"10.213.{number}.1"

    def up(self) -> None:
        """Make it; raise :class:`subprocess.CalledProcessError` where that may not be."""
        _ip("netns", "add", self.name)
        pair = ("link", "add", self._ours, "type", "veth", "peer", "name", "eth0")
        _ip(*pair, "netns", self.name)
        _ip("addr", "add", f"{self._gateway}/24", "dev", self._ours)
        _ip("link", "set", self._ours, "up")
        _ip("-n", self.name, "addr", "add", f"{self.address}/24", "dev", "eth0")
        _ip("-n", self.name, "link", "set", "eth0", "up")
        _ip("-n", self.name, "link", "set", "lo", "up")

    def down(self) -> None:
        """Take it away, and the interfaces with it."""
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("netns", "del", self.name)

    def within(self, make: Callable[[], Made]) -> Made:
        """Return what is made in it: processes that are started there have its network."""
        made: list[Made] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                with open(f"/run/netns/{self.name}") as namespace:
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
                made.append(make())
            except BaseException as error:  # noqa: BLE001 - it is raised in the test's thread
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        for error in failed:
            raise error
        return made[0]


@contextlib.contextmanager
def hosts(number: int) -> Iterator[list[Host]]:
    """Have so many hosts during a block; skip the test where there can be none."""
    if os.geteuid() or shutil.which("ip") is None:
        pytest.skip("needs root and ip(8)")
    made = [Host(n) for n in range(1, number + 1)]
    try:
        for host in made:
            try:
                host.up()
            except subprocess.CalledProcessError as error:
                pytest.skip(f"no network namespace: {error.stderr.decode().strip()}")
        yield made
    finally:
        for host in made:
            host.down()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=60)
