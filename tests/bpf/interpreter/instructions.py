"""BPF instructions as Python functions.

Each becomes a step: a function of the registers that returns the index of the next instruction, or
EXIT or TAIL_CALL. What an instruction means: Documentation/bpf/standardization of the kernel.
Unknown ones are refused when a program is decoded, by their number and place.
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from tests.bpf.interpreter.memory import Fault, Memory

Registers = list[int]
Step = Callable[[Registers], int]
#: No program is so long that a jump could end there.
EXIT, TAIL_CALL = -(1 << 40), -(1 << 41)

WIDTH: Final = 8  # bytes of an instruction
_M64: Final = (1 << 64) - 1
_M32: Final = (1 << 32) - 1

_LD, _LDX, _ST, _STX, _ALU, _JMP, _JMP32, _ALU64 = range(8)
_SIZES: Final = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
_MEM, _MEMSX, _ATOMIC = 0x60, 0x80, 0xC0
_LOAD_WIDE: Final = 0x18
_CALL, _EXIT = 8, 9

#: What a wide load puts into a register, by its source: a number, the address of a map, the address
#: of a map's first value plus the upper half, the address of a function.
_NUMBER, _MAP, _MAP_VALUE, _FUNCTION = 0, 1, 2, 4
#: What is called, by the source of the call.
_HELPER, _LOCAL, _KERNEL_FUNCTION = 0, 1, 2


class Instruction(NamedTuple):
    """An instruction as it is encoded; of a wide one ``upper`` is its second half."""

    code: int
    to: int
    source: int
    offset: int
    number: int
    upper: int


class Context(Protocol):
    """What instructions need of the machine that runs them."""

    memory: Memory

    def map_address(self, number: int) -> int:
        """Return the address of a map."""

    def value_address(self, number: int, offset: int) -> int:
        """Return the address of the first value of a map, plus an offset."""

    def function_address(self, at: int) -> int:
        """Return the address of the function at an instruction of the program."""

    def call_helper(self, number: int, registers: Registers) -> bool:
        """Call a helper; return whether a tail call was made."""

    def call_kernel(self, number: int, registers: Registers) -> None:
        """Call a function of the kernel by its type id."""

    def call_local(self, at: int, registers: Registers) -> None:
        """Call the function at an instruction of the program."""


def parse(code: bytes) -> list[Instruction | None]:
    """Return the instructions of a program; None stands for the second half of a wide one.

    Raises Fault for a program that is cut off.
    """
    found: list[Instruction | None] = []
    at = 0
    while at < len(code):
        wide = code[at] == _LOAD_WIDE
        if at + (1 + wide) * WIDTH > len(code):
            raise Fault(f"the program ends within instruction {at // WIDTH}")
        op, registers, offset, number = struct.unpack_from("<BBhi", code, at)
        upper = struct.unpack_from("<i", code, at + WIDTH + 4)[0] if wide else 0
        found.append(Instruction(op, registers & 15, registers >> 4, offset, number, upper))
        if wide:
            found.append(None)
        at += (1 + wide) * WIDTH
    return found


def decode(code: bytes, context: Context) -> list[Step]:
    """Return the steps of a program; raises Fault for an instruction that is not simulated."""
    steps: list[Step] = []
    for at, instruction in enumerate(parse(code)):
        if instruction is None:
            steps.append(_inside_a_wide_one)
            continue
        step = _step(instruction, at, context)
        if step is None:
            raise Fault(f"instruction {at} is unknown: {instruction}")
        steps.append(step)
    return steps


def _inside_a_wide_one(_: Registers) -> int:
    raise Fault("a jump into the middle of an instruction")


def _step(one: Instruction, at: int, context: Context) -> Step | None:
    kind = one.code & 7
    if kind in (_ALU, _ALU64):
        return _arithmetic(one, at + 1)
    if kind in (_JMP, _JMP32):
        return _jump(one, at, context)
    if kind != _LD:
        return _access(one, at + 1, context.memory)
    return _load_wide(one, at + 2, context) if one.code == _LOAD_WIDE else None


def _load_wide(one: Instruction, following: int, context: Context) -> Step | None:
    to, number, upper = one.to, one.number & _M32, one.upper & _M32
    if one.source == _NUMBER:
        value = upper << 32 | number
    elif one.source == _MAP:
        value = context.map_address(number)
    elif one.source == _MAP_VALUE:
        value = context.value_address(number, upper)
    elif one.source == _FUNCTION:
        value = context.function_address(following - 1 + one.number)
    else:
        return None

    def load(r: Registers) -> int:
        r[to] = value
        return following

    return load


# ---- arithmetic -------------------------------------------------------------------------------


def signed(value: int, bits: int) -> int:
    """Return a number of so many bits as a signed one."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _divided(a: int, b: int) -> int:
    return a // b if b else 0


def _modulo(a: int, b: int) -> int:
    return a % b if b else a


def _signed_divided(bits: int) -> Callable[[int, int], int]:
    def divided(a: int, b: int) -> int:
        a, b = signed(a, bits), signed(b, bits)
        if not b:
            return 0
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)

    return divided


def _signed_modulo(bits: int) -> Callable[[int, int], int]:
    quotient = _signed_divided(bits)
    return lambda a, b: signed(a, bits) - quotient(a, b) * signed(b, bits)


def _operation(one: Instruction, bits: int) -> Callable[[int, int], int] | None:
    """Return what an instruction does with the values of two registers of so many bits."""
    plain: dict[int, Callable[[int, int], int]] = {
        0x00: operator.add, 0x10: operator.sub, 0x20: operator.mul, 0x40: operator.or_,
        0x50: operator.and_, 0xA0: operator.xor, 0x30: _divided, 0x90: _modulo,
        0x60: lambda a, b: a << (b & (bits - 1)),
        0x70: lambda a, b: a >> (b & (bits - 1)),
        0xC0: lambda a, b: signed(a, bits) >> (b & (bits - 1)),
        0x80: lambda a, _: -a,
        0xB0: lambda _, b: b,
    }  # fmt: skip
    kind, offset = one.code & 0xF0, one.offset
    if not offset:
        return plain.get(kind)
    if kind == 0xB0 and offset in (8, 16, 32):  # a move that extends the sign
        return lambda _, b: signed(b, offset)
    if offset == 1 and kind == 0x30:
        return _signed_divided(bits)
    if offset == 1 and kind == 0x90:
        return _signed_modulo(bits)
    return None


def _arithmetic(one: Instruction, following: int) -> Step | None:
    to, source = one.to, one.source
    bits = 64 if one.code & 7 == _ALU64 else 32
    mask = (1 << bits) - 1
    if one.code & 0xF0 == 0xD0:
        return _byte_order(one, following)
    operation = _operation(one, bits)
    if operation is None:
        return None
    if one.code & 8:

        def with_register(r: Registers) -> int:
            r[to] = operation(r[to] & mask, r[source] & mask) & mask
            return following

        return with_register
    number = one.number & mask

    def with_number(r: Registers) -> int:
        r[to] = operation(r[to] & mask, number) & mask
        return following

    return with_number


def _byte_order(one: Instruction, following: int) -> Step | None:
    to, length = one.to, one.number // 8
    if one.number not in (16, 32, 64):
        return None
    mask = (1 << one.number) - 1
    swaps = one.code & 8 or one.code & 7 == _ALU64

    def reorder(r: Registers) -> int:
        value = r[to] & mask
        if swaps:
            value = int.from_bytes(value.to_bytes(length, "little"), "big")
        r[to] = value
        return following

    return reorder


# ---- jumps and calls --------------------------------------------------------------------------


def _condition(kind: int, bits: int) -> Callable[[int, int], bool] | None:
    def of_signed(compare: Callable[[int, int], bool]) -> Callable[[int, int], bool]:
        return lambda a, b: compare(signed(a, bits), signed(b, bits))

    conditions: dict[int, Callable[[int, int], bool]] = {
        0x10: operator.eq, 0x50: operator.ne, 0x20: operator.gt, 0x30: operator.ge,
        0xA0: operator.lt, 0xB0: operator.le, 0x40: lambda a, b: a & b != 0,
        0x60: of_signed(operator.gt), 0x70: of_signed(operator.ge),
        0xC0: of_signed(operator.lt), 0xD0: of_signed(operator.le),
    }  # fmt: skip
    return conditions.get(kind)


def _jump(one: Instruction, at: int, context: Context) -> Step | None:
    bits = 64 if one.code & 7 == _JMP else 32
    kind, following = one.code >> 4, at + 1
    if kind == 0:
        always = following + (one.offset if bits == 64 else one.number)
        return lambda _: always
    if kind == _EXIT:
        return lambda _: EXIT
    if kind == _CALL:
        return _call(one, following, context)
    condition = _condition(one.code & 0xF0, bits)
    if condition is None:
        return None
    to, source, target, mask = one.to, one.source, following + one.offset, (1 << bits) - 1
    if one.code & 8:
        return lambda r: target if condition(r[to] & mask, r[source] & mask) else following
    number = one.number & mask
    return lambda r: target if condition(r[to] & mask, number) else following


def _call(one: Instruction, following: int, context: Context) -> Step | None:
    number = one.number
    if one.source == _HELPER:
        return lambda r: TAIL_CALL if context.call_helper(number, r) else following
    if one.source == _LOCAL:

        def local(r: Registers) -> int:
            context.call_local(following + number, r)
            return following

        return local
    if one.source == _KERNEL_FUNCTION:

        def kernel(r: Registers) -> int:
            context.call_kernel(number, r)
            return following

        return kernel
    return None


# ---- memory -----------------------------------------------------------------------------------


def _access(one: Instruction, following: int, memory: Memory) -> Step | None:
    length, mode = _SIZES[one.code & 0x18], one.code & 0xE0
    to, source, offset = one.to, one.source, one.offset
    kind = one.code & 7
    if kind == _LDX and mode in (_MEM, _MEMSX):
        extends = mode == _MEMSX

        def load(r: Registers) -> int:
            r[to] = memory.load(r[source] + offset & _M64, length, signed=extends) & _M64
            return following

        return load
    if kind == _STX and mode == _ATOMIC:
        return _atomic(one, following, memory)
    if mode != _MEM or kind == _LDX:
        return None
    if kind == _ST:
        number = one.number & _M64

        def store_number(r: Registers) -> int:
            memory.store(r[to] + offset & _M64, length, number)
            return following

        return store_number

    def store(r: Registers) -> int:
        memory.store(r[to] + offset & _M64, length, r[source])
        return following

    return store


_ATOMIC_OPERATIONS: Final = {
    0x00: operator.add, 0x40: operator.or_, 0x50: operator.and_, 0xA0: operator.xor,
}  # fmt: skip
_FETCH, _EXCHANGE, _COMPARE_EXCHANGE = 1, 0xE1, 0xF1


def _atomic(one: Instruction, following: int, memory: Memory) -> Step | None:
    length = _SIZES[one.code & 0x18]
    to, source, offset, number = one.to, one.source, one.offset, one.number
    change = _ATOMIC_OPERATIONS.get(number & ~_FETCH)
    if length < 4 or (change is None and number not in (_EXCHANGE, _COMPARE_EXCHANGE)):
        return None
    mask = (1 << 8 * length) - 1

    def atomic(r: Registers) -> int:
        address = r[to] + offset & _M64
        old = memory.load(address, length)
        if number == _COMPARE_EXCHANGE:
            if old == r[0] & mask:
                memory.store(address, length, r[source])
            r[0] = old
            return following
        memory.store(address, length, r[source] if change is None else change(old, r[source]))
        if number & _FETCH:
            r[source] = old
        return following

    return atomic
