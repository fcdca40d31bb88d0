"""The kinds of values of settings: how to read them from TOML or text, check them, write them.

``parse`` converts a value from tomllib into the one that the program uses; ``parse_text`` converts
the text of a flag or an environment variable. Both raise :class:`ValueError` that says what is
allowed. ``show`` returns TOML that ``parse`` converts back into the same value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import tomli_w

from httptop.literals import (
    format_duration,
    format_size,
    nearest,
    parse_duration,
    parse_integer,
    parse_size,
)

_MOST_ITEMS = 1024
_LONGEST_TEXT = 4096


class Kind(Protocol):
    """How one kind of value is read, checked and written."""

    @property
    def allowed(self) -> str:
        """What is allowed, for messages and the documentation."""

    def parse(self, value: object) -> object:
        """Return the setting's value for a TOML value; raise ValueError."""

    def parse_text(self, text: str) -> object:
        """Return the setting's value for a text; raise ValueError."""

    def show(self, value: object) -> str:
        """Return the value as TOML."""


def show_text(text: str) -> str:
    """Return a text as a TOML string."""
    return tomli_w.dumps({"x": text}).removeprefix("x = ").removesuffix("\n")


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration from ``low_ns`` to ``high_ns``, in seconds or in nanoseconds."""

    low_ns: int
    high_ns: int
    seconds: bool = False  # the value is float seconds; a number without a unit means seconds

    @property
    def allowed(self) -> str:
        return f"{format_duration(self.low_ns)} to {format_duration(self.high_ns)}"

    def parse(self, value: object) -> object:
        if isinstance(value, str):
            return self.parse_text(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return self.parse_text(str(value))
        raise ValueError(f"a duration is needed, {self.allowed}")

    def parse_text(self, text: str) -> object:
        value_ns = parse_duration(text, 1_000_000_000 if self.seconds else None)
        if not self.low_ns <= value_ns <= self.high_ns:
            raise ValueError(f"{self.allowed} is allowed")
        return value_ns / 1e9 if self.seconds else value_ns

    def show(self, value: object) -> str:
        assert isinstance(value, (int, float))
        return show_text(format_duration(round(value * 1e9) if self.seconds else int(value)))


@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes."""

    low: int
    high: int
    power_of_two: bool = False

    @property
    def allowed(self) -> str:
        suffix = ", a power of two" if self.power_of_two else ""
        return f"{format_size(self.low)} to {format_size(self.high)}{suffix}"

    def parse(self, value: object) -> object:
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            return self.parse_text(str(value))
        raise ValueError(f"a size is needed, {self.allowed}")

    def parse_text(self, text: str) -> object:
        value = parse_size(text)
        if not self.low <= value <= self.high or (self.power_of_two and value & (value - 1)):
            raise ValueError(f"{self.allowed} is allowed")
        return value

    def show(self, value: object) -> str:
        assert isinstance(value, int)
        return show_text(format_size(value))


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number."""

    low: int
    high: int

    @property
    def allowed(self) -> str:
        return f"{self.low} to {self.high}"

    def parse(self, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            if not self.low <= value <= self.high:
                raise ValueError(f"{self.allowed} is allowed")
            return value
        raise ValueError(f"a whole number is needed, {self.allowed}")

    def parse_text(self, text: str) -> object:
        minus, _, digits = text.strip().rpartition("-")
        if self.low < 0 and not minus and digits != text.strip():
            return self.parse(-parse_integer(digits))
        return parse_integer(text, max(self.low, 0), self.high)

    def show(self, value: object) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class Number:
    """A number that need not be whole."""

    low: int
    high: int

    @property
    def allowed(self) -> str:
        return f"{self.low} to {self.high}, with decimals"

    def parse(self, value: object) -> object:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if not self.low <= value <= self.high:  # NaN is in no range
                raise ValueError(f"{self.allowed} is allowed")
            return float(value)
        raise ValueError(f"a number is needed, {self.allowed}")

    def parse_text(self, text: str) -> object:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text.strip(), re.ASCII):
            raise ValueError(f"a number is needed, {self.allowed}")
        return self.parse(float(text))

    def show(self, value: object) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class Switch:
    """On or off."""

    @property
    def allowed(self) -> str:
        return "true | false"

    def parse(self, value: object) -> object:
        if not isinstance(value, bool):
            raise ValueError("true or false is needed")
        return value

    def parse_text(self, text: str) -> object:
        if text.lower() not in ("true", "false"):
            raise ValueError("true or false is needed")
        return text.lower() == "true"

    def show(self, value: object) -> str:
        return "true" if value else "false"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        return " | ".join(self.words)

    def parse(self, value: object) -> object:
        if not isinstance(value, str):
            raise ValueError(f"one of {', '.join(self.words)} is needed")
        return self.parse_text(value)

    def parse_text(self, text: str) -> object:
        if text not in self.words:
            raise ValueError(f"one of {', '.join(self.words)} is needed{nearest(text, self.words)}")
        return text

    def show(self, value: object) -> str:
        return show_text(str(value))


@dataclass(frozen=True, slots=True)
class Text:
    """A text; ``check`` returns it in its normal form or raises ValueError."""

    allowed: str
    check: Callable[[str], str]

    def parse(self, value: object) -> object:
        if not isinstance(value, str):
            raise ValueError(f"a text is needed: {self.allowed}")
        return self.parse_text(value)

    def parse_text(self, text: str) -> object:
        if len(text) > _LONGEST_TEXT:
            raise ValueError(f"at most {_LONGEST_TEXT} characters are allowed")
        if not text.isprintable():
            raise ValueError("only printable characters are allowed")
        return self.check(text)

    def show(self, value: object) -> str:
        return show_text(str(value))


@dataclass(frozen=True, slots=True)
class Many:
    """A list of values of another kind, without duplicates, in the given order."""

    item: Kind

    @property
    def allowed(self) -> str:
        return f"list of: {self.item.allowed}"

    def parse(self, value: object) -> object:
        if not isinstance(value, list):
            raise ValueError(f"a list such as [...] is needed; each item: {self.item.allowed}")
        return self._checked([self.item.parse(item) for item in value])

    def parse_text(self, text: str) -> object:
        items = [item.strip() for item in text.split(",")] if text.strip() else []
        if not all(items):
            raise ValueError("an item between commas is empty")
        return self._checked([self.item.parse_text(item) for item in items])

    def show(self, value: object) -> str:
        assert isinstance(value, tuple)
        return "[" + ", ".join(self.item.show(item) for item in value) + "]"

    def _checked(self, items: list[object]) -> tuple[object, ...]:
        if len(items) > _MOST_ITEMS:
            raise ValueError(f"at most {_MOST_ITEMS} items are allowed")
        return tuple(dict.fromkeys(items))


@dataclass(frozen=True, slots=True)
class Ascending(Many):
    """A list of numbers in ascending order, of which there is one at least."""

    most: int

    @property
    def allowed(self) -> str:
        return f"list of at most {self.most}, ascending: {self.item.allowed}"

    def _checked(self, items: list[object]) -> tuple[object, ...]:
        numbers = [item for item in items if isinstance(item, int)]
        if not 0 < len(items) <= self.most:
            raise ValueError(f"one at least is needed, and {self.most} at most")
        if any(after <= before for before, after in pairwise(numbers)):
            raise ValueError("each must be above the one before")
        return tuple(items)
