"""What httptop keeps of the probes once they are attached: the least that it needs.

Whoever takes over the process that reads hostile bytes has its descriptors. A map may hold what a
program trusts: what it reads from in the kernel is found by keys in ``conns``, and ``next_program``
says what a call is handed on to. So what is only read is held for reading. No map that is kept
holds an address of the kernel: keys of connections are masked (bpf/c/maps.h).
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import Final

from httptop.bpf.abi import READY
from httptop.linux import bpf_syscall

#: Maps that user space only reads. It holds ``next_program`` since the kernel empties such a map
#: when nobody does.
READ: Final = frozenset((
    "conns", "swept_conns", "queue", "other_protocols", "losses", "shares", "free_cells",
    "free_parties", "read_octaves", "read_rests", "next_program", "own_pids",
))  # fmt: skip
#: Maps that user space also writes, or shares memory with the kernel by, which takes a descriptor
#: that can write. None of them holds addresses.
WRITTEN: Final = frozenset((
    "samples", "controls", "rules", "rule_shapes", "rule_words", "only_cgroups", "endpoints",
    "responses", "cell_uses", "rows", "row_times", "side_sums", "bucket_groups", "window_log",
    "log_rows", "sums_state", "party_keys", "party_counts", "tenants", "free_shares",
    "known_lines", "known_kinds",
))  # fmt: skip


#: Programs that user space runs, and the one that it attaches for a part of each tick. They look at
#: nothing but maps, and at sockets that a program has found. Whoever holds one of those that are
#: attached all the time may run it with any address in a socket's place.
KEPT: Final = frozenset((
    "add_to_rows", "replay_window", "summarize_rows", "reclaim_cells", "let_go", "end_party",
    "sweep", READY,
))  # fmt: skip


def keep_least_of_programs(programs: MutableMapping[str, int]) -> None:
    """Close the descriptors of programs that user space does not run; those attached stay so."""
    for name in programs.keys() - KEPT:
        os.close(programs.pop(name))


def keep_least_of_maps(maps: MutableMapping[str, int]) -> None:
    """Have descriptors be for reading where that is enough; close those that are not needed.

    The numbers of the others stay. Needs CAP_SYS_ADMIN; raises :class:`OSError`.
    """
    for name in maps.keys() & READ:
        only_read = bpf_syscall.map_for_reading(maps[name])
        os.dup2(only_read, maps[name], inheritable=False)
        os.close(only_read)
    for name in maps.keys() - READ - WRITTEN:
        os.close(maps.pop(name))
