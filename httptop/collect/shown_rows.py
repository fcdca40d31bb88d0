"""Which rows of a moment are shown, and in what order; what rows on demand have by that alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from operator import itemgetter

from httptop.model import EndpointKey, Side
from httptop.view.rows import RowsOnDemand


class ShownRows:
    """Which rows a table shows, and in what order; shared by tables that show the same."""

    def __init__(
        self,
        numbers: Sequence[int],
        keys: Sequence[EndpointKey | None],
        before: ShownRows | None = None,
    ) -> None:
        """``keys``: of all rows; ``before``: what was shown before, the same for the most part."""
        self.numbers = numbers
        self.keys: list[EndpointKey] = [key for at in numbers if (key := keys[at]) is not None]
        self._order: list[int] | None = None
        self._before = None if before is None or before._order is None else before

    @cached_property
    def index(self) -> dict[EndpointKey, int]:
        """The index of each key."""
        return {key: at for at, key in enumerate(self.keys)}

    @cached_property
    def pick(self) -> Callable[[Sequence[float]], Sequence[float]]:
        """A function that picks the shown rows' values out of those of all rows."""
        if len(self.numbers) == 1:
            (number,) = self.numbers
            return lambda values: (values[number],)
        return itemgetter(*self.numbers) if self.numbers else lambda _: ()

    @cached_property
    def by_name(self) -> dict[Side, list[int]]:
        """The indices of each side's rows, by path, method and process."""
        keys = self.keys
        order = list(range(len(keys)))
        if self._before is not None:  # almost sorted: the new ones come last
            known = [self.index[key] for key in self._before.sorted_keys() if key in self.index]
            order = list(dict.fromkeys((*known, *order)))
        names = [(key.path, key.method, key.process) for key in keys]
        order.sort(key=names.__getitem__)
        self._order, self._before = order, None
        sides: dict[Side, list[int]] = {"server": [], "client": []}
        for at in order:
            sides[keys[at].side].append(at)
        return sides

    def sorted_keys(self) -> list[EndpointKey]:
        """Return the keys in order, if that is known."""
        return [self.keys[at] for at in self._order or ()]


class RowsShown(RowsOnDemand):
    """Rows of which keys and order are known without any of them."""

    def __init__(self, shown: ShownRows) -> None:
        self._shown = shown

    @property
    def keys(self) -> Sequence[EndpointKey]:
        """The key of each row."""
        return self._shown.keys

    def by_name(self, side: Side) -> Sequence[int]:
        """Return the indices of a side's rows in order; see RowsOnDemand."""
        return self._shown.by_name[side]

    def index_of(self, key: EndpointKey) -> int | None:
        """Return the index of the row with a key; None: there is none."""
        return self._shown.index.get(key)
