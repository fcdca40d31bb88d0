"""Fill the maps of an image before its programs are loaded."""

from __future__ import annotations

import os
import struct
from typing import Any, Final

from httptop.bpf.abi import (
    BYTE_CLASS,
    ENDPOINT_KEY,
    FIRST_FREE_CELL,
    FIRST_PARTY,
    KEY_OWN,
    MAX_SHARES,
    NOBODY,
    OVERFLOW_ENDPOINTS,
    OVERFLOW_RESPONSES,
    RESPONSE_KEY,
)
from httptop.bpf.build.linker import Linked
from httptop.bpf.build.object_file import Loaded
from httptop.bpf.build.program import SOCKET_FILTER, load
from httptop.http.ids import GROUP_OF, WEIGHTS
from httptop.http.path_template import CLASSES, DIGIT, HEX, JOINT, LOWER, UPPER, WORD
from httptop.linux import bpf_syscall

#: The programs that fill the pools (pools.h), run once.
POOLS: Final = ("fill_cells", "fill_pages", "fill_shares", "fill_parties")


def fill_classes(map_fd: int) -> None:
    """Fill a map with each byte's classes in a path and what it adds to its word (ids.h)."""
    for number, bits in enumerate(CLASSES):
        code = number % 256
        counted = (
            bits & DIGIT, bits & (LOWER | UPPER), bits & HEX, bits & UPPER,
            bits & JOINT and code == 0x2D, bits & JOINT,
            bits & WORD and not bits & (DIGIT | LOWER | UPPER),
        )  # fmt: skip
        add = sum(1 << 9 * at for at, yes in enumerate(counted) if yes)
        group = GROUP_OF.get(code, 7) if number < 256 else 7
        weights = bytes(row[group] & 0xFF for row in WEIGHTS) if group < 7 else b""
        value = BYTE_CLASS.pack(bits, add, int.from_bytes(weights, "little"), 56 - 8 * group)
        bpf_syscall.map_update(map_fd, struct.pack("<I", number), value)


def fill(probes: Loaded, plan: dict[str, Any]) -> None:
    """Fill the maps that the programs need before the first call is seen."""
    fill_classes(probes.maps["classes"])
    numbers = (
        (FIRST_FREE_CELL, plan["sizes"]["MAX_CELLS"] - 1),
        (1, plan["sizes"]["MAX_PAGES"]),
        (1, MAX_SHARES - 1),
        (FIRST_PARTY, plan["sizes"]["MAX_PARTIES"] - 1),
    )
    for pool, (name, (first, last)) in enumerate(zip(POOLS, numbers, strict=True)):
        at, value = struct.pack("<I", pool), struct.pack("<I", last)
        bpf_syscall.map_update(probes.maps["pool_next"], at, value)
        program = Linked(probes.instructions(name), (0,))
        fd = load(program, name, SOCKET_FILTER)
        bpf_syscall.run_program(fd, bytes(64), repeat=last - first + 1)
        os.close(fd)
    for cell, side in OVERFLOW_ENDPOINTS.items():
        key = ENDPOINT_KEY.pack(b"~other", side, 0, 1, KEY_OWN, NOBODY, 0, b"~other")
        bpf_syscall.map_update(probes.maps["endpoints"], key, struct.pack("<I", cell))
    for cell, endpoint in OVERFLOW_RESPONSES.items():
        key = RESPONSE_KEY.pack(endpoint, 0, 0)
        bpf_syscall.map_update(probes.maps["responses"], key, struct.pack("<I", cell))


def fill_tables(probes: Loaded, tables: dict[str, Any]) -> None:
    """Put the values of a filter into the maps that its programs use, and freeze these."""
    for name in tables.keys() & probes.maps.keys():
        descriptor, length = probes.maps[name], probes.shapes[name].value_len
        for key, value in tables[name]["values"]:
            padded = bytes.fromhex(value).ljust(length, b"\0")
            bpf_syscall.map_update(descriptor, bytes.fromhex(key), padded)
        bpf_syscall.map_freeze(descriptor)
