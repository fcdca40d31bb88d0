"""The interpreter of BPF programs, on programs of a few instructions."""

from __future__ import annotations

import errno

import pytest

from httptop.bpf.build.object_file import MapShape
from tests.bpf.interpreter import maps
from tests.bpf.interpreter.assembler import (
    DISABLE,
    ENABLE,
    FUNCTION,
    MAP,
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R10,
    add,
    copy,
    helper,
    instruction,
    kernel_function,
    leave,
    load,
    local,
    machine,
    move,
    result,
    store,
    wide,
)
from tests.bpf.interpreter.machine import Machine
from tests.bpf.interpreter.maps import ProgramMap
from tests.bpf.interpreter.memory import Fault

M64 = (1 << 64) - 1
PROGRAMS = MapShape("programs", maps.PROGRAM_ARRAY, 4, 4, 4, 0)


# ---- instructions -----------------------------------------------------------------------------

ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, NEG, MOD, XOR, MOV, ARSH = (n << 4 for n in range(13))
WIDE, NARROW = 7, 4  # operations on 64 and on 32 bits


@pytest.mark.parametrize(
    ("op", "offset", "a", "b", "expected"),
    [
        (ADD | WIDE, 0, M64, 2, 1),
        (ADD | NARROW, 0, 0x1_FFFF_FFFF, 2, 1),
        (SUB | WIDE, 0, 1, 2, M64),
        (SUB | NARROW, 0, 1, 2, 0xFFFF_FFFF),
        (MUL | WIDE, 0, 1 << 63, 3, 1 << 63),
        (DIV | WIDE, 0, 7, 0, 0),
        (DIV | WIDE, 0, M64, 2, M64 >> 1),
        (DIV | WIDE, 1, -7 & M64, 2, -3 & M64),
        (DIV | NARROW, 1, -7 & M64, 2, -3 & 0xFFFF_FFFF),
        (MOD | WIDE, 0, 7, 0, 7),
        (MOD | WIDE, 0, 7, 4, 3),
        (MOD | WIDE, 1, -7 & M64, 4, -3 & M64),
        (OR | WIDE, 0, 5, 3, 7),
        (AND | NARROW, 0, M64, 0xF0F0, 0xF0F0),
        (XOR | WIDE, 0, 5, 3, 6),
        (LSH | WIDE, 0, 3, 63, 1 << 63),
        (LSH | WIDE, 0, 3, 64, 3),
        (LSH | NARROW, 0, 3, 31, 1 << 31),
        (RSH | WIDE, 0, 1 << 63, 63, 1),
        (RSH | NARROW, 0, M64, 31, 1),
        (ARSH | WIDE, 0, 1 << 63, 63, M64),
        (ARSH | NARROW, 0, 1 << 31, 31, 0xFFFF_FFFF),
        (NEG | WIDE, 0, 1, 0, M64),
        (MOV | NARROW, 0, 0, M64, 0xFFFF_FFFF),
        (MOV | WIDE, 8, 0, 0x80, -128 & M64),
        (MOV | NARROW, 16, 0, 0x8000, -0x8000 & 0xFFFF_FFFF),
    ],
)
def test_arithmetic(op: int, offset: int, a: int, b: int, expected: int) -> None:
    with_register = instruction(op | 8, R0, R1, offset)
    assert result(wide(R0, a), wide(R1, b), with_register, leave()) == expected
    if b < 1 << 31:
        assert result(wide(R0, a), instruction(op, R0, 0, offset, b), leave()) == expected


@pytest.mark.parametrize(
    ("op", "bits", "expected"),
    [
        (0xD4, 16, 0x7788),  # to little endian
        (0xDC, 16, 0x8877),  # to big endian
        (0xDC, 64, 0x8877_6655_4433_2211),
        (0xD7, 32, 0x8877_6655),
    ],
)
def test_byte_order(op: int, bits: int, expected: int) -> None:
    found = result(wide(R0, 0x1122_3344_5566_7788), instruction(op, R0, number=bits), leave())
    assert found == expected


@pytest.mark.parametrize(
    ("op", "a", "b", "taken"),
    [
        (0x10, 1, 1, True), (0x50, 1, 1, False), (0x20, M64, 1, True), (0x60, M64, 1, False),
        (0x30, 1, 1, True), (0x70, 1, 2, False), (0xA0, 1, 2, True), (0xC0, M64, 1, True),
        (0xB0, 2, 1, False), (0xD0, M64, M64, True), (0x40, 6, 2, True), (0x40, 4, 2, False),
    ],
)  # fmt: skip
def test_jumps(op: int, a: int, b: int, taken: bool) -> None:
    jump = instruction(op | 5 | 8, R1, R2, 1)
    assert result(wide(R1, a), wide(R2, b), move(R0, 1), jump, move(R0, 0), leave()) == taken


def test_a_narrow_jump_sees_32_bits() -> None:
    jump = instruction(0x10 | 6, R1, 0, 1, 5)
    assert result(wide(R1, 0x1_0000_0005), move(R0, 1), jump, move(R0, 0), leave()) == 1


def test_a_far_jump() -> None:
    assert result(move(R0, 1), instruction(0x06, number=1), move(R0, 0), leave()) == 1


def test_loads_and_stores_of_every_size() -> None:
    parts = [wide(R1, 0x1122_3344_5566_7788), store(R10, -8, R1), move(R0, 0)]
    for op, offset in ((0x71, -8), (0x69, -6), (0x61, -4)):  # 1, 2 and 4 bytes
        parts += [instruction(op, R2, R10, offset), instruction(ADD | WIDE | 8, R0, R2)]
    assert result(*parts, leave()) == 0x88 + 0x5566 + 0x1122_3344
    number = instruction(0x72, R10, 0, -1, 0xAB)  # a byte, without a register
    assert (
        result(store(R10, -8, R10), number, instruction(0x91, R0, R10, -1), leave())
        == (0xAB - 0x100) & M64
    )


@pytest.mark.parametrize(
    ("number", "left", "fetched"),
    [(0x00, 15, 5), (0x01, 15, 10), (0x41, 15, 10), (0x51, 0, 10), (0xA1, 15, 10), (0xE1, 5, 10)],
)
def test_atomics(number: int, left: int, fetched: int) -> None:
    start = [move(R1, 10), store(R10, -8, R1), move(R2, 5)]
    atomic = instruction(0xDB, R10, R2, -8, number)
    assert result(*start, atomic, load(R0, R10, -8), leave()) == left
    assert result(*start, atomic, copy(R0, R2), leave()) == fetched


@pytest.mark.parametrize(("expected", "left"), [(10, 5), (11, 10)])
def test_compare_and_exchange(expected: int, left: int) -> None:
    start = [move(R1, 10), store(R10, -8, R1), move(R2, 5), move(R0, expected)]
    atomic = instruction(0xDB, R10, R2, -8, 0xF1)
    assert result(*start, atomic, leave()) == 10
    assert result(*start, atomic, load(R0, R10, -8), leave()) == left


# ---- what the kernel would refuse -------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([helper(9999), leave()], "instruction 0: helper 9999"),
        ([kernel_function(0x77), leave()], "type 0x77"),
        ([instruction(0xE5), leave()], "instruction 0 is unknown.*code=229"),
        ([instruction(0x20), leave()], "instruction 0 is unknown.*code=32"),
        ([load(R0, R10, 0), leave()], "8 bytes at 512 of the 512 of stack"),
        ([load(R0, R10, -520), leave()], "8 bytes at .* of context"),
        ([move(R1, 0), store(R1, 0, R1), leave()], "nothing is at 0x0"),
        ([instruction(0x05, offset=7), leave()], "out of the program"),
        ([instruction(0x05, offset=-9), leave()], "out of the program"),
        ([move(R0, 0), wide(R0, 0)[:8]], "ends within instruction 1"),
        ([helper(5), load(R0, R1, 0), leave()], "instruction 1: nothing is at 0xbad0"),
        ([instruction(0x05, offset=1), wide(R0, 1), leave()], "into the middle"),
        ([wide(R1, 0, MAP), leave()], "map 0 of 0"),
        ([move(R1, 5), helper(1), leave()], "0x5 is no map"),
        ([kernel_function(DISABLE), leave()], "with preemption disabled"),
        ([kernel_function(ENABLE), leave()], "was not disabled"),
        ([local(-1), leave()], "more than 8 frames"),
        ([move(R1, 1), move(R2, 3), move(R4, 0), helper(181), leave()], "0x3 is no function"),
    ],
)  # fmt: skip
def test_a_fault_says_what_and_where(parts: list[bytes], said: str) -> None:
    with pytest.raises(Fault, match=said):
        result(*parts)


def test_a_program_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bpf.interpreter.machine.MOST_INSTRUCTIONS", 1000)
    with pytest.raises(Fault, match="did not end after 1,000 instructions"):
        result(instruction(0x05, offset=-1))


# ---- calls ------------------------------------------------------------------------------------

#: Add R1 and R2, with registers and a stack of the function's own.
ADDER = (
    copy(R0, R1),
    instruction(ADD | WIDE | 8, R0, R2),
    move(R6, 0),
    store(R10, -8, R6),
    leave(),
)


def test_a_function_of_the_program() -> None:
    begin = (move(R6, 3), store(R10, -8, R6), move(R1, 40), move(R2, 2), local(4))
    end = (instruction(ADD | WIDE | 8, R0, R6), load(R1, R10, -8))
    found = machine(*begin, *end, instruction(ADD | WIDE | 8, R0, R1), leave(), *ADDER)
    counts = found.run("main")
    assert found.result == 40 + 2 + 3 + 3
    assert (counts.local_calls, counts.instructions) == (1, 14)


#: A callback that adds its turn to what R2 points to, and ends the loop at the fourth.
TURN = (
    load(R3, R2, 0), instruction(ADD | WIDE | 8, R3, R1), store(R2, 0, R3), move(R0, 0),
    instruction(0x15, R1, 0, 1, 3), leave(), move(R0, 1), leave(),
)  # fmt: skip


def _loop(turns: int, *end: bytes) -> Machine:
    """Return a program that has its callback add to a word of its own stack."""
    begin = (move(R1, 0), store(R10, -8, R1), move(R1, turns), wide(R2, 6 + len(end), FUNCTION, 0))
    call = (copy(R3, R10), add(R3, -8), move(R4, 0), helper(181))
    return machine(*begin, *call, *end, leave(), *TURN)


def test_a_loop_by_callback() -> None:
    found = _loop(100)
    counts = found.run("main")
    assert found.result == 4  # turns
    assert (counts.local_calls, counts.inlined, counts.calls) == (4, {"loop": 1}, {})
    assert counts.instructions == 9 + 3 * 6 + 7
    found = _loop(3, load(R0, R10, -8))
    found.run("main")
    assert found.result == 0 + 1 + 2
    found = _loop((1 << 23) + 1)
    found.run("main")
    assert found.result == -errno.E2BIG & M64


def _tail_call(index: int) -> bytes:
    return b"".join((wide(R2, 0, MAP, 0), move(R3, index), helper(12)))


def test_a_tail_call_keeps_the_context_alone() -> None:
    found = machine(
        move(R0, 7), _tail_call(2), leave(), shapes=(PROGRAMS,), other=load(R0, R1, 0) + leave()
    )
    chain = found.maps["programs"]
    assert isinstance(chain, ProgramMap)
    counts = found.run("main", 41)
    assert (found.result, counts.tail_calls) == (-errno.ENOENT & M64, 0)  # the slot is empty
    chain.programs[2] = "other"
    counts = found.run("main", 41)
    assert (found.result, counts.tail_calls, counts.calls) == (41, 1, {})
    found = machine(_tail_call(0), leave(), shapes=(PROGRAMS,), other=load(R0, R6, 0) + leave())
    chain = found.maps["programs"]
    assert isinstance(chain, ProgramMap)
    chain.programs[0] = "other"
    with pytest.raises(Fault, match="other, instruction 0"):
        found.run("main")


def test_tail_calls_have_a_limit() -> None:
    found = machine(_tail_call(0), move(R0, 5), leave(), shapes=(PROGRAMS,))
    chain = found.maps["programs"]
    assert isinstance(chain, ProgramMap)
    chain.programs[0] = "main"
    assert found.run("main").tail_calls == 33
    assert found.result == 5


def test_functions_of_the_kernel() -> None:
    found = machine(kernel_function(DISABLE), helper(5), kernel_function(ENABLE), leave())
    assert found.run("main").calls == {"preempt_disable": 1, "ktime_get_ns": 1, "preempt_enable": 1}
