"""The cells of endpoints that count, and of those that are on their way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from httptop.collect.endpoint_keys import LAST_RESORT_KEYS
from httptop.collect.row_book import RowBook
from httptop.collect.sums import NOT_ANSWERED, Answered, CellReturns, RowSums
from httptop.model import EndpointKey


class Endpoint:
    """A cell of requests and the cells of their responses."""

    __slots__ = ("counted", "key", "left_out", "responses", "row", "scope_key")

    def __init__(self, key: EndpointKey, scope_key: EndpointKey) -> None:
        self.key = key  # as the source has it
        self.scope_key = scope_key  # as the path rules had it when the cell was registered
        self.row: int | None = None  # None: out of scope
        #: (cell, code) of those that have a use; None: the code does not count, or the cell has
        #: another measure.
        self.responses: list[tuple[int, int | None]] = []
        #: Of these, the cells of responses that do not count.
        self.left_out: tuple[int, ...] = ()
        self.counted: dict[int, Answered] = {}  # once it is retired: what those cells have counted


class EndpointCells:
    """All cells by number; for the collector's thread alone."""

    def __init__(self, sums: RowSums, returns: CellReturns, book: RowBook) -> None:
        self._sums, self._returns, self._book = sums, returns, book
        self.endpoints: dict[int, Endpoint] = {}  # by the cell of requests
        self.responses: set[int] = set()  # cells whose use is known
        #: Endpoints that were forgotten, by cell, while their cells are on the way back.
        self.retired: dict[int, Endpoint] = {}
        #: What cells without a row of their own had counted when they were looked at last, and
        #: since what tick.
        self._unused: dict[int, tuple[int, int]] = {}
        #: Gets endpoints by cell, before what these have counted is gone, and when.
        self.leaving: Callable[[Mapping[int, Endpoint], float], None] = lambda *_: None

    @property
    def known(self) -> int:
        """How many endpoints there are, with those on their way back."""
        return len(self.endpoints) + len(self.retired)

    def refit(self) -> None:
        """Have no more room than is used: dictionaries and sets keep what they once needed."""
        self.endpoints, self.responses = dict(self.endpoints), set(self.responses)
        self.retired, self._unused = dict(self.retired), dict(self._unused)

    def get(self, cell: int) -> Endpoint | None:
        """Return the endpoint of a cell of requests, forgotten or not."""
        return self.endpoints.get(cell) or self.retired.get(cell)

    def by_row(self, rows: Collection[int]) -> dict[int, list[int]]:
        """Return the cells of requests of some rows."""
        found: dict[int, list[int]] = {row: [] for row in rows}
        if found:
            for cell, endpoint in self.endpoints.items():
                if endpoint.row in found:
                    found[endpoint.row].append(cell)
        return found

    def idle_since(self, rows: Collection[int | None], since: int, tick: int) -> list[int]:
        """Return the cells of requests that have counted nothing after a tick.

        ``rows``: those of them that are looked at; None: cells out of scope; ``tick``: the latest.
        """
        cells = [
            cell
            for cell, endpoint in self.endpoints.items()
            if endpoint.row in rows and endpoint.key not in LAST_RESORT_KEYS
        ]
        found = []
        for cell, count in zip(cells, self._sums.counted(cells), strict=True):
            before, at = self._unused.get(cell, (-1, tick))
            if count != before:
                self._unused[cell] = (count, tick)
            elif at <= since:
                found.append(cell)
        return found

    def weighed(self, weight: Callable[[Endpoint], int]) -> tuple[Counter[int], int]:
        """Return what each row has of a weight of its endpoints, and what there is without a row.

        Cells on their way back count as without one.
        """
        of_rows: Counter[int] = Counter()
        others = sum(map(weight, self.retired.values()))
        for endpoint in self.endpoints.values():
            if endpoint.row is None:
                others += weight(endpoint)
            else:
                of_rows[endpoint.row] += weight(endpoint)
        return of_rows, others

    # ---- on their way back -------------------------------------------------------------------

    def retire(self, endpoints: Mapping[int, Endpoint]) -> None:
        """Begin to give the cells of endpoints back, which were taken out of :attr:`endpoints`."""
        if not endpoints:
            return
        self.retired |= endpoints
        self._returns.retire(
            {cell: [at for at, _ in known.responses] for cell, known in endpoints.items()}
        )
        self.count_retired()

    def take_back(self, now_s: float) -> Collection[int]:
        """Forget cells that are back; return them."""
        returned = self._returns.step(
            lambda cells: self.leaving({cell: self.retired[cell] for cell in cells}, now_s)
        )
        for cell in returned:
            self.retired.pop(cell, None)
            self.responses.discard(cell)
        return returned

    def without(self, cells: Iterable[int]) -> dict[int, Endpoint]:
        """Take cells of requests from their rows, which stay; return their endpoints."""
        taken: dict[int, Endpoint] = {}
        dropped: dict[int, list[int]] = {}
        for cell in cells:
            self._unused.pop(cell, None)
            endpoint = taken[cell] = self.endpoints.pop(cell)
            if endpoint.row is not None:
                found = dropped.setdefault(endpoint.row, [])
                found += (response for response, _ in endpoint.responses)
        for row, responses in dropped.items():
            self._book.drop_cells(row, responses)
        return taken

    def move(self, rows: Mapping[int, int]) -> list[int]:
        """Have all cells of rows count in others, with all that they have counted.

        Returns those of requests that are not on their way back.
        """
        moved: list[int] = []
        every: dict[int, list[int]] = {row: [] for row in rows}
        for known in (self.endpoints, self.retired):
            for cell, endpoint in known.items():
                row = endpoint.row
                if row is None or row not in rows:
                    continue
                every[row] += (cell, *(response for response, _ in endpoint.responses))
                endpoint.row = rows[row]
                if known is self.endpoints:
                    moved.append(cell)
        for row, cells in every.items():
            self._sums.merge(row, rows[row], cells)
        return moved

    def count_retired(self) -> None:
        """Note what retired cells have counted by code: they are in no row's list of cells."""
        for endpoint in self.retired.values():
            if endpoint.row is None:
                continue
            cells = [cell for cell, code in endpoint.responses if code is not None]
            codes = [code for _, code in endpoint.responses if code is not None]
            for cell, code, now in zip(cells, codes, self._sums.answered(cells), strict=True):
                before = endpoint.counted.get(cell, NOT_ANSWERED)
                if now != before:
                    endpoint.counted[cell] = now
                    self._book.add_apart(endpoint.row, code, now.plus(before, -1))
