"""Instructions of BPF, for the few small programs that are not worth a compiler."""

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

_LOAD_64, _STORE_64, _STORE_WORD = 0x79, 0x7B, 0x62
_MOVE, _MOVE_NUMBER, _ADD_NUMBER = 0xBF, 0xB7, 0x07
_LOAD_NUMBER, _CALL, _EXIT, _JUMP_EQUAL = 0x18, 0x85, 0x95, 0x1D
_MAP_DESCRIPTOR: Final = 1


class Code:
    """A program under construction: registers by number, places on the stack by offset."""

    def __init__(self) -> None:
        self._code = bytearray()

    def instructions(self) -> bytearray:
        """Return the program, which ends with 0."""
        return self._code + self._encoded(_MOVE_NUMBER, 0, 0, 0, 0) + self._encoded(_EXIT)

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

    def load(self, to: int, base: int, offset: int) -> None:
        """Load 64 bits from memory."""
        self._add(_LOAD_64, to, base, offset)

    def store(self, base: int, offset: int, source: int) -> None:
        """Store 64 bits."""
        self._add(_STORE_64, base, source, offset)

    def call(self, helper: int) -> None:
        """Call a helper."""
        self._add(_CALL, 0, 0, 0, helper)

    def read_kernel(self, place: int, base: int, offset: int) -> None:
        """Copy 64 bits of the kernel's memory, ``offset`` from a register, to the stack."""
        self._add(_MOVE, 1, FRAME)
        self._add(_ADD_NUMBER, 1, 0, 0, place)
        self._add(_MOVE_NUMBER, 2, 0, 0, 8)
        self._add(_MOVE, 3, base)
        self._add(_ADD_NUMBER, 3, 0, 0, offset)
        self.call(READ_KERNEL)

    def exit_unless(self, register: int, number: int) -> None:
        """End the program unless a register holds a number of 64 bits."""
        self._load_number(2, 0, number)
        self._add(_JUMP_EQUAL, register, 2, 2)
        self._code += self._encoded(_MOVE_NUMBER) + self._encoded(_EXIT)

    def update(self, map_fd: int, key: int, place: int) -> None:
        """Set the value of a map's key to what the stack holds from a place on."""
        self._add(_STORE_WORD, FRAME, 0, place - 8, key)
        self._load_number(1, _MAP_DESCRIPTOR, map_fd)
        for register, at in (2, place - 8), (3, place):
            self._add(_MOVE, register, FRAME)
            self._add(_ADD_NUMBER, register, 0, 0, at)
        self._add(_MOVE_NUMBER, 4, 0, 0, 0)
        self.call(MAP_UPDATE)

    def _load_number(self, to: int, kind: int, number: int) -> None:
        low, high = struct.unpack("<ii", struct.pack("<Q", number))
        self._add(_LOAD_NUMBER, to, kind, 0, low)
        self._add(0, 0, 0, 0, high)
