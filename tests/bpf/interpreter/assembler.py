"""Programs of tests' own, written instruction by instruction: ``result(move(R0, 1), leave())``."""

from __future__ import annotations

import struct

from httptop.bpf.build.object_file import MapShape
from tests.bpf.interpreter.helpers import HELPERS, KERNEL_FUNCTIONS
from tests.bpf.interpreter.machine import Machine

#: Type ids of the functions that turn preemption off and on.
DISABLE, ENABLE = 100, 101
#: What a wide load may be of, besides a number: the address of a map, of its first value, of a
#: function.
MAP, VALUE, FUNCTION = 1, 2, 4

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = range(11)


def instruction(op: int, to: int = 0, source: int = 0, offset: int = 0, number: int = 0) -> bytes:
    """Return an instruction of 8 bytes."""
    return struct.pack("<BBhi", op, source << 4 | to, offset, number)


def wide(to: int, number: int, source: int = 0, upper: int | None = None) -> bytes:
    """Return a load of 64 bits; ``source`` says of what, as in instructions.py."""
    upper = number >> 32 if upper is None else upper
    halves = ((half & 0xFFFFFFFF) - ((half & 0x80000000) << 1) for half in (number, upper))
    low, high = halves
    return instruction(0x18, to, source, 0, low) + instruction(0, number=high)


def move(to: int, number: int) -> bytes:
    """Return: set a register to a number of 32 bits, its sign extended."""
    return instruction(0xB7, to, number=number)


def copy(to: int, source: int) -> bytes:
    """Return: set a register to another one."""
    return instruction(0xBF, to, source)


def add(to: int, number: int) -> bytes:
    """Return: add a number to a register."""
    return instruction(0x07, to, number=number)


def store(to: int, offset: int, source: int) -> bytes:
    """Return: store 64 bits of a register."""
    return instruction(0x7B, to, source, offset)


def load(to: int, source: int, offset: int) -> bytes:
    """Return: load 64 bits."""
    return instruction(0x79, to, source, offset)


def helper(number: int) -> bytes:
    """Return: call a helper."""
    return instruction(0x85, number=number)


def kernel_function(number: int) -> bytes:
    """Return: call a function of the kernel by its type id."""
    return instruction(0x85, source=2, number=number)


def local(instructions: int) -> bytes:
    """Return: call the function that begins so many instructions after the next."""
    return instruction(0x85, source=1, number=instructions)


def leave() -> bytes:
    """Return: end the function."""
    return instruction(0x95)


def machine(*parts: bytes, shapes: tuple[MapShape, ...] = (), **others: bytes) -> Machine:
    """Return a machine whose program ``main`` has these instructions."""
    functions = {
        DISABLE: KERNEL_FUNCTIONS["bpf_preempt_disable"],
        ENABLE: KERNEL_FUNCTIONS["bpf_preempt_enable"],
    }
    return Machine(shapes, {"main": b"".join(parts), **others}, HELPERS, functions)


def result(*parts: bytes, shapes: tuple[MapShape, ...] = ()) -> int:
    """Return what a program returns."""
    made = machine(*parts, shapes=shapes)
    made.run("main")
    return made.result
