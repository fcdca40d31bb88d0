"""Make Textual's bindings from the table of actions."""

from __future__ import annotations

from collections.abc import Sequence

from textual.binding import Binding, BindingType

from httptop.view.keys import ACTIONS, Place, effective


def bindings(place: Place) -> list[BindingType]:
    """Return the bindings of a place; their ids are the actions' names, so keys can be changed."""
    return [
        Binding(
            ",".join(action.keys),
            action.does,
            action.meaning,
            show=False,
            priority=action.priority,
            id=action.name,
        )
        for action in ACTIONS
        if action.place == place
    ]


def keymap(own: Sequence[str]) -> dict[str, str]:
    """Return the keys of actions that the user's own keys change, in Textual's format."""
    return {
        action.name: ",".join(action.keys)
        for action, ours in zip(effective(own), ACTIONS, strict=True)
        if action.keys != ours.keys
    }
