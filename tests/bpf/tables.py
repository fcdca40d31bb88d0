"""The look-ups of bpf/c/filter_terms.h, done by hand in what the loader is given."""

from __future__ import annotations

import ipaddress
import struct

from httptop.bpf.abi import FILTER_RANGE, FILTER_SET, PEER_KEY
from httptop.bpf.filter.c_conditions import Conditions


def in_set(conditions: Conditions, number: int, value: int) -> bool:
    """Search a set as the programs do."""
    data = conditions.tables["filter_sets"].values[bytes(4)]
    ranges_at = conditions.defines["FILTER_SETS"] * FILTER_SET.size
    at, half = FILTER_SET.unpack_from(data, number * FILTER_SET.size)

    def range_at(index: int) -> tuple[int, int]:
        low, span = FILTER_RANGE.unpack_from(data, ranges_at + index * FILTER_RANGE.size)
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
