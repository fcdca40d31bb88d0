"""Parse the literals of flags, TOML files and the filter language: ``10ms``, ``4KiB``, ``5xx``.

Every ``parse_`` function raises :class:`ValueError` with a message that names what is allowed.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_DURATION: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?|\.[0-9]{1,9}) ?([a-zµμ]*)")
_SIZE: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")
_DURATION_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # MICRO SIGN
    "μs": 1_000,  # GREEK SMALL LETTER MU
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_SIZE_UNITS: Final = {
    "b": 1,
    "k": 1 << 10,
    "m": 1 << 20,
    "g": 1 << 30,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "kb": 1_000,
    "mb": 1_000_000,
    "gb": 1_000_000_000,
}
_LARGEST: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class StatusRange:
    """Status codes from ``low`` to ``high``, both included; 0 to 0 means "no response"."""

    low: int
    high: int

    def __contains__(self, code: object) -> bool:
        return isinstance(code, int) and self.low <= code <= self.high


def parse_duration(text: str, bare_ns: int | None = None) -> int:
    """Return the nanoseconds of ``10ms``, ``1.5s``, ``2m``.

    ``bare_ns`` is the unit, in nanoseconds, of a number without one; None: such a number is an
    error, except 0.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError("a duration such as 10ms, 1.5s or 2m is needed")
    number, unit = found.groups()
    if unit:
        factor = _DURATION_UNITS.get(unit)
        if factor is None:
            raise ValueError(f"unknown unit {unit!r}: use ns, us, ms, s, m or h")
    elif bare_ns is not None or float(number) == 0:
        factor = bare_ns or 1
    else:
        raise ValueError(f"a unit is needed, as in {number}ms or {number}s")
    return _scaled(number, factor)


def format_duration(duration_ns: int) -> str:
    """Return the shortest text that :func:`parse_duration` turns back into the same value."""
    for unit in ("h", "m", "s", "ms", "us"):
        if duration_ns and duration_ns % _DURATION_UNITS[unit] == 0:
            return f"{duration_ns // _DURATION_UNITS[unit]}{unit}"
    return f"{duration_ns}ns" if duration_ns else "0s"


def parse_size(text: str) -> int:
    """Return the bytes of ``512``, ``4KiB``, ``1.5MB``; K, M and G alone are powers of 1024."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError("a size such as 512, 4KiB or 1MB is needed")
    number, unit = found.groups()
    factor = _SIZE_UNITS.get(unit.lower() or "b")
    if factor is None:
        raise ValueError(f"unknown unit {unit!r}: use B, kB, MB, GB, KiB, MiB or GiB")
    return _scaled(number, factor)


def format_size(size_bytes: int) -> str:
    """Return the shortest text that :func:`parse_size` turns back into the same value."""
    for unit in ("GiB", "MiB", "KiB"):
        if size_bytes and size_bytes % _SIZE_UNITS[unit.lower()] == 0:
            return f"{size_bytes // _SIZE_UNITS[unit.lower()]}{unit}"
    return str(size_bytes)


def parse_status(text: str) -> StatusRange:
    """Return the codes of ``404``, ``5xx``, ``400-499``; ``unknown`` means no response."""
    text = text.strip().lower()
    if text == "unknown":
        return StatusRange(0, 0)
    if re.fullmatch("[1-9]xx", text):
        low = int(text[0]) * 100
        return StatusRange(low, low + 99)
    found = re.fullmatch("([1-9][0-9]{2})(?:-([1-9][0-9]{2}))?", text)
    if found is None:
        raise ValueError("a status such as 404, 5xx, 400-499 or unknown is needed")
    low, high = int(found[1]), int(found[2] or found[1])
    if low > high:
        raise ValueError(f"the range runs backwards: did you mean {high}-{low}?")
    return StatusRange(low, high)


def parse_integer(text: str, low: int = 0, high: int = _LARGEST) -> int:
    """Return a decimal integer from ``low`` to ``high``."""
    text = text.strip()
    if not re.fullmatch("[0-9]{1,18}", text, re.ASCII) or not low <= int(text) <= high:
        raise ValueError(_integer_needed(low, high))
    return int(text)


def _integer_needed(low: int, high: int) -> str:
    limits = f"from {low} to {high}" if high < _LARGEST else f"of at least {low}"
    return f"a whole number {limits} is needed"


@lru_cache(maxsize=1024)
def glob(pattern: str) -> re.Pattern[str]:
    """Return a shell glob as a regular expression for ``match``; ``*`` matches slashes, too."""
    return re.compile(fnmatch.translate(pattern))


def matches_any(text: str, globs: tuple[str, ...]) -> bool:
    """Return whether a glob matches all of ``text``; true without globs."""
    return not globs or any(glob(pattern).match(text) for pattern in globs)


def _scaled(number: str, factor: int) -> int:
    whole, _, fraction = number.partition(".")
    value = int(whole or "0") * factor
    if fraction:
        value += int(fraction) * factor // 10 ** len(fraction)
    if value > _LARGEST:
        raise ValueError("the number is too large")
    return value


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'comm'?"`` for a misspelt word, an empty text without a guess."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""
