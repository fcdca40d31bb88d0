"""A simulated host for interpreted probes: a process, its sockets, its system calls.

Kernel structs are laid out as the running kernel's BTF says; what the probes do not read is zero.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from tests.bpf.interpreter.machine import Counts, Machine
from tests.bpf.interpreter.memory import Kind, Region

READ, WRITE, WRITEV, SENDFILE, SENDTO, RECVFROM = 0, 1, 20, 40, 44, 45
_INBOUND: Final = (READ, RECVFROM)
_EAGAIN: Final = 11

#: Larger than any struct that is read here.
_STRUCT_LEN: Final = 16384
_STACK_LEN: Final = 16384
_USER_LEN: Final = 1 << 20
_BUFFER: Final = 4096  # offset of a call's bytes in user memory; iovecs come before
_USER64_CS: Final = 0x33
#: struct pt_regs of x86-64, as far as it is used.
_REGISTERS: Final = (
    "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si",
    "di", "orig_ax", "ip", "cs", "flags", "sp", "ss",
)  # fmt: skip
_FAMILY_UNIX, _FAMILY_INET = 1, 2
_STREAM, _TCP, _ESTABLISHED = 1, 6, 1
_FILE_FD, _FIRST_FD = 5, 7
#: Between two system calls.
_STEP_NS: Final = 5_000


@dataclass(slots=True)
class Socket:
    """A connected socket of the process."""

    fd: int
    sk: Region
    tcp: bool
    read: int = 0  # bytes since it was connected
    written: int = 0


@dataclass(slots=True)
class Host:
    """One process under a front of the probes (FRONTS in bpf/build/variants.py)."""

    machine: Machine
    offsets: dict[str, int]  # of linux.btf.Kernel
    front: str = "sockets"
    _sockets: int = 0
    _user: Region = field(init=False)
    _stack: Region = field(init=False)
    _slots: Region = field(init=False)

    def __post_init__(self) -> None:
        memory = self.machine.memory
        self._user = memory.add("user", Kind.USER, _USER_LEN)
        self._stack = memory.add("kernel stack", Kind.KERNEL, _STACK_LEN)
        self._slots = memory.add("fd table", Kind.KERNEL, _STRUCT_LEN)
        task, files, table = (
            memory.add(name, Kind.KERNEL, _STRUCT_LEN) for name in ("task", "files", "fdtable")
        )
        current = self.machine.current
        current.task, current.registers = task.address, self._registers
        self._put(task, "OFF_TASK_STACK", "Q", self._stack.address)
        self._put(task, "OFF_TASK_TGID", "I", current.tgid)
        self._put(task, "OFF_TASK_LEADER", "Q", task.address)
        self._put(task, "OFF_TASK_FILES", "Q", files.address)
        self._put(task, "OFF_TASK_COMM", "16s", current.comm)
        self._put(files, "OFF_FILES_FDT", "Q", table.address)
        self._put(table, "OFF_FDT_FD", "Q", self._slots.address)

    @property
    def _registers(self) -> int:
        """The address of the registers that the process entered the kernel with."""
        return self._stack.address + self.offsets["OFF_REGISTERS"]

    def _put(self, region: Region, offset: str, form: str, value: int | bytes) -> None:
        struct.pack_into(f"<{form}", region.data, self.offsets[offset], value)

    def connect(self, *, unix: bool = False) -> Socket:
        """Return a new connected stream socket."""
        self._sockets += 1
        memory, fd = self.machine.memory, _FIRST_FD + self._sockets
        sk, socket, file = (
            memory.add(name, Kind.KERNEL, _STRUCT_LEN) for name in ("sock", "socket", "file")
        )
        inode = self.offsets["OFF_SOCKET_INODE"]
        self._put(sk, "OFF_SOCK_SOCKET", "Q", socket.address)
        self._put(sk, "OFF_SOCK_FAMILY", "H", _FAMILY_UNIX if unix else _FAMILY_INET)
        self._put(sk, "OFF_SOCK_STATE", "B", _ESTABLISHED)
        self._put(sk, "OFF_SOCK_TYPE", "H", _STREAM)
        self._put(sk, "OFF_SOCK_PROTOCOL", "H", 0 if unix else _TCP)
        self._put(socket, "OFF_SOCKET_SK", "Q", sk.address)
        self._put(socket, "OFF_SOCKET_TYPE", "H", _STREAM)
        struct.pack_into(
            "<Q", socket.data, inode + self.offsets["OFF_INODE_NUMBER"], 1000 + self._sockets
        )
        self._put(file, "OFF_FILE_PRIVATE", "Q", socket.address)
        self._put(file, "OFF_FILE_INODE", "Q", socket.address + inode)
        struct.pack_into("<Q", self._slots.data, 8 * fd, file.address)
        return Socket(fd, sk, not unix)

    def call(
        self,
        socket: Socket,
        number: int,
        data: bytes | int,
        *pieces: int,
        corked: bool = False,
    ) -> Counts:
        """Have the process make a system call that moves bytes; return what the probes did.

        ``data`` are the bytes, or how many where they are in no buffer of the process. ``pieces``
        are the lengths of iovecs, of WRITEV; without any, one holds everything. ``corked``: it is
        not sent yet.
        """
        moved = data if isinstance(data, int) else len(data)
        buffer = self._user.address + _BUFFER
        if isinstance(data, bytes):
            self._user.data[_BUFFER : _BUFFER + len(data)] = data
        room = moved
        if number == WRITEV:
            buffer, room = self._lay_out(pieces or (moved,)), max(1, len(pieces))
        elif number == SENDFILE:
            buffer = _FILE_FD
        if number in _INBOUND:
            socket.read += moved
        else:
            socket.written += moved
        if socket.tcp:
            self._put(socket.sk, "OFF_TCP_COPIED_SEQ", "I", socket.read)
            self._put(socket.sk, "OFF_TCP_WRITE_SEQ", "I", socket.written)
            if not corked:
                self._put(socket.sk, "OFF_TCP_SENT_SEQ", "I", socket.written)
            self._put(socket.sk, "OFF_TCP_CLOCK", "Q", self.machine.now_ns + _STEP_NS)
        return self._enter(socket, number, buffer, room, moved)

    def find_nothing(self, socket: Socket, number: int = RECVFROM) -> Counts:
        """Have the process read where nothing is to be read: EAGAIN."""
        return self._enter(socket, number, self._user.address + _BUFFER, _BUFFER, -_EAGAIN)

    def _lay_out(self, pieces: tuple[int, ...]) -> int:
        """Write the iovecs of pieces that lie one after the other; return their address."""
        at = self._user.address + _BUFFER
        for number, length in enumerate(pieces):
            struct.pack_into("<QQ", self._user.data, 16 * number, at, length)
            at += length
        return self._user.address

    def _enter(self, socket: Socket, number: int, buffer: int, room: int, result: int) -> Counts:
        values = {"orig_ax": number, "di": socket.fd, "si": buffer, "dx": room, "cs": _USER64_CS}
        words = (values.get(name, 0) for name in _REGISTERS)
        at = self.offsets["OFF_REGISTERS"]
        struct.pack_into(f"<{len(_REGISTERS)}Q", self._stack.data, at, *words)
        self.machine.now_ns += _STEP_NS
        returned = result & (1 << 64) - 1
        if self.front == "syscalls":
            return self.machine.run("sys_exit", self._registers, returned)
        name = "sock_recv_length" if number in _INBOUND else "sock_send_length"
        return self.machine.run(name, socket.sk.address, returned, 0)
