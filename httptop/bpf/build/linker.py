"""Link compiled functions into programs, as the kernel wants them.

BCC compiles each function by itself. A program that passes a callback to a helper (bpf_loop), or
calls a function of ours, needs its instructions behind its own, the distance to it in its own, and
type information which says where in the program each function begins. The C sources name a
callback by a number of 64 bits that no program has otherwise (bpf/c/steps.h), a number of the run
likewise, a function by the number of a helper that does not exist (bpf/c/linked.h), and so a
function of the kernel (bpf/c/kernel_structs.h).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

#: The first of the numbers that stand for callbacks, for numbers of the run, and for functions.
CALLBACK_MARK: Final = 0x5CA11BAC << 32
CONSTANT_MARK: Final = 0x4C0257A7 << 32
FUNCTION_MARK: Final = 0x71000000

_WIDTH: Final = 8
_LOAD_WIDE: Final = 0x18  # of 16 bytes; the upper half of its second byte says what it loads
_NUMBER, _FUNCTION = 0, 4
_CALL: Final = 0x85
_OWN_FUNCTION, _KERNEL_FUNCTION = 1, 2

_BTF_MAGIC: Final = 0xEB9F
_INT, _POINTER, _STRUCT, _FUNC, _FUNC_PROTO = 1, 2, 4, 12, 13
_SIGNED: Final = 1
_GLOBAL: Final = 1
#: Types in :func:`types_of_functions`, by number.
INT_TYPE: Final = 1
_TYPE_OF_FUNCTIONS: Final = 3
#: Of a global function: what its argument points to, the pointer, its own, and the function.
_TYPES_EACH: Final = 4


@dataclass(frozen=True, slots=True)
class Linked:
    """A program's instructions, and the numbers of those with which its functions begin."""

    code: bytes
    functions: tuple[int, ...]
    #: Of each function: how many bytes its argument points to, if the verifier is to look at it by
    #: itself; otherwise 0.
    arguments: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """What stands behind the numbers in compiled programs, in the order of these."""

    callbacks: Sequence[str]
    functions: Sequence[str] = ()
    constants: Sequence[int] = ()
    #: Functions that the verifier is to look at by themselves, with the length of what their
    #: argument points to, in bytes.
    apart: Mapping[str, int] = field(default_factory=dict)


def link(name: str, code_of: Callable[[str], bytes], names: Names) -> Linked:
    """Return a program with all functions that it needs, and the numbers of the run put in.

    ``code_of`` returns the instructions of a function; raises KeyError where there is none.
    """
    code = bytearray(code_of(name))
    begins = {name: 0}
    patched = 0

    def distance(at: int, function: str) -> int:
        if function not in begins:
            begins[function] = len(code)
            code.extend(code_of(function))
        return (begins[function] - at) // _WIDTH - 1

    while patched < len(code):
        start, patched = patched, len(code)
        for at, number in _numbers(code, start):
            if code[at] == _CALL:
                function = names.functions[number - FUNCTION_MARK]
                code[at + 1] = _OWN_FUNCTION << 4
                struct.pack_into("<i", code, at + 4, distance(at, function))
            elif 0 <= number - CALLBACK_MARK < len(names.callbacks):
                callback = names.callbacks[number - CALLBACK_MARK]
                code[at + 1] = code[at + 1] & 0x0F | _FUNCTION << 4
                struct.pack_into("<i", code, at + 4, distance(at, callback))
                struct.pack_into("<I", code, at + 12, 0)
            elif 0 <= number - CONSTANT_MARK < len(names.constants):
                value = names.constants[number - CONSTANT_MARK]
                struct.pack_into("<I", code, at + 4, value & 0xFFFFFFFF)
                struct.pack_into("<I", code, at + 12, value >> 32)
    places = tuple(at // _WIDTH for at in begins.values())
    return Linked(bytes(code), places, tuple(names.apart.get(part, 0) for part in begins))


def _numbers(code: bytearray, at: int) -> Iterator[tuple[int, int]]:
    """Yield (offset in bytes, number) from there on for all that may be to be replaced.

    That is each number of 64 bits that is loaded, and each call of a function of ours.
    """
    end = len(code)
    while at < end:
        wide = code[at] == _LOAD_WIDE
        if wide and code[at + 1] >> 4 == _NUMBER:
            low, high = (struct.unpack_from("<I", code, at + offset)[0] for offset in (4, 12))
            yield at, high << 32 | low
        elif code[at] == _CALL and not code[at + 1]:
            (number,) = struct.unpack_from("<I", code, at + 4)
            if number >> 8 == FUNCTION_MARK >> 8:
                yield at, number
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


def types_of_functions(lengths: Sequence[int] = ()) -> bytes:
    """Return BTF with the types of our functions.

    Most have the same: int (void), static. For each of the ``lengths``, in bytes, there is a type
    of global functions whose argument points to as many; global ones the verifier looks at by
    themselves.
    """
    names = b"\0int\0function\0argument\0"
    function, argument = names.index(b"function"), names.index(b"argument")
    types = struct.pack("<IIII", 1, _INT << 24, 4, _SIGNED << 24 | 32)
    types += struct.pack("<III", 0, _FUNC_PROTO << 24, INT_TYPE)
    types += struct.pack("<III", function, _FUNC << 24, INT_TYPE + 1)
    for at, length in enumerate(lengths):
        first = _TYPE_OF_FUNCTIONS + 1 + at * _TYPES_EACH
        types += struct.pack("<III", 0, _STRUCT << 24, length)
        types += struct.pack("<III", 0, _POINTER << 24, first)
        types += struct.pack("<IIIII", 0, _FUNC_PROTO << 24 | 1, INT_TYPE, argument, first + 1)
        types += struct.pack("<III", function, _FUNC << 24 | _GLOBAL, first + 2)
    parts = (0, len(types), len(types), len(names))
    return struct.pack("<HBBI4I", _BTF_MAGIC, 1, 0, 24, *parts) + types + names


def types_of(linked: Linked) -> bytes:
    """Return BTF with the types of a program's functions."""
    return types_of_functions(_lengths(linked))


def function_records(linked: Linked) -> bytes:
    """Return struct bpf_func_info for each function of a program, by its types_of()."""
    lengths = _lengths(linked)
    arguments = linked.arguments or (0,) * len(linked.functions)
    found = b""
    for at, length in zip(linked.functions, arguments, strict=True):
        number = _TYPE_OF_FUNCTIONS
        if length:
            number += (1 + lengths.index(length)) * _TYPES_EACH
        found += struct.pack("<II", at, number)
    return found


def _lengths(linked: Linked) -> list[int]:
    return sorted({length for length in linked.arguments if length})
