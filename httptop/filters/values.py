"""The fields of the filter language, and the values they are compared with."""

from __future__ import annotations

import ipaddress
import pwd
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from httptop.filters.regex import Regex
from httptop.literals import glob, parse_duration, parse_integer, parse_size, parse_status

_TEXT_OPERATORS: Final = ("=", "!=", "~", "!~")
ORDERINGS: Final = ("<", "<=", ">", ">=")
_NUMBER_OPERATORS: Final = ("=", "!=", *ORDERINGS)
_NEEDS_QUOTES: Final = re.compile(r"[\s(),\"']|^$|^/.*/$")


@dataclass(frozen=True, slots=True)
class Field:
    """A field: the kind of its values and the operators it allows."""

    values: str  # a phrase for messages: "a process name"
    operators: tuple[str, ...]
    number: Callable[[str], tuple[int, int]] | None = None  # text -> lowest, highest number
    choices: tuple[str, ...] = ()
    upper: bool = False  # compared in upper case


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a comparison; ``text`` is what was written, without quotes."""

    text: str
    kind: Literal["literal", "glob", "regex", "span", "network"]
    low: int = 0  # of a span, both ends included
    high: int = 0

    @classmethod
    def word(cls, word: str) -> Value:
        """Return the glob that a word without a field means."""
        return cls(f"*{word}*", "glob")

    def holds(self, operator: str, value: str | int) -> bool:
        """Return whether ``value operator self`` holds; ``!=`` and ``!~`` count as ``=`` and ``~``.

        The caller negates the result for these two.
        """
        if isinstance(value, int):
            return self._holds_number(operator, value)
        match self.kind:
            case "literal":
                return value == self.text
            case "glob":
                return glob(self.text).match(value) is not None
            case "regex":
                return _regex(self.text).search(value)
            case "network":
                return _in_network(value, self.text)
            case "span":
                return False

    def _holds_number(self, operator: str, value: int) -> bool:
        match operator:
            case "<":
                return value < self.low
            case "<=":
                return value <= self.high
            case ">":
                return value > self.high
            case ">=":
                return value >= self.low
            case _:
                return self.low <= value <= self.high

    def __str__(self) -> str:
        if self.kind == "regex" or not _NEEDS_QUOTES.search(self.text):
            return self.text
        return self.quoted()

    def quoted(self) -> str:
        """Return the value in quotes, unless they would change its meaning."""
        if self.kind == "regex":
            return self.text
        escaped = self.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'


def parse_value(name: str, operator: str, text: str, quoted: bool) -> Value:
    """Return a value of the field ``name``; raise :class:`ValueError` that says what is allowed."""
    field = FIELDS[name]
    if field.number is not None:
        return _span(field.number, text)
    if field.upper:
        text = text.upper() if not _is_regex(text, quoted) else text
    if operator in ("~", "!~"):
        if _is_regex(text, quoted):
            _regex(text)
            return Value(text, "regex")
        glob(text)
        return Value(text, "glob")
    if field.choices:
        if text not in field.choices:
            raise ValueError(f"{field.values} is needed")
        return Value(text, "literal")
    if name == "peer":
        return _network(text)
    if name == "user":
        user_number(text)
        return Value(text, "literal")
    if name == "proto" and not text.startswith("HTTP/"):
        text = f"HTTP/{text}"
    return Value(text, "literal")


def user_number(text: str) -> int:
    """Return the number of a user given by name or number; raise :class:`ValueError`."""
    if re.fullmatch("[0-9]{1,10}", text, re.ASCII):
        return parse_integer(text, 0, 2**32 - 2)
    try:
        return pwd.getpwnam(text).pw_uid
    except (KeyError, ValueError):
        raise ValueError("no user of this host has that name") from None


def _is_regex(text: str, quoted: bool) -> bool:
    return not quoted and len(text) > 2 and text[0] == "/" == text[-1]


@lru_cache(maxsize=256)
def _regex(text: str) -> Regex:
    return Regex(text[1:-1].replace("\\/", "/"))


def _span(number: Callable[[str], tuple[int, int]], text: str) -> Value:
    first, dash, last = text.partition("-")
    low, high = number(first)
    if dash:
        high = number(last)[1]
        if low > high:
            raise ValueError(f"the range runs backwards: did you mean {last}-{first}?")
    return Value(text, "span", low, high)


def _network(text: str) -> Value:
    try:
        ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        raise ValueError(f"{FIELDS['peer'].values} is needed") from None
    return Value(text, "network")


@lru_cache(maxsize=256)
def _parsed_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text.strip("[]"), strict=False)


@lru_cache(maxsize=4096)
def _in_network(peer: str, network: str) -> bool:
    """Return whether ``203.0.113.7:443`` or ``[::1]:80`` lies in a network; or without a port."""
    with_port = peer.startswith("[") or peer.count(":") == 1
    host = peer.rpartition(":")[0].strip("[]") if with_port else peer
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address in _parsed_network(network)


def _one(parse: Callable[[str], int]) -> Callable[[str], tuple[int, int]]:
    def number(text: str) -> tuple[int, int]:
        value = parse(text)
        return value, value

    return number


def _status(text: str) -> tuple[int, int]:
    codes = parse_status(text)
    return codes.low, codes.high


def _flag(text: str) -> tuple[int, int]:
    if text.lower() not in ("yes", "no", "true", "false"):
        raise ValueError("yes or no is needed")
    truth = int(text.lower() in ("yes", "true"))
    return truth, truth


def _text(values: str, *, upper: bool = False) -> Field:
    return Field(values, _TEXT_OPERATORS, upper=upper)


def _number(values: str, parse: Callable[[str], tuple[int, int]]) -> Field:
    return Field(values, _NUMBER_OPERATORS, parse)


#: Every field by its name.
FIELDS: Final[dict[str, Field]] = {
    "pid": _number("a process number", _one(lambda text: parse_integer(text, 1))),
    "comm": _text("a process name"),
    "method": _text("a method such as GET", upper=True),
    "path": _text("a path or its template"),
    "status": _number("a status such as 404, 5xx, 400-499 or unknown", _status),
    "host": _text("a host name"),
    "port": _number("a port", _one(lambda text: parse_integer(text, 1, 65535))),
    "peer": _text("an address or a network such as 10.0.0.0/8"),
    "side": Field("server or client", ("=", "!="), choices=("server", "client")),
    "proto": _text("a protocol such as HTTP/1.1", upper=True),
    "tls": Field("yes or no", ("=", "!="), _flag),
    "latency": _number("a duration such as 10ms", _one(parse_duration)),
    "size": _number("a size such as 4KiB", _one(parse_size)),
    "request_size": _number("a size such as 4KiB", _one(parse_size)),
    "in_flight": _number("a number", _one(parse_integer)),
    "user": Field("a user's name or number", ("=", "!=")),
    "container": _text("a container's name or id"),
    "socket": Field("tcp or unix", ("=", "!="), choices=("tcp", "unix")),
    "connection": Field("opened or accepted", ("=", "!="), choices=("opened", "accepted")),
}
