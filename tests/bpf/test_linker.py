"""Linking: callbacks behind the programs that name them, kernel functions by their type ids."""

from __future__ import annotations

import struct

import pytest

from httptop.bpf.build.linker import (
    CALLBACK_MARK,
    CONSTANT_MARK,
    FUNCTION_MARK,
    Linked,
    Names,
    function_records,
    link,
    types_of,
    types_of_functions,
    with_kernel_functions,
)

EXIT = struct.pack("<BBhi", 0x95, 0, 0, 0)
NAMES = Names(("first", "second", "unused"), ("called", "other"), (7, 1 << 40))


def load_wide(number: int, register: int = 2) -> bytes:
    return struct.pack("<BBhIBBhI", 0x18, register, 0, number & 0xFFFFFFFF, 0, 0, 0, number >> 32)


def call(number: int) -> bytes:
    return struct.pack("<BBhi", 0x85, 0, 0, number)


FUNCTIONS = {
    "program": load_wide(7)
    + load_wide(CALLBACK_MARK)
    + call(181)
    + load_wide(CALLBACK_MARK)
    + EXIT,
    "first": load_wide(CALLBACK_MARK + 1) + call(181) + EXIT,
    "second": load_wide(CALLBACK_MARK + 99) + EXIT,
    "plain": call(5) + EXIT,
    "caller": call(FUNCTION_MARK) + load_wide(CONSTANT_MARK + 1) + call(FUNCTION_MARK) + EXIT,
    "called": load_wide(CONSTANT_MARK, 3) + call(FUNCTION_MARK + 1) + EXIT,
    "other": EXIT,
}


def target(code: bytes, at: int) -> int:
    """Return the instruction that a loaded function address points to."""
    opcode, register, _, distance = struct.unpack_from("<BBhi", code, 8 * at)
    assert (opcode, register) == (0x18, 0x42)
    assert struct.unpack_from("<I", code, 8 * at + 12) == (0,)
    return at + 1 + int(distance)


def test_callbacks_stand_behind_the_program_once_each_and_what_they_call_as_well() -> None:
    linked = link("program", FUNCTIONS.__getitem__, NAMES)
    assert linked.functions == (0, 8, 12)
    assert len(linked.code) == sum(len(FUNCTIONS[name]) for name in ("program", "first", "second"))
    assert target(linked.code, 2) == target(linked.code, 5) == 8
    assert target(linked.code, 8) == 12


def test_other_numbers_stay() -> None:
    linked = link("program", FUNCTIONS.__getitem__, NAMES)
    assert linked.code[:16] == load_wide(7)
    assert linked.code[12 * 8 : 14 * 8] == load_wide(CALLBACK_MARK + 99)


def test_a_program_without_callbacks_is_as_it_was() -> None:
    assert link("plain", FUNCTIONS.__getitem__, NAMES) == Linked(FUNCTIONS["plain"], (0,), (0,))


def test_functions_that_the_verifier_looks_at_by_themselves_have_types_of_their_own() -> None:
    names = Names(NAMES.callbacks, NAMES.functions, NAMES.constants, {"called": 8, "unused": 9})
    linked = link("caller", FUNCTIONS.__getitem__, names)
    assert linked.arguments == (0, 8, 0)
    assert function_records(linked) == struct.pack("<6I", 0, 3, 5, 7, 9, 3)
    header = struct.calcsize("<HBBI4I")
    plain, types = types_of_functions(), types_of(linked)
    (own_len,) = struct.unpack_from("<I", types, 12)
    (plain_len,) = struct.unpack_from("<I", plain, 12)
    assert types[header : header + plain_len] == plain[header : header + plain_len]
    found = types[header + plain_len : header + own_len]
    names_of = types[header + own_len :].split(b"\0")
    kinds = [struct.unpack_from("<III", found, at) for at in (0, 12, 24, 44)]
    assert [(info >> 24, info & 0xFFFF, last) for _, info, last in kinds] == [
        (4, 0, 8), (2, 0, 4), (13, 1, 1), (12, 1, 6),
    ]  # fmt: skip
    argument, kind = struct.unpack_from("<II", found, 36)
    assert (kind, argument) == (5, len(b"\0".join(names_of[:3])) + 1)
    assert names_of[3] == b"argument"


def test_functions_stand_behind_their_callers_and_numbers_where_they_are_loaded() -> None:
    linked = link("caller", FUNCTIONS.__getitem__, NAMES)
    assert linked.functions == (0, 5, 9)

    def own(distance: int) -> bytes:
        return struct.pack("<BBhi", 0x85, 0x10, 0, distance)

    assert linked.code == b"".join(
        (own(4), load_wide(1 << 40), own(1), EXIT, load_wide(7, 3), own(1), EXIT, EXIT)
    )


def test_a_function_without_a_number_is_an_error() -> None:
    with pytest.raises(IndexError):
        link("other", {"other": call(FUNCTION_MARK + 2) + EXIT}.__getitem__, NAMES)


def test_a_callback_that_was_not_compiled_is_an_error() -> None:
    with pytest.raises(KeyError):
        link("other", {"other": load_wide(CALLBACK_MARK + 2) + EXIT}.__getitem__, NAMES)


def test_kernel_functions_are_called_by_their_type_ids() -> None:
    code = with_kernel_functions(call(5) + call(0x70000001) + EXIT, {0x70000001: 4711})
    assert code == call(5) + struct.pack("<BBhi", 0x85, 0x20, 0, 4711) + EXIT


def test_the_types_are_as_long_as_they_say_and_each_function_has_one() -> None:
    blob = types_of_functions()
    magic, version, _, header, *lengths = struct.unpack_from("<HBBI4I", blob)
    types_at, types_len, names_at, names_len = lengths
    assert (magic, version, types_at, names_at) == (0xEB9F, 1, 0, types_len)
    assert len(blob) == header + types_len + names_len
    assert function_records(Linked(EXIT * 3, (0, 2))) == struct.pack("<4I", 0, 3, 2, 3)
