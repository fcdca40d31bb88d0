"""The names of exported series, and who of them has a place.

A series is an endpoint, a pair one of its statuses. Pairs are limited: an endpoint takes a place
when it is met first, which its first status has, and each further status takes another. Where none
is left the pair is one of ``~other``: the series of the process for the method. There are fewer
places for these, as they never end; beyond them there is one ``~other`` for each side, by class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from httptop.collect.collected_series import Named
from httptop.collect.endpoint_keys import LAST_RESORT, LAST_RESORT_KEYS, own_key
from httptop.model import OVERFLOW_PATH, EndpointKey, class_of

#: Of so many places one more is there for pairs of ``~other``, and at least so many.
_OTHER_PART: Final = 4
_LEAST_OTHERS: Final = 64
#: The method of the endpoints of all methods that are not told apart.
OTHER_METHOD: Final = "OTHER"
#: Seconds for which a series that has ended stays.
LINGER_S: Final = 300.0


class SeriesNames:
    """Series by number, and pairs by number; for the collector's thread alone."""

    def __init__(self, most: int, methods: frozenset[str] | None = None) -> None:
        """``most``: places for pairs. ``methods``: those that are told apart; None: all."""
        self._methods = methods
        self._left = {False: most, True: max(_LEAST_OTHERS, most // _OTHER_PART)}  # by is_other
        #: Series by number; None: free.
        self.named: list[Named | None] = []
        #: By pair: the number of its series; meaningless where the pair is free.
        self.owners: list[int] = []
        self._numbers: dict[EndpointKey, int] = {}
        self._cells: list[int] = []  # how many each series has
        self._free: list[int] = []
        self._free_pairs: list[int] = []
        self._ended_s: dict[int, float] = {}  # by series; the first to end is first
        #: How many pairs had no room, and count under ``~other``.
        self.folded = 0

    # ---- cells come and go -------------------------------------------------------------------

    def series_of(self, key: EndpointKey, since: float) -> int:
        """Return the number of the series that a new cell of an endpoint's requests counts in.

        ``since``: when that began if it is made now, Unix time.
        """
        key = self._told_apart(key)
        number = self._numbers.get(key)
        if number is None and key.path != OVERFLOW_PATH and self._take(other=False):
            number = self._make(key, since)
        if number is None:
            number = self._other(key, since)
        self._cells[number] += 1
        self._ended_s.pop(number, None)
        return number

    def pair_of(self, key: EndpointKey, number: int, status: int, since: float) -> int:
        """Return the number of the pair that a new cell of an endpoint's responses counts in.

        ``number``: what :meth:`series_of` has returned for ``key``.
        """
        key = self._told_apart(key)
        pair = self._pair(number, status)
        if pair is None:
            pair = self._pair(self._other(key, since), status)
        if pair is None:
            pair = self._pair(self._last_resort(key, since), status)
        assert pair is not None
        if key.path != OVERFLOW_PATH:
            self.folded += self._known(self.owners[pair]).key.path == OVERFLOW_PATH
        return pair

    def leave(self, number: int, now_s: float) -> None:
        """Note that a cell of requests does not count in a series any more."""
        self._cells[number] -= 1
        if not self._cells[number] and self._known(number).key.path != OVERFLOW_PATH:
            self._ended_s[number] = now_s

    def expired(self, now_s: float) -> Iterator[tuple[int, Named]]:
        """Remove the series that ended long ago; yield each as it was."""
        while self._ended_s:
            number, ended_s = next(iter(self._ended_s.items()))
            if now_s - ended_s < LINGER_S:
                return
            del self._ended_s[number]
            named = self._known(number)
            self.named[number] = None
            del self._numbers[named.key]
            self._free.append(number)
            self._free_pairs += (pair for _, pair in named.pairs)
            self._left[False] += max(1, len(named.pairs))
            yield number, named

    # ---- series and pairs --------------------------------------------------------------------

    def _told_apart(self, key: EndpointKey) -> EndpointKey:
        if self._methods is None or key.method in self._methods:
            return key
        return replace(key, method=OTHER_METHOD)

    def _known(self, number: int) -> Named:
        named = self.named[number]
        assert named is not None
        return named

    def _take(self, *, other: bool) -> bool:
        """Take a place, if one is left; ``other``: of those of ``~other``."""
        if self._left[other] <= 0:
            return False
        self._left[other] -= 1
        return True

    def _make(self, key: EndpointKey, since: float) -> int:
        if self._free:
            number = self._free.pop()
        else:
            number = len(self.named)
            self.named.append(None)
            self._cells.append(0)
        self.named[number] = Named(key, since)
        self._numbers[key] = number
        return number

    def _other(self, key: EndpointKey, since: float) -> int:
        """Return the number of the ``~other`` of an endpoint's process and method."""
        wanted = replace(own_key(key, OVERFLOW_PATH), method=key.method)
        number = self._numbers.get(wanted)
        if number is None and self._take(other=True):
            number = self._make(wanted, since)
        return self._last_resort(key, since) if number is None else number

    def _last_resort(self, key: EndpointKey, since: float) -> int:
        wanted = LAST_RESORT[OVERFLOW_PATH][key.side]
        number = self._numbers.get(wanted)
        return self._make(wanted, since) if number is None else number

    def _pair(self, number: int, status: int) -> int | None:
        """Return the number of a series' pair of a status; None: there is no place for it."""
        named = self._known(number)
        last = named.key in LAST_RESORT_KEYS
        if last:
            status = class_of(status)
        known = dict(named.pairs).get(status)
        if known is not None:
            return known
        other = named.key.path == OVERFLOW_PATH
        if named.pairs and not last and not self._take(other=other):
            return None
        if self._free_pairs:
            pair = self._free_pairs.pop()
        else:
            pair = len(self.owners)
            self.owners.append(number)
        self.owners[pair] = number
        self.named[number] = replace(named, pairs=(*named.pairs, (status, pair)))
        return pair
