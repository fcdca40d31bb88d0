"""Single comparisons of a filter as C, over the variables that c_conditions.py sets up."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from typing import Final

from httptop.bpf.abi import COMM_LEN, METHODS
from httptop.bpf.filter.globs import Matcher, matchers_of
from httptop.filters import Compare, FilterError
from httptop.filters.values import Value, user_number

_NUMBERS: Final = {
    "pid": ("pid", 4),
    "status": ("status", 4),
    "latency": ("latency_ns", 8),
    "size": ("response_bytes", 8),
    "request_size": ("request_bytes", 8),
}
_MOST: Final = {4: 2**32 - 1, 8: 2**64 - 1}
_MOST_CONTAINERS: Final = 8


class Comparisons:
    """Writes comparisons and keeps the tables that they look things up in."""

    def __init__(self) -> None:
        self.matchers: list[Matcher] = []
        self.containers: list[tuple[str, ...]] = []  # globs, by bit
        self._written: dict[Compare, str] = {}

    def written(self, leaf: Compare) -> str:
        """Return the C of a comparison that is not negated."""
        if leaf not in self._written:
            self._written[leaf] = self._compared(leaf)
        return self._written[leaf]

    def _compared(self, leaf: Compare) -> str:
        """Return the C of a comparison that is not negated."""
        values = leaf.values
        match leaf.name:
            case "port":
                return f"port && ({_any(_number('port', 4, leaf.operator, v) for v in values)})"
            case "status" if leaf.operator != "=":
                return f"status && ({_any(_number('status', 4, leaf.operator, v) for v in values)})"
            case "user":
                return _any(f"user == {user_number(value.text)}" for value in values)
            case "side":
                return _any(f"side == SIDE_{value.text.upper()}" for value in values)
            case "socket":
                return _any("unix_socket" if v.text == "unix" else "!unix_socket" for v in values)
            case "connection":
                return _any("accepted" if v.text == "accepted" else "!accepted" for v in values)
            case "method":
                return self._method(leaf)
            case "container":
                return f"containers >> {self._container_bit(leaf)} & 1"
            case "peer":
                return _any(_in_network(value, leaf) for value in values)
            case "comm":
                return self._comm(leaf)
        name, size = _NUMBERS[leaf.name]
        return _any(_number(name, size, leaf.operator, value) for value in values)

    def _method(self, leaf: Compare) -> str:
        met = [
            number
            for number, name in enumerate(METHODS)
            if any(value.holds(leaf.operator, name) for value in leaf.values)
        ]
        return _any(f"method == {number}" for number in met)

    def _container_bit(self, leaf: Compare) -> int:
        globs = tuple(value.text for value in leaf.values)
        if globs not in self.containers:
            self.containers.append(globs)
            if len(self.containers) > _MOST_CONTAINERS:
                raise FilterError(
                    f"at most {_MOST_CONTAINERS} comparisons of 'container'", leaf.column
                )
        return self.containers.index(globs)

    def _comm(self, leaf: Compare) -> str:
        if leaf.operator == "=" or not any(set("*?[") & set(v.text) for v in leaf.values):
            names = (value.text.encode("utf-8", "surrogateescape") for value in leaf.values)
            pairs = [struct.unpack("<QQ", n.ljust(16, b"\0")) for n in names if len(n) < COMM_LEN]
            return _any(
                f"first == {hexadecimal(a)} && second == {hexadecimal(b)}" for a, b in pairs
            )
        parts = []
        for number in self.matcher_numbers(leaf):
            matcher = self.matchers[number]
            first, stay = hexadecimal(matcher.start), hexadecimal(matcher.stay)
            states = f"states_of_name(comm, {number}, {first}, {stay})"
            parts.append(f"{states} & {hexadecimal(matcher.accept)}")
        return _any(parts)

    def matcher_numbers(self, leaf: Compare, *, fold_case: bool = False) -> range:
        texts = [value.text for value in leaf.values]
        if leaf.operator == "=":  # nothing in it is a wildcard
            texts = ["".join(f"[{c}]" if c in "*?[" else c for c in text) for text in texts]
        try:
            found = matchers_of(texts, fold_case=fold_case)
        except ValueError as fault:
            raise FilterError(f"{leaf.name}: {fault}", leaf.column) from None
        first = len(self.matchers)
        self.matchers += found
        return range(first, len(self.matchers))


def _any(texts: Iterable[str]) -> str:
    parts = list(texts)
    return parts[0] if len(parts) == 1 else " || ".join(f"({part})" for part in parts) or "0"


def _number(name: str, size: int, operator: str, value: Value) -> str:
    low, high = min(value.low, _MOST[size]), min(value.high, _MOST[size])
    match operator:
        case "=":
            if low == high:
                return f"{name} == {hexadecimal(low)}"
            return f"{name} >= {hexadecimal(low)} && {name} <= {hexadecimal(high)}"
        case "<" | ">=":
            return f"{name} {operator} {hexadecimal(low)}"
        case _:
            return f"{name} {operator} {hexadecimal(high)}"


def _in_network(value: Value, leaf: Compare) -> str:
    if value.kind != "network":
        raise FilterError("'peer' takes an address or a network here", leaf.column)
    network = ipaddress.ip_network(value.text.strip("[]"), strict=False)
    words = len(network.network_address.packed) // 4
    bases = struct.unpack(f"<{words}I", network.network_address.packed)
    masks = struct.unpack(f"<{words}I", network.netmask.packed)
    compared = [
        f"(peer.address[{at}] & {hexadecimal(mask)}) == {hexadecimal(base)}"
        for at, (base, mask) in enumerate(zip(bases, masks, strict=True))
        if mask
    ]
    return " && ".join([f"peer.words == {words}", *compared])


def hexadecimal(number: int) -> str:
    return f"{number:#x}ULL"
