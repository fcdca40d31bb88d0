"""Filter the screen: pick requests; the others are still counted.

Each part joined by ``and`` applies wherever all its fields are known. So ``comm = nginx and
in_flight > 3`` shows those endpoints of nginx with more than three requests in flight, and all live
requests of nginx. A part that could not be applied anywhere is refused.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

from httptop.filters.matching import (
    IN_FLIGHT_FIELDS,
    KEY_FIELDS,
    ROW_FIELDS,
    TRANSACTION_FIELDS,
    matches_in_flight,
    matches_transaction,
)
from httptop.filters.parser import MAX_LENGTH, parse
from httptop.filters.predicates import ALL, Picked, key_test, picker, status_test
from httptop.filters.row_facts import FactsOf, RowFacts
from httptop.filters.tree import And, Expression, FilterError, comparisons, conjuncts
from httptop.model import EndpointKey, EndpointStats, RequestInFlight, Transaction

#: Fields that rows have, and live requests for the most part.
SCREEN_FIELDS: Final = ROW_FIELDS

Reach = Literal["both", "endpoints"]


def parse_for_screen(text: str, *, fleet: bool = False) -> Expression:
    """Return the tree of a filter that the screen can apply.

    ``fleet``: whether rows may have hosts. Raises :class:`FilterError` if the text is not a filter
    or uses a field unknown to the screen.
    """
    expression = parse(text)
    for part in conjuncts(expression):
        reach(part, fleet=fleet)
    return expression


def reach(part: Expression, *, fleet: bool = True) -> Reach:
    """Return what a part of a filter applies to; raise :class:`FilterError` if to nothing.

    ``fleet``: whether rows may have hosts.
    """
    compared = tuple(comparisons(part))
    for found in compared:
        if found.name not in SCREEN_FIELDS or (found.name == "host" and not fleet):
            raise FilterError(
                f"{found.name!r} works only for a whole run: httptop --filter ...",
                found.column,
            )
    of_requests = all(found.name in TRANSACTION_FIELDS for found in compared)
    return "both" if of_requests else "endpoints"


def joined(parts: tuple[Expression, ...]) -> Expression | None:
    """Return the filter in which all parts must hold; None without parts."""
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else And(parts)


def with_part(expression: Expression | None, part: Expression) -> Expression | None:
    """Return a filter with a part added, or removed if the filter contains it already.

    Raises :class:`FilterError` if the text would become longer than MAX_LENGTH.
    """
    parts = () if expression is None else conjuncts(expression)
    if part in parts:
        return joined(tuple(other for other in parts if other != part))
    longer = joined((*parts, part))
    if len(str(longer)) > MAX_LENGTH:
        raise FilterError(f"a filter has at most {MAX_LENGTH} characters", MAX_LENGTH)
    return longer


def needle_in(needle: str, path: str) -> bool:
    """Return whether a path contains what was typed, in any case."""
    return not needle or needle.casefold() in path.casefold()


class ScreenFilter:
    """A filter prepared for use on every row of every tick.

    Parts that depend only on the endpoint's key are evaluated once for each endpoint.
    """

    def __init__(self, expression: Expression | None, path_part: str = "") -> None:
        """``path_part``: what paths have to contain, in any case."""
        parts = () if expression is None else conjuncts(expression)
        self._path_part = path_part.casefold()
        #: What is the same of filters that are the same.
        self.text = f"{self._path_part}\n{expression or ''}"
        every = {found.name for part in parts for found in comparisons(part)}
        #: Whether the requests of an endpoint that are picked are others from time to time.
        self.varies = not every <= KEY_FIELDS | {"user", "status"}
        #: Whether these are all or none, whatever their status.
        self.picks_whole = "status" not in every
        names = {part: {found.name for found in comparisons(part)} for part in parts}
        by_key = joined(tuple(part for part in parts if names[part] <= KEY_FIELDS))
        # One expression, since all its parts must hold for the same status.
        by_figures = joined(tuple(part for part in parts if not names[part] <= KEY_FIELDS))
        self._by_key = None if by_key is None else key_test(by_key)
        self._by_figures = None if by_figures is None else picker(by_figures)
        self._by_status = None if by_figures is None else status_test(by_figures)
        self._of_requests = joined(tuple(part for part in parts if reach(part) == "both"))
        waiting = tuple(part for part in parts if names[part] <= IN_FLIGHT_FIELDS)
        self._of_in_flight = joined(waiting)
        by_row = joined(tuple(part for part in parts if part not in waiting))
        self._by_row = None if by_row is None else picker(by_row)

    @property
    def by_key_alone(self) -> bool:
        """Whether :meth:`keeps_key` says of each endpoint whether it is shown."""
        return self._by_figures is None

    def keeps_key(self, key: EndpointKey) -> bool:
        """Return whether the parts that depend only on an endpoint's key keep it."""
        return self._by_key is None or self._by_key(key)

    def picked(self, row: RowFacts) -> Picked | None:
        """Return which requests of an endpoint are shown; None: none, nor the endpoint."""
        if self._by_key is not None and not self._by_key(row.key):
            return None
        return ALL if self._by_figures is None else self._by_figures(row)

    def keeps_status(self, row: RowFacts, code: int) -> bool:
        """Return whether the requests of an endpoint with a status are shown."""
        if self._path_part and self._path_part not in row.key.path.casefold():
            return False
        if self._by_key is not None and not self._by_key(row.key):
            return False
        return self._by_status is None or self._by_status(row, code)

    def keeps_row(self, row: EndpointStats) -> bool:
        """Return whether any requests of an endpoint are shown, or it without any."""
        return self.picked(FactsOf(row)) is not None

    def keeps_in_flight(self, request: RequestInFlight, row: EndpointStats | None) -> bool:
        """Return whether a request in flight is shown; ``row``: that of its endpoint.

        What is not known of the request itself, such as a status, is asked of its endpoint.
        """
        if self._of_in_flight is not None and not matches_in_flight(self._of_in_flight, request):
            return False
        if self._by_row is None:
            return True
        return row is not None and self._by_row(FactsOf(row)) is not None

    def keeps_request(self, request: Transaction) -> bool:
        """Return whether a live request is shown."""
        return self._of_requests is None or matches_transaction(self._of_requests, request)


@lru_cache(maxsize=4)
def screen_filter(expression: Expression | None, path_part: str = "") -> ScreenFilter:
    """Return the prepared filter; the most recent ones are cached."""
    return ScreenFilter(expression, path_part)
