"""Collect the facts about this host that the doctor's checks need.

A :class:`Host` is plain data, so that the checks are functions of it. Collecting it takes a few
milliseconds: small files below ``/proc`` and ``/sys``, and a few trial calls of bpf(2).
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from httptop.bpf.build.find_bcc import find_bcc, find_impostor, find_library, os_release
from httptop.console import command_line
from httptop.linux import bpf_syscall
from httptop.linux.capabilities import CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, without_capabilities
from httptop.linux.control_groups import sees_own_groups_only

#: Architectures whose registers and system calls the probes support.
MACHINES: Final = ("x86_64",)

_BPF_MAP_CREATE: Final = 0
_BPF_MAP_TYPE_ARRAY: Final = 2
_BPF_MAP_TYPE_RINGBUF: Final = 27
_BPF_PROG_TYPE_RAW_TRACEPOINT: Final = 17
#: Instructions: "r0 = 0" and "exit", a program that returns 0; "r1 = r0".
_NO_OPERATION: Final = bytes((0xB7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0))
_PASS_ON: Final = bytes((0xBF, 1, 0, 0, 0, 0, 0, 0))
#: BPF helper functions of the probes that some kernels with a ring buffer lack, and their numbers.
#: The second takes the result of the first.
_HELPERS: Final = {"bpf_get_current_task_btf": 158, "bpf_task_pt_regs": 175}


#: How the first user namespace maps users: each to itself.
_ALL_USERS: Final = "0 0 4294967295"


@dataclass(frozen=True, slots=True)
class Host:
    """Facts about a host that matter for tracing. None: unknown, unless said otherwise."""

    machine: str  # as uname -m says
    release: str  # of the kernel
    euid: int
    proc: bool  # whether /proc is mounted
    own_proc: bool  # whether it shows the process id namespace that httptop runs in
    capabilities: int  # effective set, a bit mask; 0 without /proc
    bcc: Path | None  # the directory with BCC's Python package; None: not installed
    impostor: Path | None  # a package called bcc that is not BCC
    libbcc: Path | None
    #: errno of creating a BPF map and a BPF ring buffer; 0: success.
    bpf_errno: int
    ring_buffer_errno: int
    missing_helper: str | None  # a helper function of the probes that this kernel lacks
    lockdown: str | None  # "none", "integrity", "confidentiality"; None: no lockdown here
    btf: bool
    jit: int | None  # /proc/sys/net/core/bpf_jit_enable
    memlock_bytes: int | None  # soft limit; None: unlimited
    io_uring_disabled: int | None  # 0: allowed to everyone
    pid_namespace: int | None  # inode
    own_users: bool  # capabilities are those of a user namespace, and count there only
    own_groups: bool  # control groups are seen from a namespace of them
    distribution: dict[str, str]  # os-release(5)
    command: str  # the command line, for a shell to repeat

    @property
    def kernel(self) -> tuple[int, int]:
        """The kernel's major and minor version; (0, 0) if its release is not understood."""
        numbers = []
        for part in self.release.split(".")[:2]:
            digits = part[: len(part) - len(part.lstrip("0123456789"))]
            numbers.append(int(digits or 0))
        return (numbers[0], numbers[1]) if len(numbers) == 2 else (0, 0)

    def capable(self, capability: int) -> bool:
        """Return whether a capability is in the effective set."""
        return bool(self.capabilities >> capability & 1)

    @property
    def privileged(self) -> bool:
        """Whether the capabilities suffice for tracing."""
        return self.capable(CAP_SYS_ADMIN) or (self.capable(CAP_BPF) and self.capable(CAP_PERFMON))


def this_host(root: Path = Path("/")) -> Host:
    """Collect the facts about this host; paths are relative to ``root``."""
    system = os.uname()
    fields = _status(root / "proc/self/status")
    known = system.machine in MACHINES
    map_errno, ring_errno = probe_bpf() if known else (errno.ENOSYS, errno.ENOSYS)
    btf = (root / "sys/kernel/btf/vmlinux").exists()
    return Host(
        machine=system.machine,
        release=system.release,
        euid=os.geteuid(),
        proc=bool(fields),
        own_proc=fields.get("Pid") == str(os.getpid()),
        capabilities=int(fields.get("CapEff", "0"), 16),
        bcc=find_bcc(root),
        impostor=find_impostor(sys.path),
        libbcc=find_library(root),
        bpf_errno=map_errno,
        ring_buffer_errno=ring_errno,
        missing_helper=missing_helper() if known and btf else None,
        lockdown=_lockdown(root / "sys/kernel/security/lockdown"),
        btf=btf,
        jit=_number(root / "proc/sys/net/core/bpf_jit_enable"),
        memlock_bytes=_memlock(),
        io_uring_disabled=_number(root / "proc/sys/kernel/io_uring_disabled"),
        pid_namespace=_inode(root / "proc/self/ns/pid"),
        own_users=(_text(root / "proc/self/uid_map") or _ALL_USERS).split() != _ALL_USERS.split(),
        own_groups=sees_own_groups_only(root / "proc"),
        distribution=os_release(root),
        command=command_line(),
    )


def probe_bpf() -> tuple[int, int]:
    """Create and close a small BPF map and a ring buffer; return the errno of each, 0: success."""
    array = struct.pack("=IIII", _BPF_MAP_TYPE_ARRAY, 4, 8, 1)
    ring = struct.pack("=IIII", _BPF_MAP_TYPE_RINGBUF, 0, 0, mmap.PAGESIZE)
    return _map_create(array), _map_create(ring)


def missing_helper(helpers: Mapping[str, int] = _HELPERS) -> str | None:
    """Return the first of ``helpers`` that the kernel lacks; it loads a program to test each.

    Returns None if it has them all, or refuses the programs for another reason, such as missing
    BTF.
    """
    code = b""
    for name, number in helpers.items():
        code += (_PASS_ON if code else b"") + struct.pack("<BBhi", 0x85, 0, 0, number)
        program = ctypes.create_string_buffer(code + _NO_OPERATION)
        count = len(code + _NO_OPERATION) // 8
        at = ctypes.addressof(program)
        try:
            os.close(bpf_syscall.prog_load(_BPF_PROG_TYPE_RAW_TRACEPOINT, at, count, "trial"))
        except OSError as error:
            return name if error.errno == errno.EINVAL else None
    return None


def needed_after_attaching() -> frozenset[int]:
    """Return the capabilities that using open maps and programs requires.

    They are found by trying with a dummy map and program. Since Linux 6.0 their descriptors
    suffice; before, only if BPF is not forbidden to users (kernel.unprivileged_bpf_disabled).
    Raises OSError.
    """
    array = struct.pack("=IIII", _BPF_MAP_TYPE_ARRAY, 4, 8, 1)
    table = bpf_syscall.bpf(_BPF_MAP_CREATE, bytearray(array))
    try:
        code = ctypes.create_string_buffer(_NO_OPERATION)
        at = ctypes.addressof(code)
        program = bpf_syscall.prog_load(_BPF_PROG_TYPE_RAW_TRACEPOINT, at, 2, "httptop_trial")
        try:
            without_capabilities(lambda: _use(table, program))
        except PermissionError:
            return frozenset((CAP_BPF,))
        finally:
            os.close(program)
    finally:
        os.close(table)
    return frozenset()


def _use(table: int, program: int) -> None:
    """Make each kind of call that a run makes once its probes are attached."""
    bpf_syscall.map_update(table, bytes(4), bytes(8))
    bpf_syscall.map_lookup(table, bytes(4), 8)
    bpf_syscall.BatchReader(table, 4, 8, 1).read(1)
    bpf_syscall.prog_times(program)
    bpf_syscall.run_raw_tracepoint(program, 0)


def _map_create(attributes: bytes) -> int:
    try:
        os.close(bpf_syscall.bpf(_BPF_MAP_CREATE, bytearray(attributes)))
    except OSError as error:
        return error.errno or errno.EINVAL
    return 0


def _status(path: Path) -> dict[str, str]:
    lines = (_text(path) or "").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _lockdown(path: Path) -> str | None:
    # "none [integrity] confidentiality": the current mode is in brackets.
    text = _text(path)
    return text.partition("[")[2].partition("]")[0] or None if text else None


def _memlock() -> int | None:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return None if soft == resource.RLIM_INFINITY else soft


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _number(path: Path) -> int | None:
    text = _text(path)
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return None
