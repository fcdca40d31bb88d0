"""The table of keys and actions, from which bindings, the help page and ``ui.keys`` are made.

A key that the user assigns is removed from the action that has it by default, unless that action
would be left without a key. This module does not need Textual, so that settings can be checked
without it.
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
    """An action and its keys, by Textual's names."""

    name: str  # in ui.keys
    keys: tuple[str, ...]
    does: str  # Textual's action
    meaning: str  # on the help page
    place: Place = "dashboard"
    #: Handled before the focused widget, so that keys pressed right after it go where it leads.
    priority: bool = False


ACTIONS: Final[tuple[Action, ...]] = (
    Action("down", ("j", "down"), "move(1)", "next endpoint", "table"),
    Action("up", ("k", "up"), "move(-1)", "previous endpoint", "table"),
    Action("page_down", ("pagedown",), "page(1)", "one page down", "table"),
    Action("page_up", ("pageup",), "page(-1)", "one page up", "table"),
    Action("first", ("home",), "edge(0)", "first endpoint (or gg)", "table"),
    Action("last", ("G", "end"), "edge(1)", "last endpoint", "table"),
    Action("open", ("enter",), "open", "open the endpoint (or double-click)", "table"),
    Action("follow", ("F",), "follow", "have the cursor follow its endpoint, or not"),
    Action("fold", ("space", "o"), "fold", "unfold or fold a path; else a page down", "table"),
    Action(
        "group",
        ("g",),
        "group",
        "group by path, process, ...: then a digit",
        priority=True,
    ),
    Action("tree", ("f5",), "tree", "group by path, as a tree; again: endpoints"),
    Action("path", ("slash", "f3"), "filter", "show only paths that contain a text", priority=True),
    Action(
        "filter", ("f", "f4"), "edit_filter", "filter by any field: status = 5xx", priority=True
    ),
    Action(
        "only",
        ("equals_sign",),
        "only",
        "only its process, path, ...: then a letter",
        priority=True,
    ),
    Action(
        "hide",
        ("exclamation_mark",),
        "hide",
        "hide its process, path, ...: then a letter",
        priority=True,
    ),
    Action("drop_last", ("backspace",), "drop_filter(-1)", "remove the last filter"),
    Action("drop", ("x",), "pick_filter", "remove a filter by number (or click its x)"),
    Action("clear", ("escape",), "clear", "remove all filters; again: deselect"),
    Action("side", ("tab", "c", "shift+tab"), "toggle_side", "switch sides: server or client"),
    Action("sort", ("s", "f6"), "sort", "sort by a column's letter; again: reverse", priority=True),
    Action("sort_next", ("greater_than_sign",), "cycle_sort(1)", "sort by the next column"),
    Action("sort_back", ("less_than_sign",), "cycle_sort(-1)", "sort by the previous column"),
    Action("reverse", ("r",), "reverse", "reverse the order"),
    Action("wider", ("plus",), "window(1)", "longer window: 10s, 1m, 5m, since start"),
    Action("narrower", ("minus",), "window(-1)", "shorter window"),
    Action("idle", ("z",), "idle", "hide idle endpoints, or show them"),
    Action("baseline", ("b",), "app.baseline", "set a baseline; again: what changed since"),
    Action(
        "earlier",
        ("left_square_bracket",),
        "travel(-1)",
        "go back one tick, and stay there",
    ),
    Action("later", ("right_square_bracket",), "travel(1)", "go forward one tick"),
    Action("much_earlier", ("left_curly_bracket",), "travel(0, -60)", "go back a minute"),
    Action("much_later", ("right_curly_bracket",), "travel(0, 60)", "go forward a minute"),
    Action("now", ("full_stop",), "live", "back to now; the end of a replay"),
    Action("play", ("P",), "play", "play on from a moment in the past, until now"),
    Action("slower", ("left_parenthesis",), "speed(-1)", "play the past at half the speed"),
    Action("faster", ("right_parenthesis",), "speed(1)", "play the past twice as fast"),
    Action("pause", ("p",), "pause", "pause the screen, or a replay; counting continues"),
    Action("in_flight", ("i",), "app.in_flight", "requests in flight now, the oldest first"),
    Action("watches", ("a",), "app.watches", "watches, and which limits were exceeded"),
    Action("merge", ("m",), "merge", "count paths like the selected one together"),
    Action("split", ("u",), "split", "count paths like the selected one separately"),
    Action("save", ("w",), "save", "save changes made here as settings"),
    Action(
        "health",
        ("n", "y"),
        "app.health",
        "what is missed, own cost, messages; why a service is not seen",
    ),
    Action("demo", ("d",), "app.demo", "start the demo, while there is no traffic"),
    Action(
        "export", ("e",), "export", "export what is shown: file or clipboard", "app", priority=True
    ),
    Action("help", ("question_mark", "h", "f1"), "help", "the keys of this page", "app"),
    Action(
        "palette", ("colon",), "palette", "search all actions of this page", "app", priority=True
    ),
    Action(
        "suspend",
        ("ctrl+z",),
        "suspend",
        "suspend; the shell's fg resumes",
        "app",
        priority=True,
    ),
    Action(
        "redraw",
        ("ctrl+l",),
        "redraw",
        "redraw the whole screen",
        "app",
        priority=True,
    ),
    Action("quit", ("q", "f10"), "ask_quit", "go back; quit from the first page", "app"),
    Action("quit_now", ("ctrl+c",), "quit", "quit without asking", "app", priority=True),
)

#: The group on the help page of each action, in the order of that page.
GROUPS: Final = {
    name: group
    for group, names in (
        ("Move", "down up page_down page_up first last open fold follow"),
        ("Find and filter", "path filter only hide drop_last drop clear"),
        (
            "Order, figures and panels",
            "group tree sort sort_next sort_back reverse wider narrower idle side",
        ),
        ("Time", "pause earlier later much_earlier much_later now play slower faster"),
        ("Pages", "in_flight watches baseline health help palette quit"),
        ("httptop", "merge split save export demo redraw suspend quit_now"),
    )
    for name in names.split()
}

#: Names in ``ui.keys`` of actions that are no more, and what does the same.
_GONE: Final = {
    "request": "the digit in the title of a panel",
    "live": "the digit in the title of a panel, pressed twice,",
    "notes": "health",
    "coverage": "health",
} | {
    f"{which}_{field}": f"{name} ({sign}), then {letter}"
    for which, name, sign in (("only", "only", "="), ("not", "hide", "!"))
    for field, letter in (("process", "p"), ("path", "a"), ("status", "s"), ("pid", "i"))
}

#: How many items can be chosen by a digit, starting with 1.
DIGITS: Final = 9

#: Keys that cannot be assigned, and what they do.
RESERVED: Final = {**dict.fromkeys("1234567890", "chooses a panel"), "ctrl+q": "quits"}

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
    """Return the name of a key on the screen: ``?``, ``Esc``, ``Ctrl-C``."""
    *modifiers, last = key.split("+")
    name = _SIGNS.get(last) or _SHOWN.get(last) or last
    if modifiers or (len(name) > 1 and name.startswith("f") and name[1:].isdecimal()):
        name = name[0].upper() + name[1:]
    return "-".join([*(modifier.capitalize() for modifier in modifiers), name])


def behind_escape(key: str) -> str | None:
    """Return the letter or digit of a key with Alt: ``O`` of ``alt+shift+o``; None of others.

    Many terminals send ESC and the letter for it, as if Esc were pressed and then the letter.
    """
    *modifiers, last = key.split("+")
    if len(last) != 1 or "alt" not in modifiers or not set(modifiers) <= {"alt", "shift"}:
        return None
    return last.upper() if "shift" in modifiers else last


def parse_key(text: str) -> tuple[str, str]:
    """Return action and key of ``pause=space``; raise :class:`ValueError` with the reason."""
    name, equals, key = text.partition("=")
    if not equals or not name or not key:
        raise ValueError("an action and its key are needed, as in pause=space")
    names = [action.name for action in ACTIONS]
    if name in _GONE:
        raise ValueError(f"there is no action {name!r} any more: {_GONE[name]} does it")
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
        raise ValueError(f"unknown key {key!r}; examples: x, X, f2, ctrl+x, space, slash{hint}")
    if key in RESERVED:
        raise ValueError(f"the key {key} {RESERVED[key]}")
    return name, key


def effective(own: Sequence[str] = ()) -> tuple[Action, ...]:
    """Return all actions with their keys; those that the user assigned (``own``) come first.

    Raises :class:`ValueError` if a key is assigned twice, or an action would be left without one.
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
