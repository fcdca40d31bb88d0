"""The tree of a filter: frozen, comparable, and printable as an equivalent filter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from httptop.filters.values import Value


class FilterError(ValueError):
    """A text is not a valid filter; ``column`` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.message = message
        self.column = column


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison of a field with values; it holds if it does for any of them."""

    name: str  # of the field
    operator: str  # one of = != ~ !~ < <= > >=
    values: tuple[Value, ...]
    column: int = field(default=1, compare=False)

    def __str__(self) -> str:
        # In a list of globs, /a,/b/ would read as one regular expression.
        quote = len(self.values) > 1 and self.operator in ("~", "!~")
        values = ",".join(value.quoted() if quote else str(value) for value in self.values)
        return f"{self.name} {self.operator} {values}"


@dataclass(frozen=True, slots=True)
class Not:
    """The negation of ``item``."""

    item: Expression

    def __str__(self) -> str:
        return f"not {_bracketed(self.item, And, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    """All of ``items``, at least two."""

    items: tuple[Expression, ...]

    def __str__(self) -> str:
        return " and ".join(_bracketed(item, Or) for item in self.items)


@dataclass(frozen=True, slots=True)
class Or:
    """Any of ``items``, at least two."""

    items: tuple[Expression, ...]

    def __str__(self) -> str:
        return " or ".join(str(item) for item in self.items)


Expression = Compare | Not | And | Or


def _bracketed(item: Expression, *looser: type[And] | type[Or]) -> str:
    return f"({item})" if isinstance(item, looser) else str(item)


def conjuncts(expression: Expression) -> tuple[Expression, ...]:
    """Return the parts that must all hold; the expression itself if it is not an ``and``."""
    if isinstance(expression, And):
        return tuple(part for item in expression.items for part in conjuncts(item))
    return (expression,)


def comparisons(expression: Expression) -> Iterator[Compare]:
    """Yield every comparison of an expression, left to right."""
    match expression:
        case Compare():
            yield expression
        case Not(item):
            yield from comparisons(item)
        case And(items) | Or(items):
            for item in items:
                yield from comparisons(item)
