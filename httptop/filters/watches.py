"""Watches: a figure of endpoints that filters select, and the limit that it is not to pass.

::

    watch = scope measure operator limit [ "for" duration ]
    scope = "all" | "any" [ expression ] | expression
    operator = "<" | "<=" | ">" | ">="
    limit = duration | number "%" | number "/s" | number | number "x" "usual"

``any`` looks at each endpoint by itself, otherwise endpoints are taken together, each side by
itself. ``expression`` is a filter of :mod:`httptop.filters.parser` on what an endpoint is named by.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from httptop.filters.matching import KEY_FIELDS
from httptop.filters.parser import MAX_LENGTH, Parser
from httptop.filters.tree import Expression, FilterError, comparisons
from httptop.filters.values import ORDERINGS
from httptop.literals import format_duration, nearest, parse_duration, parse_integer
from httptop.printable import clean

#: How long a state has to last before it counts, where the watch does not say.
HOLD_S: Final = 5.0
_LONGEST_S: Final = 3600
#: Fields of filters that select what is watched.
FIELDS: Final = KEY_FIELDS | {"user"}

Unit = Literal["duration", "share", "rate", "count"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure that can be watched."""

    unit: Unit
    meaning: str
    each: bool = True  # known of a single endpoint
    together: bool = True  # known of some endpoints together


_OF_WINDOW: Final = "latency of the window"
MEASURES: Final = {
    **{
        name: Measure("duration", f"{name} {_OF_WINDOW}", together=False)
        for name in ("p50", "p90", "p95", "p99", "p999", "max")
    },
    "errors": Measure("share", "requests that failed or had no response, in the window"),
    "5xx": Measure("share", "responses with a status of 500 or more", each=False, together=False),
    "rate": Measure("rate", "requests a second in the window"),
    "in_flight": Measure("count", "requests without a response yet"),
    "oldest": Measure("duration", "age of the oldest request in flight"),
}
_EXAMPLES: Final = {
    "duration": "a duration such as 500ms",
    "share": "a share such as 1%",
    "rate": "a rate such as 10/s",
    "count": "a number such as 5",
}


@dataclass(frozen=True, slots=True)
class Watch:
    """A watch; its text is an equivalent one."""

    each: bool  # every endpoint by itself
    expression: Expression | None  # which endpoints; None: all of them
    measure: str  # of MEASURES
    operator: str  # < <= > >=
    limit: float  # nanoseconds, a share of 0 to 1, a number a second, a number
    usual: bool = False  # the limit is how many times as high as usual
    hold_s: float = HOLD_S  # how long it must be passed before that counts

    def __str__(self) -> str:
        scope = " ".join(
            [
                *(["any"] if self.each else []),
                *([] if self.expression is None else [str(self.expression)]),
            ]
        )
        hold = "" if self.hold_s == HOLD_S else f" for {format_duration(round(self.hold_s * 1e9))}"
        return f"{scope or 'all'} {self.measure} {self.operator} {self.limit_text}{hold}"

    @property
    def scope_text(self) -> str:
        """Which endpoints it is about: ``any endpoint``, ``all``, or a filter, made printable."""
        if self.expression is None:
            return "any endpoint" if self.each else "all"
        which = clean(str(self.expression).encode("utf-8", "replace"))
        return f"any of {which}" if self.each else which

    @property
    def limit_text(self) -> str:
        """The limit as it is written."""
        if self.usual:
            return f"{_short(self.limit)}x usual"
        match MEASURES[self.measure].unit:
            case "duration":
                return format_duration(round(self.limit))
            case "share":
                return f"{_short(self.limit * 100)}%"
            case "rate":
                return f"{_short(self.limit)}/s"
            case "count":
                return _short(self.limit)

    @property
    def passes(self) -> Callable[[float], bool]:
        """The test of whether a value passes the limit."""
        limit = self.limit
        match self.operator:
            case "<":
                return lambda value: value < limit
            case "<=":
                return lambda value: value <= limit
            case ">":
                return lambda value: value > limit
            case _:
                return lambda value: value >= limit

    @property
    def above(self) -> bool:
        """Whether the worse values are the higher ones."""
        return self.operator.startswith(">")


def parse_watch(text: str) -> Watch:
    """Return a watch; raise :class:`FilterError` with the column of the error."""
    if len(text) > MAX_LENGTH:
        raise FilterError(f"a watch has at most {MAX_LENGTH} characters", MAX_LENGTH)
    return _WatchParser(text).watch()


class _WatchParser(Parser):
    def watch(self) -> Watch:
        self.skip()
        if self.at == len(self.text):
            raise self.error("the watch is empty")
        start = self.at
        alone, each = self.keyword("all"), False
        if not alone:
            each = self.keyword("any")
        expression = None
        if not self.at_measure():
            if alone:
                raise self.error(f"after 'all' {_measures()}")
            if each and self.at == len(self.text):
                raise self.error(f"a filter is needed, or {_measures()}")
            expression = self.expression()
        elif not alone and not each:
            raise FilterError("'all', 'any' or a filter is needed first", start + 1)
        return self.condition(each, expression)

    def expression(self) -> Expression:
        found = self.disjunction()
        for part in comparisons(found):
            if part.name in MEASURES:
                raise FilterError(
                    f"{part.name!r} is what is watched: no 'and' belongs before it", part.column
                )
            if part.name not in FIELDS:
                known = ", ".join(sorted(FIELDS))
                raise FilterError(
                    f"{part.name!r} does not select what is watched: use {known}", part.column
                )
        return found

    def condition(self, each: bool, expression: Expression | None) -> Watch:
        start = self.at
        name = self.run_of(frozenset("(),\"'=!<>~")).lower()
        if name not in MEASURES:
            hint = nearest(name, MEASURES)
            raise FilterError(f"{_measures()}{hint}", start + 1)
        self.require_known(name, each, expression, start)
        at_operator = self.at
        operator = self.operator()
        if operator not in ORDERINGS:
            raise FilterError(f"{name} needs one of < <= > >=", at_operator + 1)
        limit, usual = self.limit(name, operator, each)
        hold_s = HOLD_S
        if self.keyword("for"):
            hold_s = self.hold()
        if self.at < len(self.text):
            raise self.error(f"unexpected {self.text[self.at :][:20]!r}: only 'for 30s' may follow")
        return Watch(each, expression, name, operator, limit, usual, hold_s)

    def require_known(
        self, name: str, each: bool, expression: Expression | None, start: int
    ) -> None:
        measure = MEASURES[name]
        if not measure.each and (each or expression is not None):
            raise FilterError(f"{name} is known of 'all' only; use errors", start + 1)
        if expression is not None and not each and not measure.together:
            raise FilterError(
                f"{name} of several endpoints together is not known; 'any' in front watches each",
                start + 1,
            )

    def limit(self, name: str, operator: str, each: bool) -> tuple[float, bool]:
        start, unit = self.at, MEASURES[name].unit
        text = self.run_of(frozenset("(),"))
        try:
            if found := re.fullmatch(r"([0-9]{1,4}(?:\.[0-9]{1,3})?)x", text):
                if not self.keyword("usual"):
                    raise self.error("'usual' is needed here: > 3x usual")
                if name != "p99" or not each or not operator.startswith(">"):
                    raise ValueError("only of p99 it is known what is usual: any p99 > 3x usual")
                return float(found[1]), True
            return _limit(unit, text), False
        except FilterError:
            raise
        except ValueError as error:
            raise FilterError(f"{name} {text!r}: {error}", start + 1) from None

    def hold(self) -> float:
        start = self.at
        text = self.run_of(frozenset("(),"))
        try:
            hold_s = parse_duration(text) / 1e9
        except ValueError as error:
            raise FilterError(f"for {text!r}: {error}", start + 1) from None
        if hold_s > _LONGEST_S:
            raise FilterError("for: at most 1h", start + 1)
        return hold_s

    def at_measure(self) -> bool:
        """Return whether a measure and its operator come next."""
        start = self.at
        found = self.run_of(frozenset("(),\"'=!<>~")).lower() in MEASURES
        found = found and self.peek() in tuple("<>=!~")
        self.at = start
        return found


def _measures() -> str:
    return f"one of {', '.join(MEASURES)} is needed"


def _limit(unit: Unit, text: str) -> float:
    if unit == "duration":
        return float(parse_duration(text))
    if unit == "count":
        return float(parse_integer(text))
    end = "%" if unit == "share" else "/s"
    number = text.removesuffix(end)
    if number == text or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", number):
        raise ValueError(f"{_EXAMPLES[unit]} is needed")
    return float(number) / 100 if unit == "share" else float(number)


def _short(value: float) -> str:
    """Return a number as it would be typed."""
    rounded = round(value, 6)
    return str(int(rounded)) if math.isclose(rounded, int(rounded)) else f"{rounded}"
