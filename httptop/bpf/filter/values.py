"""The values of a filter: what the programs compare with, as the contents of maps.

Each comparison has a number among those of its kind, in the order in which the filter has them.
For a number that is the number of its set; for a name, address, container or host it is the bit
that a look-up of all comparisons of that field answers with.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from httptop.bpf.abi import COMM_LEN, MATCHER, METHODS, MOST_HOST_MATCHERS, MOST_MATCHERS
from httptop.bpf.filter import networks, number_sets
from httptop.bpf.filter.globs import STATES, Matcher, matchers_of
from httptop.filters import Compare, FilterError
from httptop.filters.values import ORDERINGS, Value, user_number
from httptop.model import SIDES

#: How many comparisons of a field a look-up can answer, where that is less than of all fields.
_MOST: Final = {"container": 8, "host": 8}
#: Values with a number in the programs.
_NUMBERED: Final = {
    "side": SIDES,
    "socket": ("tcp", "unix"),
    "connection": ("opened", "accepted"),
    "method": METHODS,
}
_HIGHEST: Final = 2**64 - 1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Table:
    """What a map of the programs holds; shorter values end in zeros."""

    entries: int  # that it has room for
    values: dict[bytes, bytes]


class Values:
    """The values of all comparisons, each kind in the order in which they were added."""

    def __init__(self) -> None:
        self.sets: list[number_sets.Ranges] = []
        self.containers: list[tuple[str, ...]] = []  # globs
        self._networks: list[list[networks.Network]] = []
        self._names: list[list[bytes]] = []
        self._globs: dict[str, list[list[Matcher]]] = {"host": [], "comm": []}

    def add(self, leaf: Compare) -> int:
        """Take in the values of a comparison, whatever its negation; return its number.

        Raises :class:`FilterError` where the kernel cannot compare with them.
        """
        match leaf.name:
            case "comm":
                exact, globs = _parted(leaf)
                self._names.append(exact)
                return self._add_globs(leaf, _matchers(leaf, globs))
            case "host":
                return self._add_globs(leaf, _matchers(leaf, _texts(leaf), fold_case=True))
            case "peer":
                found = [_network(value, leaf) for value in leaf.values]
                return _append(leaf, self._networks, found)
            case "container":
                return _append(leaf, self.containers, tuple(value.text for value in leaf.values))
        return _append(leaf, self.sets, number_sets.normalised(_ranges(leaf)))

    def _add_globs(self, leaf: Compare, matchers: list[Matcher]) -> int:
        number = _append(leaf, self._globs[leaf.name], matchers)
        for names, most in ((("host",), MOST_HOST_MATCHERS), (("host", "comm"), MOST_MATCHERS)):
            if sum(len(found) for name in names for found in self._globs[name]) > most:
                raise FilterError(
                    f"globs of {' and '.join(map(repr, names))} have room for about "
                    f"{most * (STATES - 1)} characters",
                    leaf.column,
                )
        return number

    def tables(self) -> dict[str, Table]:
        """Return what the maps hold, by name."""
        names: dict[bytes, int] = {}
        for at, exact in enumerate(self._names):
            for name in exact:
                names[name] = names.get(name, 0) | 1 << at
        ranges = number_sets.packed(self.sets)
        peers = networks.entries(self._networks)
        return {
            "filter_ranges": Table(1, {bytes(4): ranges}),
            "filter_names": _bits(names),
            "filter_peers": _bits(peers),
            **self._glob_tables(),
        }

    def _glob_tables(self) -> dict[str, Table]:
        heads, steps, counts = b"", b"", []
        for kind in ("host", "comm"):
            for at, matchers in enumerate(self._globs[kind]):
                for matcher in matchers:
                    heads += MATCHER.pack(matcher.start, matcher.stay, matcher.accept, 1 << at)
                    steps += b"".join(map(_u64, matcher.step))
            counts.append(len(heads) // MATCHER.size)
        heads = b"".join(map(_u32, counts)) + heads.ljust(MOST_MATCHERS * MATCHER.size, b"\0")
        return {"filter_globs": Table(1, {bytes(4): heads + steps})}


def _append(leaf: Compare, kind: list[T], value: T) -> int:
    """Append a value; return its place."""
    if len(kind) == _MOST.get(leaf.name):
        raise FilterError(f"at most {_MOST[leaf.name]} comparisons of {leaf.name!r}", leaf.column)
    kind.append(value)
    return len(kind) - 1


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "little")


def _bits(found: dict[bytes, int]) -> Table:
    return Table(max(1, len(found)), {key: _u64(bits) for key, bits in found.items()})


def _parted(leaf: Compare) -> tuple[list[bytes], list[str]]:
    """Return the names of a comparison that are to be equal, as the kernel has them, and globs."""
    exact, globs = [], []
    for value in leaf.values:
        name = value.text.encode("utf-8", "surrogateescape")
        if leaf.operator in ("~", "!~") and set("*?[") & set(value.text):
            globs.append(value.text)
        elif len(name) < COMM_LEN:
            exact.append(name.ljust(COMM_LEN, b"\0"))
    return exact, globs


def _texts(leaf: Compare) -> list[str]:
    """Return the values of a comparison as globs."""
    texts = [value.text for value in leaf.values]
    if leaf.operator in ("~", "!~"):
        return texts
    return ["".join(f"[{c}]" if c in "*?[" else c for c in text) for text in texts]


def _matchers(leaf: Compare, texts: list[str], *, fold_case: bool = False) -> list[Matcher]:
    try:
        return matchers_of(texts, fold_case=fold_case)
    except ValueError as error:
        raise FilterError(f"{leaf.name}: {error}", leaf.column) from None


def _network(value: Value, leaf: Compare) -> networks.Network:
    if value.kind != "network":
        raise FilterError("'peer' takes an address or a network here", leaf.column)
    return ipaddress.ip_network(value.text.strip("[]"), strict=False)


def _ranges(leaf: Compare) -> Iterable[tuple[int, int]]:
    """Yield the numbers that a comparison, without its negation, holds for."""
    if leaf.name in _NUMBERED:
        for number, name in enumerate(_NUMBERED[leaf.name]):
            if any(value.holds(leaf.operator, name) for value in leaf.values):
                yield number, number
        return
    # 0 stands for no port, and for no status, which is in no order with others.
    by_order = leaf.name == "status" and leaf.operator in ORDERINGS
    least = int(leaf.name == "port" or by_order)
    for value in leaf.values:
        low, high = value.low, value.high
        if leaf.name == "user":
            low = high = user_number(value.text)
        match leaf.operator:
            case "<":
                low, high = 0, low - 1
            case "<=":
                low = 0
            case ">":
                low, high = high + 1, _HIGHEST
            case ">=":
                high = _HIGHEST
        yield max(low, least), high
