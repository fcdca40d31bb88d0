"""What can be done on a screen, and by which keys; help page and palette are made of it.

All of it comes from the bindings of the screen and of the widget that has the focus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen

from httptop.view.keys import GROUPS, Action, shown
from httptop.view.menus import Menu

#: The group of what a page has of its own, unless the tooltip of a binding names another.
THIS_PAGE: Final = "This page"


@dataclass(frozen=True, slots=True)
class Command:
    """Something that can be done."""

    group: str
    keys: tuple[str, ...]  # by their names on the screen, the likeliest first
    meaning: str
    does: str  # Textual's action
    node: DOMNode  # whose action it is
    name: str = ""  # in ui.keys


def commands(screen: Screen[Any], actions: Sequence[Action]) -> list[Command]:
    """Return what can be done on a screen, by groups; ``actions``: all that have a name.

    A key that does two things, as one of a page and one of the app, does what the page has.
    """
    known = {action.name: action for action in actions}
    found: list[Command] = []
    taken: set[str] = set()
    for node, binding in own_bindings(screen):
        action = known.get(binding.id or "")
        keys = tuple(map(str.strip, binding.key.split(","))) if action is None else action.keys
        meaning = _meaning(binding) if action is None else _here(node, action)
        free = tuple(shown(key) for key in keys if key not in taken)
        taken.update(keys)
        if meaning and free:
            name = "" if action is None else action.name
            group = GROUPS.get(name) or binding.tooltip or THIS_PAGE
            found.append(Command(group, free, meaning, binding.action, node, name))
    order = [THIS_PAGE, *dict.fromkeys(GROUPS.values())]
    ranks = {name: at for at, name in enumerate(GROUPS)}
    return sorted(found, key=lambda one: (order.index(one.group), ranks.get(one.name, -1)))


def letters(menu: Menu, key: str, node: DOMNode) -> list[Command]:
    """Return what the letters of a menu do, of which ``key`` is the one that opens it."""
    return [
        Command(
            menu.title, (f"{key} {choice.key}",), f"{menu.title} {choice.label}", choice.does, node
        )
        for choice in menu.choices
        if not choice.beside
    ]


def own_bindings(screen: Screen[Any]) -> Iterator[tuple[DOMNode, Binding]]:
    """Yield our own bindings, those of the widget with the focus first."""
    focused = screen.focused
    nodes = [screen, screen.app] if focused is None else focused.ancestors_with_self
    for node in nodes:
        for kind in type(node).__mro__:
            if kind.__module__.startswith("httptop."):
                for binding in kind.__dict__.get("BINDINGS", ()):
                    yield node, binding


def _here(node: DOMNode, action: Action) -> str:
    """Return what an action means where it is; a widget may have words of its own for it."""
    own: Mapping[str, str] = getattr(node, "MEANINGS", {})
    return own.get(action.name, action.meaning)


def _meaning(binding: Binding) -> str:
    """Return a description as the middle of a sentence."""
    return binding.description[:1].lower() + binding.description[1:]
