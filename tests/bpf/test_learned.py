"""What is learned of the kernel by trying is true; what cannot be tried is left out."""

from __future__ import annotations

import errno
from typing import NoReturn

import pytest

from httptop.bpf.build import learned
from httptop.bpf.build.assembler import CURRENT_TASK, Code
from httptop.bpf.build.learned import learn
from httptop.linux import bpf_syscall, btf
from httptop.linux.btf import Kernel

#: Of x86-64: a kernel stack, and what the kernel keeps of the registers at its end.
STACK_LEN, REGISTERS_LEN = 16384, 168


@pytest.fixture
def kernel() -> Kernel:
    return btf.describe_kernel()


@pytest.mark.ebpf
def test_the_registers_end_the_stack(kernel: Kernel) -> None:
    offset = learn(kernel).offsets["OFF_REGISTERS"]
    assert STACK_LEN - REGISTERS_LEN - 16 <= offset <= STACK_LEN - REGISTERS_LEN


@pytest.mark.ebpf
def test_nothing_else_changes(kernel: Kernel) -> None:
    found = learn(kernel)
    assert found._replace(offsets=kernel.offsets) == kernel
    kept = {name: found.offsets.get(name) for name in kernel.offsets if name != "OFF_TCP_CLOCK"}
    assert kept == {name: kernel.offsets[name] for name in kept}


@pytest.mark.ebpf
def test_a_clock_that_stands_is_found_out(kernel: Kernel) -> None:
    """A member that no call changes is no clock, and without tracepoints nothing can be tried."""
    offsets = {**kernel.offsets, "OFF_TCP_CLOCK": kernel.offsets["OFF_SOCK_SOCKET"]}
    assert "OFF_TCP_CLOCK" not in learn(kernel._replace(offsets=offsets)).offsets
    assert "OFF_TCP_CLOCK" not in learn(kernel._replace(tracepoints=frozenset())).offsets


def test_without_bpf_nothing_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EPERM, "not permitted")

    for name in ("map_create", "prog_load"):
        monkeypatch.setattr(bpf_syscall, name, refuse)
    tracepoints = frozenset(learned._TRACEPOINTS)
    kernel = Kernel({"OFF_TASK_STACK": 32, "OFF_TCP_CLOCK": 8}, tracepoints, {}, {})
    assert learn(kernel).offsets == {"OFF_TASK_STACK": 32}


def test_instructions_have_eight_bytes_and_end() -> None:
    code = Code()
    code.call(CURRENT_TASK)
    code.exit_unless(6, 1 << 40)
    code.update(7, 0, -16)
    text = code.instructions()
    assert len(text) % 8 == 0
    assert text[-8] == 0x95
