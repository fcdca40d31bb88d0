"""A request as a line in one of Apache's formats, the common and the combined one among them.

What is not known is ``-``, as there. Two letters mean something else than in Apache: ``%T`` and
``%D`` end with the first byte of the response, and ``%b`` is what the response says of its length.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from httptop.http.log_format import NAMED, Directive, parse_log_format
from httptop.model import Transaction
from httptop.output.request_log.fields import (
    MONTHS,
    body_bytes,
    escaped,
    fitted,
    host_and_port,
    request_line,
    status_of,
    value_of,
)
from httptop.output.request_log.formats import COMMENT, Missing

_Value = Callable[[Transaction], str]


class ApacheFormat:
    """A format of Apache's, by its name or by its letters."""

    def __init__(self, text: str) -> None:
        """Take a text that was checked; raises FormatError if it was not."""
        parts = parse_log_format(NAMED.get(text, text))
        self._parts: list[str | _Value] = [
            part if isinstance(part, str) else _value(part) for part in parts
        ]
        self._first = _pattern_of(parts)

    def line(self, request: Transaction, most_bytes: int | None = None) -> str:
        """Return a line."""
        parts = (part if isinstance(part, str) else part(request) for part in self._parts)
        return fitted("".join(parts), most_bytes)

    def missing(self, missing: Missing, at: float) -> str:  # noqa: ARG002
        """Return a line that begins with #."""
        return COMMENT + missing.sentence()

    def is_first(self, start: bytes) -> bool:
        """Return whether a file begins with a line of this format.

        That cannot be told of one that has neither time, status, request line nor numbers.
        """
        first = start.partition(b"\n")[0].decode("utf-8", "backslashreplace")
        return self._first.match(first) is not None


def _pattern_of(parts: Sequence[str | Directive]) -> re.Pattern[str]:
    """Return what the first line of a log matches: of this format, or about what is missing."""
    known = [part for part in parts if isinstance(part, Directive) and _pattern(part)]
    pattern = "".join(
        re.escape(part) if isinstance(part, str) else f"(?:-|{_pattern(part) or '.*?'})"
        for part in parts
    )
    first = f"{pattern}|{re.escape(COMMENT)}.*" if known else f"{re.escape(COMMENT)}.*"
    return re.compile(f"(?:{first})(?:\n|\\Z)")


def _pattern(directive: Directive) -> str:
    """Return how a value looks; empty: it may be any text."""
    if directive.letter == "t" and directive.argument:
        return "[0-9]+" if directive.argument.rpartition(":")[2] in _NUMBERS else ""
    return _PATTERNS.get(directive.letter, "")


def _value(directive: Directive) -> _Value:
    plain = _by_argument(directive.letter, directive.argument) or _PLAIN[directive.letter]

    def value(request: Transaction) -> str:
        if directive.status and (request.status in directive.status) == directive.unless:
            return "-"
        return escaped(plain(request))

    return value


def _by_argument(letter: str, argument: str) -> _Value | None:
    """Return what a letter means that depends on what is in braces; None: it does not."""
    name = argument.lower()
    match letter:
        case "i":
            return lambda request: value_of(request.request_head, name)
        case "o":
            return lambda request: value_of(request.response_head[1:], name)
        case "x":
            return _OWN[argument]
        case "T":
            divisor = _UNITS[argument or "s"]
            return lambda request: str(request.latency_ns // divisor)
        case "t" if argument:
            return _moment(argument)
    return None


def _moment(argument: str) -> _Value:
    """Return what ``%{...}t`` means: a number, or a text of strftime; perhaps of the end."""
    of_end = argument.startswith("end:")
    wanted = argument.removeprefix("begin:").removeprefix("end:")
    number = _NUMBERS.get(wanted)

    def value(request: Transaction) -> str:
        at = request.responded_at if of_end else request.started_at
        return number(at) if number else time.strftime(wanted, time.localtime(at)) or "-"

    return value


class _CommonTime:
    """Makes ``[01/Jan/2026:12:00:00 +0000]``, in local time; of each second once."""

    def __init__(self) -> None:
        self._second, self._text = -1, ""

    def __call__(self, request: Transaction) -> str:
        second = int(request.started_at)
        if second != self._second:
            at = time.localtime(second)
            month = MONTHS[at.tm_mon - 1]
            self._second, self._text = second, time.strftime(f"[%d/{month}/%Y:%H:%M:%S %z]", at)
        return self._text


def _query(request: Transaction) -> str:
    _, mark, query = request.path.partition("?")
    return mark + query


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)


#: What stands for letters that are known by how they look, but for ``-``.
_PATTERNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys("BbDIOPpT", "[0-9]+"),
        "H": r"HTTP/[0-9.]+",
        "r": r"[!-~]+ .*? HTTP/[0-9.]+",
        "s": "[0-9]{3}",
        "t": r"\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8} [+-][0-9]{4}\]",
    }
)
_UNITS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1000}
_NUMBERS: Final[Mapping[str, Callable[[float], str]]] = MappingProxyType(
    {
        "sec": lambda at: str(int(at)),
        "msec": lambda at: str(int(at * 1e3)),
        "usec": lambda at: str(int(at * 1e6)),
        "msec_frac": lambda at: f"{int(at * 1e3) % 1000:03d}",
        "usec_frac": lambda at: f"{int(at * 1e6) % 1_000_000:06d}",
    }
)
_PLAIN: Final[Mapping[str, _Value]] = MappingProxyType(
    {
        "a": lambda request: host_and_port(request.peer)[0],
        "B": lambda request: str(body_bytes(request) or 0),
        "b": lambda request: str(body_bytes(request) or "-"),
        "D": lambda request: str(request.latency_ns // 1000),
        "H": lambda request: request.key.protocol,
        "h": lambda request: host_and_port(request.peer)[0],
        "I": lambda request: str(request.request_bytes),
        "l": lambda _: "-",
        "m": lambda request: request.key.method,
        "O": lambda request: _or_dash(request.response_bytes),
        "P": lambda request: str(request.pid or "-"),
        "p": lambda request: str(request.key.port or "-"),
        "q": _query,
        "r": request_line,
        "s": status_of,
        "t": _CommonTime(),
        "U": lambda request: request.path.partition("?")[0],
        "u": lambda _: "-",
        "V": lambda request: value_of(request.request_head, "host"),
        "v": lambda request: value_of(request.request_head, "host"),
    }
)
#: ``%{NAME}x``, by name: see log_format.OWN_NAMES.
_OWN: Final[Mapping[str, _Value]] = MappingProxyType(
    {
        "serial": lambda request: str(request.serial),
        "side": lambda request: request.key.side,
        "process": lambda request: request.key.process,
        "peer": lambda request: request.peer or "-",
        "peer_port": lambda request: host_and_port(request.peer)[1],
        "endpoint": lambda request: request.key.path,
        "scheme": lambda request: "https" if request.key.tls else "http",
        "slow": lambda request: "slow" if request.slow else "-",
        "latency_ms": lambda request: f"{request.latency_ns / 1e6:.3f}",
    }
)
