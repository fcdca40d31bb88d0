"""Menus of letters: a key opens one, the next key chooses from it.

The key bar shows the letters meanwhile; the table itself stays in sight. This module does not need
Textual.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from httptop.filters.by_row import RowField
from httptop.view.grouping import GROUPING_NAMES, GROUPINGS


@dataclass(frozen=True, slots=True)
class Choice:
    """One letter of a menu."""

    key: str  # a letter or a digit
    label: str
    does: str  # Textual's action
    beside: bool = False  # whether it does something else, and is no choice of what the menu asks


@dataclass(frozen=True, slots=True)
class Menu:
    """What may follow a key."""

    title: str
    choices: tuple[Choice, ...]

    def chosen(self, key: str) -> Choice | None:
        """Return the choice of a key; None: it has none."""
        return next((choice for choice in self.choices if choice.key == key), None)


#: The letters by which a value of the selected row is kept or left out.
_ROW_LETTERS: Final[tuple[tuple[str, str, RowField], ...]] = (
    ("p", "process", "comm"),
    ("a", "path", "path"),
    ("s", "status", "status"),
    ("i", "pid", "pid"),
    ("h", "from", "peer"),
    ("r", "port", "port"),
    ("m", "method", "method"),
    ("u", "user", "user"),
    ("c", "container", "container"),
)
#: Likewise in a fleet.
_HOST_LETTER: Final[tuple[str, str, RowField]] = ("o", "host", "host")

#: The letters that sort, by the names of ``view.sorts.SORTS``; the likeliest first, as where there
#: is little room the others are not shown.
SORT_LETTERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "rps": "r",
        "p99": "9",
        "error_share": "e",
        "in_flight": "i",
        "oldest": "o",
        "change": "d",
        "share": "s",
        "p50": "5",
        "requests": "n",
        "path": "a",
        "process": "p",
        "p95": "6",
        "max": "x",
        "5xx": "f",
        "4xx": "4",
        "3xx": "3",
        "2xx": "2",
        "1xx": "1",
        "errors": "E",
        "unanswered": "w",
        "response_bytes": "b",
        "request_bytes": "q",
        "method": "m",
        "mean": "g",
        "p90": "0",
        "p999": "8",
        "trend": "l",
        "user": "u",
        "container": "c",
        "host": "h",
        "port": "t",
        "protocol": "v",
    }
)

#: The letters that sort groups, by the names of ``view.groups.GROUP_SORTS``.
GROUP_LETTERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{name: SORT_LETTERS[name] for name in ("rps", "p99", "error_share", "in_flight")},
        **{name: SORT_LETTERS[name] for name in ("mean", "max")},
        "name": "a",
        "endpoints": "t",
    }
)


def sort_menu(
    titles: Mapping[str, str], sort: str, letters: Mapping[str, str] = SORT_LETTERS
) -> Menu:
    """Return the menu of orders, by their titles; ``sort``, the present one, would be reversed."""
    choices = (
        Choice(
            letter,
            "reverse" if name == sort else titles.get(name, name.upper()),
            f"screen.sort_by({name!r})",
        )
        for name, letter in letters.items()
    )
    return Menu("sort by", tuple(choices))


def group_sort_menu(titles: Mapping[str, str], sort: str) -> Menu:
    """Return the menu of the orders of groups that have a column, by their titles."""
    letters = {name: letter for name, letter in GROUP_LETTERS.items() if name in titles}
    return sort_menu(titles, sort, letters)


def group_menu(*, fleet: bool = False) -> Menu:
    """Return the menu of what rows can be grouped by; ``fleet``: whether they have hosts."""
    choices = [
        Choice(str(digit), name, f"screen.group_by({by!r})")
        for digit, (by, name) in enumerate(GROUPINGS.items(), start=1)
    ]
    if fleet:
        choices.append(Choice("0", GROUPING_NAMES["host"], "screen.group_by('host')"))
    return Menu("group by", (*choices, Choice("g", "first row", "screen.first_row", beside=True)))


def row_menu(*, excluded: bool, fleet: bool = False) -> Menu:
    """Return the menu of the selected row's values, which are kept or ``excluded``.

    ``fleet``: whether rows have hosts.
    """
    choices = (
        Choice(letter, label, f"screen.by_row('{field}', {excluded})")
        for letter, label, field in (*_ROW_LETTERS, *((_HOST_LETTER,) if fleet else ()))
    )
    return Menu("hide" if excluded else "only", tuple(choices))
