"""Menus of letters: a key opens one, the next key chooses from it.

The key bar shows the letters meanwhile; the table itself stays in sight. This module does not need
Textual.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from httptop.filters.by_row import RowField


@dataclass(frozen=True, slots=True)
class Choice:
    """One letter of a menu."""

    key: str  # a letter or a digit
    label: str
    does: str  # Textual's action


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
)


def row_menu(*, excluded: bool) -> Menu:
    """Return the menu of the selected row's values, which are kept or ``excluded``."""
    choices = (
        Choice(letter, label, f"screen.by_row('{field}', {excluded})")
        for letter, label, field in _ROW_LETTERS
    )
    return Menu("hide" if excluded else "only", tuple(choices))
