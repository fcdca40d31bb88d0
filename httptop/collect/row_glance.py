"""What filters ask of a row, out of the numbers of all rows: no row is made for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property

from httptop.collect.containers import Containers
from httptop.collect.counted_ago import Counted, added
from httptop.collect.histogram import percentile, top_of
from httptop.collect.parties import MOST_SHOWN, PartyTable
from httptop.collect.row_names import RowNames
from httptop.collect.sums import RowFigures, Sums
from httptop.model import OTHER_PEERS, STATUS_UNKNOWN, EndpointKey, class_of
from httptop.view.by_status import ByStatus, StatusPart, part_of


class Glanced:
    """The rows of a moment, as far as filters know them."""

    def __init__(
        self,
        sums: Sums,
        names: RowNames,
        parties: PartyTable,
        containers: Containers,
        ago: Counted | None,
    ) -> None:
        """``ago``: what had been counted when the window began."""
        self.sums, self.names = sums, names
        self.parties, self.containers = parties, containers
        self._ago = ago

    @cached_property
    def counted(self) -> Counted:
        """What rows have counted by status."""
        return Counted.of(self.sums, self.names)

    def by_status(self, row: int) -> ByStatus:
        """Return the counts of a row by status."""
        total, ago = self.counted.by_status(row), self._ago
        return ByStatus(total, None if ago is None else added(total, ago.by_status(row)))

    def window_parts(self, rows: Iterable[tuple[int, Collection[int]]]) -> list[StatusPart]:
        """Return what requests of some statuses have of rows in the window, of each row."""
        if self._ago is None:
            return [StatusPart(0, 0, alone=False) for _ in rows]
        now, ago = self.counted, self._ago
        cells_now, cells_ago = self.names.statuses, ago.names.statuses
        counts_now, counts_ago = now.counts, ago.counts
        unanswered_now, unanswered_ago = now.unanswered_counts, ago.unanswered_counts
        known = min(len(cells_ago), len(unanswered_ago))
        #: Those that have not just counted on in the same cells.
        others = self.names.apart.keys() | ago.names.apart.keys() | ago.stands_for.keys()
        parts = []
        for row, codes in rows:
            if row >= known or cells_now[row] is not cells_ago[row] or row in others:
                errors = RowFigures.of(self.sums.rows, row).window_errors
                parts.append(part_of(self.by_status(row).window or {}, codes, errors))
                continue
            some = failed = rest = 0
            for code, cell in cells_now[row]:
                count = counts_now[cell] - counts_ago[cell]
                if code not in codes:
                    rest += count
                    continue
                some += count
                if class_of(code) >= 4:
                    failed += count
            if STATUS_UNKNOWN in codes:
                lost = unanswered_now[row] - unanswered_ago[row]
                some, failed = some + lost, failed + lost
            parts.append(StatusPart(some, failed, not rest))
        return parts

    def codes(self, row: int) -> tuple[int, ...]:
        """Return the statuses of a row's requests; see RowFacts."""
        if row in self.names.apart:
            return tuple(self.counted.by_status(row))
        codes = tuple([code for code, _ in self.names.statuses[row]])
        if self.counted.unanswered_counts[row] and STATUS_UNKNOWN not in codes:
            codes = (*codes, STATUS_UNKNOWN)
        return codes if len(codes) < 2 else tuple(dict.fromkeys(codes))


class RowGlance:
    """A row; see :class:`httptop.filters.row_facts.RowFacts`."""

    __slots__ = ("_all", "_row", "_since_start")

    def __init__(self, rows: Glanced, row: int, *, since_start: bool) -> None:
        """``since_start``: its 99th percentile is that since start."""
        self._all, self._row, self._since_start = rows, row, since_start

    @property
    def _figures(self) -> RowFigures:
        return RowFigures.of(self._all.sums.rows, self._row)

    @property
    def key(self) -> EndpointKey:
        """Its key."""
        key = self._all.names.keys[self._row]
        assert key is not None
        return key

    @property
    def codes(self) -> tuple[int, ...]:
        """The statuses of its requests."""
        return self._all.codes(self._row)

    @property
    def pids(self) -> Sequence[int]:
        """The processes that it names."""
        return self._all.parties.pids(self._row)

    @property
    def peers(self) -> Sequence[str]:
        """The peers that it names; of few those that are only in flight yet, too."""
        parties = self._all.parties
        found = parties.peers(self._row)
        if len(found) < MOST_SHOWN:
            return tuple(found)
        row = self._figures
        by_status = self._all.counted.by_status(self._row)
        errors = row.unanswered + sum(n for code, n in by_status.items() if class_of(code) >= 4)
        named = parties.by_peer(self._row, row.requests, errors)
        return [peer for peer in named if peer != OTHER_PEERS]

    @property
    def containers(self) -> Sequence[str]:
        """The containers that it names."""
        return self._all.containers.of(self.pids)

    @property
    def p99_ns(self) -> int | None:
        """Its 99th percentile."""
        row = self._figures
        if row.window_count and not self._since_start:
            mean_ns = row.window_sum_ns / row.window_count
            top = top_of(row.window_p100, row.latency_max_ns, mean_ns)
            return round(percentile(row.window_p99, 0.99, row.window_count, top))
        if row.total_count:
            mean_ns = row.latency_sum_ns / row.total_count
            top = top_of(row.total_p100, row.latency_max_ns, mean_ns)
            return round(percentile(row.total_p99, 0.99, row.total_count, top))
        return None

    @property
    def mean_size(self) -> int | None:
        """The mean size of its responses."""
        row = self._figures
        responses = row.requests - row.unanswered
        return row.response_bytes // responses if responses > 0 else None

    @property
    def in_flight(self) -> int:
        """Its requests in flight."""
        return max(0, self._figures.open)
