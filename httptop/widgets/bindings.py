"""Make Textual's bindings from the table of actions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from textual.binding import Binding, BindingType

from httptop.view.keys import ACTIONS, Action, Place, effective

#: The actions of time: they lead to what was on the screen before, and back.
TRAVEL: Final = (
    *("pause", "earlier", "later", "much_earlier", "much_later", "now"),
    *("play", "slower", "faster"),
)


def bindings(place: Place) -> list[BindingType]:
    """Return the bindings of a place; their ids are the actions' names, so keys can be changed."""
    return _bindings(action for action in ACTIONS if action.place == place)


def named(*names: str) -> list[BindingType]:
    """Return the bindings of some actions of the dashboard, for a page that has them as well."""
    return _bindings(action for action in ACTIONS if action.name in names)


def _bindings(actions: Iterable[Action]) -> list[BindingType]:
    return [
        Binding(
            ",".join(action.keys),
            action.does,
            action.meaning,
            show=False,
            priority=action.priority,
            id=action.name,
        )
        for action in actions
    ]


def row_meanings(row: str, opens: str) -> dict[str, str]:
    """Return what the keys of a table mean where its rows are no endpoints, by their names."""
    return {
        "down": f"next {row}",
        "up": f"previous {row}",
        "first": f"first {row}",
        "last": f"last {row}",
        "open": opens,
        "fold": "one page down",
    }


def keymap(own: Sequence[str]) -> dict[str, str]:
    """Return the keys of actions that the user's own keys change, in Textual's format."""
    return {
        action.name: ",".join(action.keys)
        for action, ours in zip(effective(own), ACTIONS, strict=True)
        if action.keys != ours.keys
    }
