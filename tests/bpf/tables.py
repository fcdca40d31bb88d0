"""What the programs do with a filter's values and functions, done here.

Look-ups of bpf/c/filter_terms.h are done by hand in what the loader is given; functions are run by
the interpreter.
"""

from __future__ import annotations

import ipaddress
import struct

from httptop.bpf.abi import FILTER_RANGE, NUMBER_SEARCH, PEER_KEY
from httptop.bpf.build.placeholders import IN_SET, number_of_call
from httptop.bpf.filter.conditions import Conditions
from tests.bpf.interpreter.machine import Machine
from tests.bpf.interpreter.memory import Kind


def in_set(ranges: bytes, first: int, half: int, value: int) -> bool:
    """Search a set in ``struct filter_range`` as the programs do."""
    at = first

    def range_at(index: int) -> tuple[int, int]:
        low, span = FILTER_RANGE.unpack_from(ranges, index * FILTER_RANGE.size)
        return low, span

    while half:
        if range_at(at + half)[0] <= value:
            at += half
        half >>= 1
    low, span = range_at(at)
    return (value - low) % 2**64 <= span


def names_met(conditions: Conditions, name: bytes) -> int:
    """Return the comparisons, as bits, that a process name is equal to a value of."""
    found = conditions.tables["filter_names"].values.get(name.ljust(16, b"\0"), bytes(8))
    return int.from_bytes(found, "little")


def peers_met(conditions: Conditions, address: str) -> int:
    """Return those that an address meets, by its longest prefix in the trie."""
    one = ipaddress.ip_address(address).packed
    looked_up = _bits(struct.pack("<I", len(one) // 4) + one.ljust(16, b"\0"))
    best = (-1, 0)
    for key, value in conditions.tables["filter_peers"].values.items():
        length, words, prefix = PEER_KEY.unpack(key)
        if looked_up[:length] == _bits(struct.pack("<I", words) + prefix)[:length]:
            best = max(best, (length, int.from_bytes(value, "little")))
    return best[1]


def _bits(data: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in data)


def result_of(conditions: Conditions, function: str, *arguments: int | bytes) -> int:
    """Run a filter's function; arguments of bytes are structs, whose address it gets."""
    ranges = conditions.tables["filter_ranges"].values[bytes(4)]

    def search(machine: Machine, at: int, *_: int) -> int:
        value, first, half = NUMBER_SEARCH.unpack(machine.memory.read(at, NUMBER_SEARCH.size))
        return in_set(ranges, first, half, value)

    helpers = {number_of_call(IN_SET): search}
    machine = Machine((), {function: conditions.functions[function]}, helpers, {})
    return machine.call(
        function,
        *(
            one if isinstance(one, int) else machine.memory.add("given", Kind.VALUE, one).address
            for one in arguments
        ),
    )
