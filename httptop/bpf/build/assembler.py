"""Instructions of BPF, for what is not worth a compiler: small programs, a filter's functions."""

from __future__ import annotations

import struct
from typing import Final

FRAME: Final = 10  # the register that points to the end of the stack

#: Helpers, by number.
MAP_UPDATE: Final = 2
KTIME: Final = 5
READ_KERNEL: Final = 113
CURRENT_TASK: Final = 158
TASK_REGISTERS: Final = 175

#: Calculations with 64 bits.
ADD, SUBTRACT, OR, AND = 0x07, 0x17, 0x47, 0x57
SHIFT_LEFT, SHIFT_RIGHT, EXCLUSIVE_OR = 0x67, 0x77, 0xA7
_BY_REGISTER: Final = 0x08

#: By width in bytes.
_LOADS: Final = {1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79}
_STORE_64, _STORE_WORD = 0x7B, 0x62
_MOVE, _MOVE_NUMBER = 0xBF, 0xB7
_LOAD_NUMBER, _CALL, _EXIT, _JUMP_EQUAL, _JUMP_UNLESS_NULL = 0x18, 0x85, 0x95, 0x1D, 0x55
_MAP_DESCRIPTOR: Final = 1


class Code:
    """A program under construction: registers by number, places on the stack by offset."""

    def __init__(self) -> None:
        self._code = bytearray()

    def instructions(self) -> bytearray:
        """Return the program, which ends with 0."""
        return self._code + self._encoded(_MOVE_NUMBER, 0, 0, 0, 0) + self._encoded(_EXIT)

    def returning(self, register: int) -> bytearray:
        """Return a function, whose result is in a register."""
        return self._code + self._encoded(_MOVE, 0, register) + self._encoded(_EXIT)

    @staticmethod
    def _encoded(
        opcode: int, to: int = 0, source: int = 0, offset: int = 0, number: int = 0
    ) -> bytes:
        return struct.pack("<BBhi", opcode, to | source << 4, offset, number)

    def _add(self, *fields: int) -> None:
        self._code += self._encoded(*fields)

    def move(self, to: int, source: int) -> None:
        """Copy a register."""
        self._add(_MOVE, to, source)

    def number(self, to: int, number: int) -> None:
        """Set a register to a number of 64 bits."""
        self._load_number(to, 0, number)

    def calculate(
        self, operation: int, to: int, *, register: int | None = None, number: int = 0
    ) -> None:
        """Calculate with a register and another one, or with a number of 32 bits."""
        if register is None:
            self._add(operation, to, 0, 0, number)
        else:
            self._add(operation | _BY_REGISTER, to, register)

    def load(self, to: int, base: int, offset: int, width: int = 8) -> None:
        """Load so many bytes from memory."""
        self._add(_LOADS[width], to, base, offset)

    def store(self, base: int, offset: int, source: int) -> None:
        """Store 64 bits."""
        self._add(_STORE_64, base, source, offset)

    def call(self, helper: int) -> None:
        """Call a helper, or what is linked in its place."""
        self._add(_CALL, 0, 0, 0, helper)

    def read_kernel(self, place: int, base: int, offset: int) -> None:
        """Copy 64 bits of the kernel's memory, ``offset`` from a register, to the stack."""
        self._add(_MOVE, 1, FRAME)
        self._add(ADD, 1, 0, 0, place)
        self._add(_MOVE_NUMBER, 2, 0, 0, 8)
        self._add(_MOVE, 3, base)
        self._add(ADD, 3, 0, 0, offset)
        self.call(READ_KERNEL)

    def exit_unless(self, register: int, number: int) -> None:
        """End the program unless a register holds a number of 64 bits."""
        self._load_number(2, 0, number)
        self._add(_JUMP_EQUAL, register, 2, 2)
        self._code += self._encoded(_MOVE_NUMBER) + self._encoded(_EXIT)

    def exit_if_null(self, register: int) -> None:
        """Return 0 if a register holds 0."""
        self._add(_JUMP_UNLESS_NULL, register, 0, 2)
        self._code += self._encoded(_MOVE_NUMBER) + self._encoded(_EXIT)

    def update(self, map_fd: int, key: int, place: int) -> None:
        """Set the value of a map's key to what the stack holds from a place on."""
        self._add(_STORE_WORD, FRAME, 0, place - 8, key)
        self._load_number(1, _MAP_DESCRIPTOR, map_fd)
        for register, at in (2, place - 8), (3, place):
            self._add(_MOVE, register, FRAME)
            self._add(ADD, register, 0, 0, at)
        self._add(_MOVE_NUMBER, 4, 0, 0, 0)
        self.call(MAP_UPDATE)

    def _load_number(self, to: int, kind: int, number: int) -> None:
        low, high = struct.unpack("<ii", struct.pack("<Q", number))
        self._add(_LOAD_NUMBER, to, kind, 0, low)
        self._add(0, 0, 0, 0, high)
