"""Link compiled functions into programs, as the kernel wants them.

BCC compiles each function by itself. A program that passes a callback to a helper (bpf_loop) needs
the callback's instructions behind its own, the address of the callback in its own, and type
information which says where in the program each function begins. The C sources name a callback by
a number of 64 bits that no program has otherwise (bpf/c/steps.h), and a kernel function by the
number of a helper that does not exist (bpf/c/kernel_structs.h).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

#: The first of the numbers that stand for callbacks.
CALLBACK_MARK: Final = 0x5CA11BAC << 32

_WIDTH: Final = 8
_LOAD_WIDE: Final = 0x18  # of 16 bytes; the upper half of its second byte says what it loads
_NUMBER, _FUNCTION = 0, 4
_CALL: Final = 0x85
_KERNEL_FUNCTION: Final = 2

_BTF_MAGIC: Final = 0xEB9F
_INT, _FUNC, _FUNC_PROTO = 1, 12, 13
_SIGNED: Final = 1
#: Types in :func:`types_of_functions`, by number.
INT_TYPE: Final = 1
_TYPE_OF_FUNCTIONS: Final = 3


@dataclass(frozen=True, slots=True)
class Linked:
    """A program's instructions, and the numbers of those with which its functions begin."""

    code: bytes
    functions: tuple[int, ...]


def link(name: str, code_of: Callable[[str], bytes], callbacks: Sequence[str]) -> Linked:
    """Return a program with all callbacks that it needs, which ``callbacks`` numbers.

    ``code_of`` returns the instructions of a function; raises KeyError where there is none.
    """
    code = bytearray(code_of(name))
    begins = {name: 0}
    patched = 0
    while patched < len(code):
        start, patched = patched, len(code)
        for at, number in _wide_numbers(code, start):
            if not 0 <= number - CALLBACK_MARK < len(callbacks):
                continue
            callback = callbacks[number - CALLBACK_MARK]
            if callback not in begins:
                begins[callback] = len(code)
                code += code_of(callback)
            distance = (begins[callback] - at) // _WIDTH - 1
            code[at + 1] = code[at + 1] & 0x0F | _FUNCTION << 4
            struct.pack_into("<i", code, at + 4, distance)
            struct.pack_into("<I", code, at + 12, 0)
    return Linked(bytes(code), tuple(at // _WIDTH for at in begins.values()))


def _wide_numbers(code: bytearray, at: int) -> Iterator[tuple[int, int]]:
    """Yield (offset in bytes, number) for each number of 64 bits that is loaded from there on."""
    end = len(code)
    while at < end:
        wide = code[at] == _LOAD_WIDE
        if wide and code[at + 1] >> 4 == _NUMBER:
            low, high = (struct.unpack_from("<I", code, at + offset)[0] for offset in (4, 12))
            yield at, high << 32 | low
        at += 2 * _WIDTH if wide else _WIDTH


def with_kernel_functions(code: bytes, ids: Mapping[int, int]) -> bytearray:
    """Return a program whose calls of these numbers call kernel functions, by their type ids."""
    changed = bytearray(code)
    for at in range(0, len(changed), _WIDTH):
        (number,) = struct.unpack_from("<I", changed, at + 4)
        if changed[at] == _CALL and not changed[at + 1] and number in ids:
            changed[at + 1] = _KERNEL_FUNCTION << 4
            struct.pack_into("<I", changed, at + 4, ids[number])
    return changed


def types_of_functions() -> bytes:
    """Return BTF that has the one type which all our functions have: int (void), static."""
    names = b"\0int\0function\0"
    types = struct.pack("<IIII", 1, _INT << 24, 4, _SIGNED << 24 | 32)
    types += struct.pack("<III", 0, _FUNC_PROTO << 24, 1)
    types += struct.pack("<III", names.index(b"function"), _FUNC << 24, 2)
    lengths = (0, len(types), len(types), len(names))
    return struct.pack("<HBBI4I", _BTF_MAGIC, 1, 0, 24, *lengths) + types + names


def function_records(linked: Linked) -> bytes:
    """Return struct bpf_func_info for each function of a program."""
    return b"".join(struct.pack("<II", at, _TYPE_OF_FUNCTIONS) for at in linked.functions)
