"""Give cells back that are of no use any more, for other endpoints (bpf/c/give_back.h).

It takes a few ticks, since the programs run meanwhile:

1. The keys that the cells are found by are deleted, and the cells are marked as retired: a request
   for such an endpoint makes others from now on. What is under way still counts in the old ones.
2. In each tick, what CPUs remember is blanked, and every connection lets go of retired cells.
3. Cells that no connection has held in a tick, that have not counted since the last one, and whose
   requests are all over, are blanked and go back into the pool.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from httptop.bpf import abi
from httptop.bpf.mapped import MappedMap
from httptop.bpf.tenants import Tenants
from httptop.collect.sums import RoomTaken
from httptop.linux import bpf_syscall
from httptop.linux.cpus import possible_cpu_count
from httptop.linux.stretches import give_way

_FLAGS_AT: Final = abi.CELL_USE.size - 1
#: What is remembered by CPU, of which a retired cell may be part.
_REMEMBERED: Final = ("known_lines", "known_kinds")
#: Ticks between two looks for shares of which nothing is taken.
_SWEEP_EVERY: Final = 4
#: Names of the tables, as the screen has them.
_TABLES: Final = ("endpoints", "statuses", "histograms", "connections")

#: Runs the program that reclaims cells on words as struct sums_run has them.
Reclaim = Callable[[Collection[int]], None]


class _Retired:
    """An endpoint whose cells are to be given back."""

    def __init__(self, responses: Iterable[int], *, own: bool) -> None:
        self.responses = set(responses)
        self.kind = abi.RECLAIM_OWN if own else abi.RECLAIM_ENDPOINT
        self.counted: tuple[tuple[int, ...], ...] | None = None  # when it was looked at last

    def words(self, cell: int) -> Iterator[int]:
        """Yield what the program wants to know."""
        yield cell * 4 + self.kind
        for response in self.responses:
            yield response * 4 + abi.RECLAIM_RESPONSE


class GiveBack:
    """The cells that are on their way back; for the collector's thread alone.

    Every method raises :class:`OSError` if the kernel refuses.
    """

    def __init__(
        self,
        maps: Mapping[str, int],
        let_go: int,
        uses: MappedMap,
        reclaim: Reclaim,
        most: Sequence[int],
    ) -> None:
        """``let_go``: the program of that name; ``uses``: the map cell_uses.

        ``most``: how many endpoints, cells of responses, and histograms there may be.
        """
        self._most = most
        self._most_connections = bpf_syscall.map_info(maps["conns"])[4]
        self._maps, self._let_go, self._uses = maps, let_go, uses
        self._reclaim = reclaim
        self._retired: dict[int, _Retired] = {}  # by the cell of requests
        self._unused: set[int] = set()
        self._tenants = Tenants(maps)
        self._steps = 0
        self._endpoints = bpf_syscall.BatchReader(maps["endpoints"], abi.ENDPOINT_KEY.size, 4, 1024)
        self._responses = bpf_syscall.BatchReader(maps["responses"], abi.RESPONSE_KEY.size, 4, 1024)
        self._connections = bpf_syscall.BatchReader(
            maps["conns"], 8, bpf_syscall.map_info(maps["conns"])[3], 256
        )

    def retire(self, endpoints: Mapping[int, Collection[int]]) -> None:
        """Begin to give back cells of requests, each with those of its responses."""
        found = dict(_delete(self._endpoints, self._maps["endpoints"], endpoints.keys()))
        all_responses = {cell for responses in endpoints.values() for cell in responses}
        list(_delete(self._responses, self._maps["responses"], all_responses))
        for cell, responses in endpoints.items():
            marks = abi.ENDPOINT_KEY.unpack(found[cell])[4] if cell in found else 0
            retired = self._retired[cell] = _Retired(responses, own=bool(marks & abi.KEY_OWN))
            for at in (cell, *retired.responses):
                self._flag(at, abi.CELL_RETIRED)

    def unused(self, used: Collection[int]) -> tuple[set[int], int]:
        """Return cells of requests that are none of those used; see CellReturns."""
        _, values = self._endpoints.read()
        fixed = abi.OVERFLOW_ENDPOINTS.keys()
        cells = {cell for (cell,) in struct.iter_unpack("<I", values)} - fixed - set(used)
        again, self._unused = cells & self._unused, cells
        return again, len(cells | self._retired.keys())

    def add(self, cell: int, response: int) -> None:
        """Have a cell of responses that a retired endpoint has got since be given back with it."""
        list(_delete(self._responses, self._maps["responses"], {response}))
        self._retired[cell].responses.add(response)
        self._flag(response, abi.CELL_RETIRED)

    def shares(self) -> bytes:
        """Return what each share has taken, as a struct shares; the first has the sums."""
        length = abi.MAX_SHARES * abi.SHARE.size
        return bpf_syscall.map_lookup(self._maps["shares"], bytes(4), length) or bytes(length)

    def taken(self) -> RoomTaken:
        """Return which part of the room is taken; see CellReturns."""
        return RoomTaken(*self._parts()[: len(self._most)])

    def tables(self) -> dict[str, float]:
        """Return which part of each table is taken; see CellReturns."""
        return dict(zip(_TABLES, self._parts(), strict=True))

    def _parts(self) -> list[float]:
        """Return which part is taken of what there is a share of, and of the connections."""
        taken = abi.SHARE.unpack(self.shares()[: abi.SHARE.size])
        parts = [count / most for count, most in zip(taken, self._most, strict=False)]
        return [*parts, taken[abi.CONNECTIONS] / self._most_connections]

    def step(self, leaving: Callable[[Collection[int]], None]) -> list[int]:
        """Do what there is to be done in a tick; return the cells that have been given back.

        ``leaving`` gets those of requests before; see CellReturns.
        """
        self._steps += 1
        if self._steps % _SWEEP_EVERY == 0:
            self._tenants.sweep(self.shares())
        if not self._retired:
            return []
        for cell, retired in self._retired.items():
            for at in (cell, *retired.responses):
                self._flag(at, 0, abi.CELL_HELD)
        for name in _REMEMBERED:
            blank(self._maps[name])
        keys, _ = self._connections.read()
        for (key,) in struct.iter_unpack("<Q", keys):
            give_way()
            bpf_syscall.run_raw_tracepoint(self._let_go, key)
        quiet = [cell for cell, retired in self._retired.items() if self._is_quiet(cell, retired)]
        found = self._add_unknown(quiet)
        done = [cell for cell in quiet if cell not in found]
        words: list[int] = []
        cells: list[int] = []
        for cell in done:
            retired = self._retired.pop(cell)
            words += retired.words(cell)
            cells += (cell, *retired.responses)
        if not self._retired:
            self._retired = {}  # it keeps room for as many as there ever were
        if done:
            leaving(done)
        for at in range(0, len(words), abi.UNKNOWN_A_RUN):
            self._reclaim(words[at : at + abi.UNKNOWN_A_RUN])
        return cells

    def _add_unknown(self, endpoints: Collection[int]) -> set[int]:
        """Add cells of responses that have got their key since; return the endpoints of these."""
        if not endpoints:
            return set()
        wanted, found = set(endpoints), set()
        keys, values = self._responses.read()
        pairs = zip(
            abi.RESPONSE_KEY.iter_unpack(keys), struct.iter_unpack("<I", values), strict=True
        )
        for (endpoint, status, measure), (cell,) in pairs:
            if endpoint in wanted:
                key = abi.RESPONSE_KEY.pack(endpoint, status, measure)
                bpf_syscall.map_delete(self._maps["responses"], key)
                self._retired[endpoint].responses.add(cell)
                self._flag(cell, abi.CELL_RETIRED)
                found.add(endpoint)
        return found

    def _is_quiet(self, cell: int, retired: _Retired) -> bool:
        """Return whether nothing counts in the cells any more."""
        uses = [self._use(at) for at in (cell, *retired.responses)]
        counted = tuple(use[:5] for use in uses)
        before, retired.counted = retired.counted, counted
        if counted != before or any(use[-1] & (abi.CELL_HELD | abi.CELL_AGAIN) for use in uses):
            return False
        (count, _, rest, unanswered, moved, *_), *others = uses
        over = sum(use[0] for use in others if use[7] == abi.USE_RESPONSES)
        return (count - unanswered - moved - rest - over) % (1 << 32) == 0

    def _use(self, cell: int) -> tuple[int, ...]:
        at = cell * abi.CELL_USE.size
        return abi.CELL_USE.unpack_from(self._uses.up_to(at + abi.CELL_USE.size), at)

    def _flag(self, cell: int, add: int, remove: int = 0) -> None:
        at = cell * abi.CELL_USE.size + _FLAGS_AT
        uses = self._uses.up_to(at + 1)
        uses[at] = (uses[at] | add) & ~remove


def _delete(
    reader: bpf_syscall.BatchReader, map_fd: int, cells: Collection[int]
) -> Iterator[tuple[int, bytes]]:
    """Delete the entries whose values are these cells; yield each with its key."""
    keys, values = reader.read()
    length = len(keys) * 4 // len(values) if values else 0
    for at, (cell,) in enumerate(struct.iter_unpack("<I", values)):
        if cell in cells:
            key = keys[at * length : (at + 1) * length]
            bpf_syscall.map_delete(map_fd, key)
            yield cell, key


def blank(map_fd: int) -> None:
    """Fill an array that each CPU has for itself with zeros."""
    _, _, _, length, entries, _ = bpf_syscall.map_info(map_fd)
    cpus = possible_cpu_count()
    bpf_syscall.map_update_array(map_fd, entries, bytes(-(-length // 8) * 8 * cpus * entries))
