"""What no type information says of the running kernel: it is learned by trying, once a boot.

Small programs, written down as instructions, look where things are:

- ``OFF_REGISTERS``: how far from the beginning of a task's kernel stack its user registers lie, so
  that the probes find them by arithmetic instead of a call (12 ns);
- ``OFF_TCP_CLOCK``, if it is up to date when the probes run: the time at which a TCP socket last
  moved bytes, which saves the probes a clock (30 ns). tcp_recvmsg() refreshes it as it copies, and
  so does tcp_write_xmit() as it sends; that is no promise of the kernel, so it is tried.

What cannot be learned is left out, and the probes do without.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import time
from collections.abc import Iterator
from typing import Final

from httptop.bpf.build.assembler import (
    CURRENT_TASK,
    FRAME,
    KTIME,
    TASK_REGISTERS,
    Code,
)
from httptop.linux import bpf_syscall
from httptop.linux.btf import Kernel

_RAW_TRACEPOINT: Final = 17
_ARRAY: Final = 2
_RECORD: Final = struct.Struct("<QQ")
#: By the number of their records.
_TRACEPOINTS: Final = ("sock_send_length", "sock_recv_length")
_ROUNDS: Final = 3
#: Before each call; its socket's clock is at least as old if the call does not refresh it.
_PAUSE_S: Final = 0.002
_FRESH_NS: Final = 1_000_000


def learn(kernel: Kernel) -> Kernel:
    """Return the kernel's layout with what can be learned of it, and nothing that is not true."""
    offsets = dict(kernel.offsets)
    with contextlib.suppress(OSError):
        offsets["OFF_REGISTERS"] = _registers_offset(offsets)
    fresh = False
    with contextlib.suppress(OSError):
        fresh = "OFF_TCP_CLOCK" in offsets and _clock_is_fresh(kernel)
    if not fresh:
        offsets.pop("OFF_TCP_CLOCK", None)
    return kernel._replace(offsets=offsets)


def pid_level(offsets: dict[str, int]) -> int:
    """Return how many process id namespaces are above this process's; raises OSError."""
    with _records(1) as map_fd:
        code = Code()
        code.call(CURRENT_TASK)
        code.load(6, 0, offsets["OFF_TASK_LEADER"])
        code.load(6, 6, offsets["OFF_TASK_PID"])
        code.read_kernel(-16, 6, offsets["OFF_PID_LEVEL"])
        code.store(FRAME, -8, 6)
        code.update(map_fd, 0, -16)
        program = _load(code, "pid_level")
        try:
            bpf_syscall.run_raw_tracepoint(program, 0)
        finally:
            os.close(program)
        return _record(map_fd, 0)[0] & 0xFFFFFFFF


@contextlib.contextmanager
def _records(entries: int) -> Iterator[int]:
    """Create a map of records; yield its descriptor."""
    descriptor = bpf_syscall.map_create("learned", _ARRAY, 4, _RECORD.size, entries, 0)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _record(map_fd: int, number: int) -> tuple[int, int]:
    found = bpf_syscall.map_lookup(map_fd, struct.pack("<I", number), _RECORD.size)
    first, second = _RECORD.unpack(found or bytes(_RECORD.size))
    return int(first), int(second)


def _load(code: Code, name: str) -> int:
    instructions = code.instructions()
    buffer = (ctypes.c_char * len(instructions)).from_buffer(instructions)
    at, count = ctypes.addressof(buffer), len(instructions) // 8
    return bpf_syscall.prog_load(_RAW_TRACEPOINT, at, count, name)


def _registers_offset(offsets: dict[str, int]) -> int:
    """Return where a task's user registers are on its kernel stack; raises OSError."""
    with _records(1) as map_fd:
        code = Code()
        code.call(CURRENT_TASK)
        code.load(1, 0, offsets["OFF_TASK_STACK"])
        code.store(FRAME, -16, 1)
        code.move(1, 0)
        code.call(TASK_REGISTERS)
        code.store(FRAME, -8, 0)
        code.update(map_fd, 0, -16)
        program = _load(code, "registers")
        try:
            bpf_syscall.run_raw_tracepoint(program, 0)
        finally:
            os.close(program)
        stack, registers = _record(map_fd, 0)
    return registers - stack


def _clock_program(map_fd: int, number: int, inode: int, offsets: dict[str, int]) -> Code:
    """Return a program that records, for a call on one socket, the time and the socket's clock."""
    code = Code()
    code.load(6, 1, 0)  # the struct sock
    code.read_kernel(-8, 6, offsets["OFF_SOCK_SOCKET"])
    code.load(7, FRAME, -8)
    code.read_kernel(-8, 7, offsets["OFF_SOCKET_INODE"] + offsets["OFF_INODE_NUMBER"])
    code.load(7, FRAME, -8)
    code.exit_unless(7, inode)
    code.call(KTIME)
    code.store(FRAME, -16, 0)
    code.read_kernel(-8, 6, offsets["OFF_TCP_CLOCK"])
    code.update(map_fd, number, -16)
    return code


def _clock_is_fresh(kernel: Kernel) -> bool:
    """Send and receive over TCP; return whether the sockets' clocks are up to date each time."""
    if not set(_TRACEPOINTS) <= kernel.tracepoints:
        return False
    with contextlib.ExitStack() as closing:
        listener = closing.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = closing.enter_context(socket.create_connection(listener.getsockname(), 1.0))
        server = closing.enter_context(listener.accept()[0])
        server.settimeout(1.0)
        map_fd = closing.enter_context(_records(2))
        for number, end in enumerate((client, server)):
            inode = os.fstat(end.fileno()).st_ino
            program = _load(_clock_program(map_fd, number, inode, kernel.offsets), "clock")
            closing.callback(os.close, program)
            link = bpf_syscall.raw_tracepoint_open(program, _TRACEPOINTS[number])
            closing.callback(os.close, link)
        for _ in range(_ROUNDS):
            time.sleep(_PAUSE_S)
            client.send(b"x")
            time.sleep(_PAUSE_S)
            server.recv(1)
            for number in range(2):
                now, clock = _record(map_fd, number)
                if not 0 <= now - clock < _FRESH_NS or not now:
                    return False
    return True
