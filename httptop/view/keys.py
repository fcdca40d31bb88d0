"""What keys do, once: the bindings, the help page and ``ui.keys`` are made from this table.

A key of the user's own goes before ours: it is taken from the action that has it, unless that
action would be left without a key. Without Textual, so that the settings can be checked.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from httptop.literals import nearest

Place = Literal["table", "dashboard", "app"]


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a key does; keys are named as Textual names them."""

    name: str  # in ui.keys
    keys: tuple[str, ...]
    does: str  # Textual's action
    place: Place
    meaning: str  # on the help page
    #: Goes before what has the focus: the letters typed right behind it must find the input.
    priority: bool = False


ACTIONS: Final[tuple[Action, ...]] = (
    Action("down", ("j", "down"), "move(1)", "table", "next endpoint"),
    Action("up", ("k", "up"), "move(-1)", "table", "previous endpoint"),
    Action("page_down", ("pagedown", "space"), "page(1)", "table", "a page down"),
    Action("page_up", ("pageup",), "page(-1)", "table", "a page up"),
    Action("first", ("g", "home"), "edge(0)", "table", "first endpoint"),
    Action("last", ("G", "end"), "edge(1)", "table", "last endpoint"),
    Action("open", ("enter",), "open", "table", "open the endpoint (or double click)"),
    Action("path", ("slash",), "filter", "dashboard", "show only paths that contain a text", True),
    Action("filter", ("f",), "edit_filter", "dashboard", "filter by anything: status = 5xx", True),
    Action(
        "only_process", ("o",), "only('comm')", "dashboard", "only the process of the selected row"
    ),
    Action("only_path", ("a",), "only('path')", "dashboard", "only its path"),
    Action("only_status", ("t",), "only('status')", "dashboard", "only a status that it has"),
    Action("only_pid", ("i",), "only('pid')", "dashboard", "only its process numbers (PID)"),
    Action("not_process", ("O",), "exclude('comm')", "dashboard", "all but its process"),
    Action("not_path", ("A",), "exclude('path')", "dashboard", "all but its path"),
    Action("not_status", ("T",), "exclude('status')", "dashboard", "all but a status that it has"),
    Action("not_pid", ("I",), "exclude('pid')", "dashboard", "all but its process numbers"),
    Action("drop_last", ("backspace",), "drop_filter(-1)", "dashboard", "remove the last filter"),
    Action(
        "drop", ("x",), "pick_filter", "dashboard", "remove a filter by its number (click its x)"
    ),
    Action(
        "clear", ("escape",), "clear", "dashboard", "remove all filters; then let the selection go"
    ),
    Action(
        "side",
        ("tab", "c", "shift+tab"),
        "toggle_side",
        "dashboard",
        "the other side: server or client",
    ),
    Action("sort", ("s", "greater_than_sign"), "cycle_sort(1)", "dashboard", "sort by next column"),
    Action(
        "sort_back", ("S", "less_than_sign"), "cycle_sort(-1)", "dashboard", "by previous column"
    ),
    Action("reverse", ("r",), "reverse", "dashboard", "reverse the order"),
    Action("pause", ("p",), "pause", "dashboard", "pause the screen; counting goes on"),
    Action("live", ("l",), "live", "dashboard", "live requests: more, none, some"),
    Action("request", ("L",), "choose", "dashboard", "choose a live request; Enter opens it", True),
    Action("merge", ("m",), "merge", "dashboard", "count paths like the selected one together"),
    Action("split", ("u",), "split", "dashboard", "count paths like the selected one apart"),
    Action("save", ("w",), "save", "dashboard", "write what was changed here to the settings"),
    Action("notes", ("n",), "app.notes", "dashboard", "what is missed and what cannot be seen"),
    Action("coverage", ("y",), "app.coverage", "dashboard", "why a process is not seen"),
    Action("demo", ("d",), "app.demo", "dashboard", "start the demo, while there is no traffic"),
    Action("help", ("question_mark", "h", "f1"), "help", "app", "this page"),
    Action("quit", ("q",), "ask_quit", "app", "quit"),
    Action("quit_now", ("ctrl+c",), "quit", "app", "quit without a question", True),
)

#: Keys that cannot be given to anything else, and what they do.
RESERVED: Final = {**dict.fromkeys("1234567890", "sorts by a column"), "ctrl+q": "quits"}

_NAMED: Final = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
_SIGNS: Final = {
    _NAMED.get(name, name): sign
    for sign in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
    for name in [unicodedata.name(sign).lower().replace("-", "_").replace(" ", "_")]
}
_SHOWN: Final = {
    "escape": "Esc",
    "enter": "Enter",
    "tab": "Tab",
    "space": "Space",
    "backspace": "Bksp",
    "delete": "Del",
    "insert": "Ins",
    "home": "Home",
    "end": "End",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
}


def shown(key: str) -> str:
    """Return how a key is called on the screen: ``?``, ``Esc``, ``Ctrl-C``."""
    *modifiers, last = key.split("+")
    name = _SIGNS.get(last) or _SHOWN.get(last) or last
    if modifiers or (len(name) > 1 and name.startswith("f") and name[1:].isdecimal()):
        name = name[0].upper() + name[1:]
    return "-".join([*(modifier.capitalize() for modifier in modifiers), name])


def parse_key(text: str) -> tuple[str, str]:
    """Return action and key of ``pause=space``; raise :class:`ValueError` saying what is wrong."""
    name, equals, key = text.partition("=")
    if not equals or not name or not key:
        raise ValueError("an action and its key are needed, as in pause=space")
    names = [action.name for action in ACTIONS]
    if name not in names:
        hint = nearest(name, names) or f": there are {', '.join(names)}"
        raise ValueError(f"unknown action {name!r}{hint}")
    key = next((long for long, sign in _SIGNS.items() if sign == key), key)
    *modifiers, last = key.split("+")
    letter = len(last) == 1 and last.isascii() and last.isalnum()
    function = last[:1] == "f" and last[1:] in {str(n) for n in range(1, 13)}
    if not (letter or function or last in _SIGNS or last in _SHOWN) or not set(modifiers) <= {
        "ctrl",
        "shift",
        "alt",
    }:
        hint = nearest(last, [*_SIGNS, *_SHOWN])
        raise ValueError(f"unknown key {key!r}: x, X, f2, ctrl+x, space or slash is meant{hint}")
    if key in RESERVED:
        raise ValueError(f"the key {key} {RESERVED[key]}")
    return name, key


def effective(own: Sequence[str] = ()) -> tuple[Action, ...]:
    """Return all actions with the keys that they have when ``own`` ones are given to some.

    Those of the user's come first. Raises :class:`ValueError` where a key is given away twice, or
    an action would be left without one.
    """
    given: dict[str, str] = {}
    for text in own:
        name, key = parse_key(text)
        if given.setdefault(key, name) != name:
            raise ValueError(f"the key {key} is given to both {given[key]!r} and {name!r}")
    actions: list[Action] = []
    for action in ACTIONS:
        ours = [key for key in action.keys if given.get(key, action.name) == action.name]
        theirs = [key for key, name in given.items() if name == action.name]
        keys = tuple(dict.fromkeys([*theirs, *ours]))
        if not keys:
            lost = action.keys[0]
            raise ValueError(
                f"{given[lost]}={lost}: {lost} is the only key of {action.name!r}; "
                f"give that another one, as in {action.name}=f12"
            )
        actions.append(replace(action, keys=keys))
    return tuple(actions)
