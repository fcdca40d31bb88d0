"""What grows if something leaks: memory, descriptors and maps of a running httptop."""

from __future__ import annotations

import contextlib
import os
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from httptop.linux import bpf_syscall

_GET_FD_BY_ID: Final = 14

#: The maps that could keep what is gone.
NAMES: Final = ("conns", "swept_conns", "queue", "endpoints", "responses", "parties")


class Map(NamedTuple):
    """A map of a running httptop, by a descriptor of our own."""

    fd: int
    key_len: int
    value_len: int

    @classmethod
    def of(cls, fd: int) -> Map:
        """Return the map of a descriptor."""
        _, _, key_len, value_len, _, _ = bpf_syscall.map_info(fd)
        return cls(fd, key_len, value_len)


class Gauge(NamedTuple):
    """One look at a running httptop."""

    rss_bytes: int  # of all its processes
    fds: int
    processes: int
    entries: Mapping[str, int]  # of each map


def _map_ids(pid: int) -> set[int]:
    found = set()
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that lists the others
            found |= {int(number) for number in re.findall(r"map_id:\s*(\d+)", entry.read_text())}
    return found


def maps_of(pid: int) -> dict[str, Map]:
    """Return the maps of NAMES that a process has descriptors of."""
    found = {}
    for number in _map_ids(pid):
        fd = bpf_syscall.bpf(_GET_FD_BY_ID, bytearray(struct.pack("<III", number, 0, 0)))
        name = bpf_syscall.map_info(fd)[0]
        if name in NAMES:
            found[name] = Map.of(fd)
        else:
            os.close(fd)
    return found


def contents(made: Map) -> dict[bytes, bytes]:
    """Return the entries of a map."""
    keys, values = bpf_syscall.BatchReader(made.fd, made.key_len, made.value_len, 1024).read()
    return {
        keys[at * made.key_len : (at + 1) * made.key_len]: values[
            at * made.value_len : (at + 1) * made.value_len
        ]
        for at in range(len(keys) // made.key_len)
    }


def ownerless(maps: dict[str, Map], *names: str) -> set[bytes]:
    """Return the sockets in these maps that have no connection."""
    waiting = {key[:8] for name in names for key in contents(maps[name])}
    return waiting - contents(maps["conns"]).keys()


def look(pid: int, maps: dict[str, Map]) -> Gauge:
    """Look at a process, its children and its maps."""
    family = [psutil.Process(pid)]
    family += family[0].children(recursive=True)
    rss = fds = 0
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            rss += process.memory_info().rss
            fds += process.num_fds()
    entries: dict[str, int] = {name: len(contents(maps[name])) for name in NAMES if name in maps}
    return Gauge(rss, fds, len(family), entries)
