"""How many entries the maps have: the compiler does not ask (SIZED in bpf/c/linked.h)."""

from __future__ import annotations

from collections.abc import Mapping

from httptop.bpf.abi import MAX_SHARES
from httptop.collect.sums import TIMES


def entries_of(sizes: Mapping[str, int], *, namespace: bool, filtered: bool) -> dict[str, int]:
    """Return the number of entries of each map whose size depends on the settings, by name.

    ``sizes``: MAX_CONNECTIONS and so on, as in :func:`httptop.bpf.plan.plan_of`; ``namespace``:
    whether httptop runs in a process id namespace of its own; ``filtered``: whether a filter may
    leave connections out.
    """
    cells, shards, pages = sizes["MAX_CELLS"], sizes["SHARDS"], sizes["MAX_PAGES"]
    endpoints, rows = sizes["MAX_ENDPOINTS"], sizes["MAX_ROWS"]
    connections, parties = sizes["MAX_CONNECTIONS"], sizes["MAX_PARTIES"]
    return {
        "conns": connections,
        "left_out": connections if filtered else 1,
        "swept_conns": connections * (2 if filtered else 1),  # any of both
        "queue": sizes["MAX_PIPELINED"],
        "endpoints": endpoints + MAX_SHARES,
        "responses": cells,
        "cells": cells * shards,
        "free_cells": cells,
        "returned_cells": cells,
        "pages": pages + 1,
        "free_pages": pages,
        "parties": parties,
        "party_keys": parties,
        "party_counts": parties * shards,
        "free_parties": parties,
        "own_pids": parties if namespace else 1,
        "samples": sizes["SAMPLE_BYTES"],
        # The sums of rows (bpf/c/sums.h).
        "read_octaves": pages,
        "bucket_groups": sizes["MAX_GROUPS"],
        "read_rests": endpoints,
        "cell_uses": cells,
        "rows": rows,
        "row_times": rows * len(TIMES),
    }
