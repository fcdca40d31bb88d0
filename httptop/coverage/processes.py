"""Find the processes with stream sockets, and what decides whether their requests can be seen.

Everything is read from procfs: no program file is opened, since another user's file system could
respond late or never. Inspecting other users' processes takes ``CAP_SYS_PTRACE`` and
``CAP_DAC_READ_SEARCH``.

Texts come from the processes and are cleaned; all sizes are bounded. Programs are recognised by
their mappings: libraries by their names, Go by the start address of its heap, 32-bit programs by
their addresses.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from httptop.linux.proc_net import Socket, read_sockets
from httptop.printable import clean

#: The most holders reported, and the most names and numbers of each; all fit into a megabyte.
MOST_HOLDERS: Final = 500
_MOST_NAMED: Final = 4
#: The most descriptors inspected: of a process, and of all together.
_MOST_FDS: Final = 20_000
_MOST_FDS_IN_ALL: Final = 400_000
_MOST_NAMESPACES: Final = 200
_LARGEST_MAPS: Final = 4 << 20

#: Ports that usually carry TLS.
TLS_PORTS: Final = frozenset((443, 465, 636, 853, 993, 995, 2376, 5671, 6443, 8443, 9443))

_TLS_LIBRARY: Final = re.compile(
    rb"/(lib(?:ssl|gnutls|mbedtls|wolfssl|s2n|tls)[-_.0-9][^/ \n]{0,40})(?: \(deleted\))?\n"
)
#: The start address of Go's heap on 64-bit machines, since Go 1.11.
_GO_HEAP: Final = re.compile(rb"^c000000000-", re.MULTILINE)
_END_OF_MAPPING: Final = re.compile(rb"^[0-9a-f]+-([0-9a-f]+) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Holder:
    """A process with stream sockets, or with io_uring."""

    pid: int
    process: str  # cleaned
    tcp_ports: tuple[int, ...] = ()  # on which it listens, ascending; at most a few
    unix_names: tuple[str, ...] = ()  # of listening Unix sockets, cleaned; at most a few
    tcp_listening: int = 0  # sockets
    unix_listening: int = 0
    tcp_connected: int = 0
    unix_connected: int = 0
    tls_ports: tuple[int, ...] = ()  # its own and its peers' ports that are in TLS_PORTS
    tls_libraries: tuple[str, ...] = ()  # mapped, cleaned; at most a few
    go: bool = False
    io_uring: int = 0  # descriptors
    bits32: bool = False
    ptraced_by: int = 0  # PID; 0: not traced
    stopped: bool = False
    cut: bool = False  # not all of its descriptors were inspected
    parent: int = 0  # PID; 0: not known

    @property
    def tcp(self) -> int:
        """The number of its TCP sockets."""
        return self.tcp_listening + self.tcp_connected

    @property
    def unix(self) -> int:
        """The number of its Unix stream sockets."""
        return self.unix_listening + self.unix_connected


@dataclass(frozen=True, slots=True)
class Survey:
    """The result of inspecting all processes."""

    taken_at: float  # Unix time, seconds
    holders: tuple[Holder, ...]
    unreadable: int = 0  # processes that could not be inspected
    left_out: int = 0  # holders beyond MOST_HOLDERS


def survey(taken_at: float, proc: Path = Path("/proc")) -> Survey:
    """Inspect all processes; ``taken_at``: the current Unix time. It may take seconds."""
    sockets: dict[int, Socket] = {}
    namespaces: set[str] = set()
    held: list[tuple[Path, list[int], int, bool]] = []
    unreadable, left = 0, _MOST_FDS_IN_ALL
    for pid in sorted(int(name) for name in os.listdir(proc) if name.isdecimal()):
        process = proc / str(pid)
        try:
            inodes, rings, seen, cut = _descriptors(process / "fd", min(left, _MOST_FDS))
            left -= seen
            if not inodes and not rings:
                continue
            namespace = os.readlink(process / "ns" / "net")
        except PermissionError:
            unreadable += 1
            continue
        except OSError:  # it has ended
            continue
        held.append((process, inodes, rings, cut))
        if namespace not in namespaces and len(namespaces) < _MOST_NAMESPACES:
            namespaces.add(namespace)
            sockets |= read_sockets(process / "net")
    found = [
        (process, theirs, rings, cut)
        for process, inodes, rings, cut in held
        if (theirs := [sockets[inode] for inode in inodes if inode in sockets]) or rings
    ]
    found.sort(key=lambda one: _rank(one[1], one[2]), reverse=True)
    holders = (_holder(*one) for one in found[:MOST_HOLDERS])
    return Survey(
        taken_at,
        tuple(holder for holder in holders if holder is not None),
        unreadable,
        max(len(found) - MOST_HOLDERS, 0),
    )


def _descriptors(folder: Path, most: int) -> tuple[list[int], int, int, bool]:
    """Return socket inodes, and numbers of io_uring rings and descriptors; whether more exist."""
    inodes: set[int] = set()
    rings = seen = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if seen >= most:
                return sorted(inodes), rings, seen, True
            seen += 1
            try:
                what = os.readlink(entry.path)
            except FileNotFoundError:  # closed just now
                continue
            if what.startswith("socket:["):
                inodes.add(int(what[8:-1]))
            elif what == "anon_inode:[io_uring]":
                rings += 1
    return sorted(inodes), rings, seen, False


def _rank(sockets: Iterable[Socket], rings: int) -> tuple[bool, bool, bool]:
    """Return a rank by which holders are kept: servers before clients, TCP before Unix."""
    sockets = list(sockets)
    return (
        any(one.listens and one.port for one in sockets),
        rings > 0 or any(one.port for one in sockets),
        any(one.listens for one in sockets),
    )


def _holder(process: Path, sockets: list[Socket], rings: int, cut: bool) -> Holder | None:
    listening = [one for one in sockets if one.listens]
    connected = [one for one in sockets if not one.listens]
    ports = {one.port for one in listening if one.port}
    tls_ports = TLS_PORTS & (
        ports | {port for one in connected for port in (one.port, one.peer_port)}
    )
    try:
        state, tracer, parent = _state(process)
        maps = _maps(process)
        name = clean(_start_of(process / "comm", 64).removesuffix(b"\n"), 60)
    except OSError:  # it has ended
        return None
    libraries = sorted({clean(found, 40) for found in _TLS_LIBRARY.findall(maps)})
    return Holder(
        pid=int(process.name),
        process=name,
        tcp_ports=tuple(sorted(ports)[:_MOST_NAMED]),
        unix_names=tuple(sorted({one.name for one in listening if one.name})[:_MOST_NAMED]),
        tcp_listening=sum(1 for one in listening if one.port),
        unix_listening=sum(1 for one in listening if not one.port),
        tcp_connected=sum(1 for one in connected if one.port),
        unix_connected=sum(1 for one in connected if not one.port),
        tls_ports=tuple(sorted(tls_ports)[:_MOST_NAMED]),
        tls_libraries=tuple(libraries[:_MOST_NAMED]),
        go=_GO_HEAP.search(maps) is not None,
        io_uring=rings,
        bits32=_all_in_32_bits(_END_OF_MAPPING.findall(maps)),
        ptraced_by=tracer,
        stopped=state in ("T", "t"),
        cut=cut,
        parent=parent,
    )


def _all_in_32_bits(ends: list[bytes]) -> bool:
    """Return whether mappings are those of a 32-bit program; every process maps vsyscall."""
    addresses = [int(end, 16) for end in ends]
    return bool(addresses) and all(
        end <= 1 << 32 or end >= 0xFFFF_FFFF_FF60_0000 for end in addresses
    )


def _state(process: Path) -> tuple[str, int, int]:
    """Return the letter of a process's state, its tracer's PID and its parent's (0: none)."""
    lines = _start_of(process / "status", 1 << 14).decode("ascii", "replace").splitlines()
    values = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
    state = values.get("State", ["?"])
    pids = (values.get(name, ["0"])[0] for name in ("TracerPid", "PPid"))
    tracer, parent = (int(pid) if pid.isdecimal() else 0 for pid in pids)
    return state[0], tracer, parent


def _maps(process: Path) -> bytes:
    """Return a process's mappings; empty if they may not be read, unlike its descriptors."""
    try:
        return _start_of(process / "maps", _LARGEST_MAPS)
    except PermissionError:
        return b""


def _start_of(file: Path, most: int) -> bytes:
    with open(file, "rb") as opened:
        return opened.read(most)


# As text, to pass from the helper to httptop


def to_text(found: Survey) -> str:
    """Return a survey as JSON."""
    return json.dumps(asdict(found), ensure_ascii=False, separators=(",", ":"))


def from_text(text: str) -> Survey:
    """Return the survey that :func:`to_text` wrote; raise ValueError if it is invalid."""
    values: dict[str, Any] = json.loads(text)
    values["holders"] = tuple(map(_holder_of, values["holders"]))
    return Survey(**values)


def _holder_of(values: dict[str, Any]) -> Holder:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return Holder(**fields)
