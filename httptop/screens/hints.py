"""The keys in the footers, the most important first."""

from __future__ import annotations

from collections.abc import Callable

from httptop import humanize
from httptop.view.grouping import GROUPING_NAMES
from httptop.view.keys import DIGITS
from httptop.view.menus import Menu
from httptop.view.moment import Moment
from httptop.view.state import View
from httptop.widgets.key_bar import Hint

#: Returns the key of an action by its name in ``ui.keys``.
KeyOf = Callable[[str], str]


def dashboard_hints(
    key: KeyOf, view: View, *, demo: bool, baseline_at: float | None, filled: bool
) -> list[Hint]:
    """Return the keys of the dashboard, of which the last one leads back; it is always shown.

    ``demo``: include the demo's key. ``baseline_at``: when the window ended that the user compares
    with, Unix time. ``filled``: a panel fills the screen.
    """
    hints: list[Hint] = [
        (key("open"), _opens(view), "screen.open"),
        (key("path"), "path", "screen.filter"),
        (key("sort"), "sort", "screen.sort"),
        (key("group"), "group", "screen.group"),
        (key("in_flight"), "in flight", "app.in_flight"),
        (key("help"), "help", "app.help"),
    ]
    if demo:
        hints.append((key("demo"), "demo", "app.demo"))
    if baseline_at is not None:
        when = humanize.time_of_day(baseline_at)[:5]
        hints.append((key("baseline"), f"compare with {when}", "app.baseline"))
    return [
        *hints,
        (key("side"), view.other_side(), "screen.toggle_side"),
        (key("only"), "only", "screen.only"),
        (key("hide"), "hide", "screen.hide"),
        (key("filter"), "filter", "screen.edit_filter"),
        (key("pause"), "resume" if view.paused else "pause", "screen.pause"),
        (key("health"), "health", "app.health"),
        (key("watches"), "watches", "app.watches"),
        (key("export"), "export", "app.export"),
        (key("save"), "save", "screen.save"),
        _way_back(key, view, filled=filled),
    ]


def moment_hints(key: KeyOf, moment: Moment | None) -> list[Hint]:
    """Return the keys that work while another moment than now is shown."""
    if moment is None:
        return []
    play = "pause" if moment.playing else "play"
    ticks: list[Hint] = [
        (key("earlier"), "", "screen.travel(-1)"),
        (key("later"), "tick", "screen.travel(1)"),
        (key("much_earlier"), "", "screen.travel(0, -60)"),
        (key("much_later"), "minute", "screen.travel(0, 60)"),
    ]
    speed: list[Hint] = [
        (key("slower"), "", "screen.speed(-1)"),
        (key("faster"), "speed", "screen.speed(1)"),
    ]
    if moment.recording is None:
        now = (key("now"), "now", "screen.live")
        return [now, *ticks, (key("play"), play, "screen.play"), *speed]
    end = (key("now"), "end", "screen.live")
    if moment.recording.ended:
        play = "again"
    return [(key("pause"), play, "screen.pause"), *ticks, *speed, end]


def _opens(view: View) -> str:
    """Return what Enter does with the row under the cursor."""
    by = view.grouping.by
    return "unfold" if by == "path" else "its endpoints" if view.grouping.on else "open"


def _way_back(key: KeyOf, view: View, *, filled: bool) -> Hint:
    if filled:
        to = "all panels"
    elif (above := view.groups_above) is not None:
        to = f"by {GROUPING_NAMES[above.by]}"
    elif view.filtered:
        to = "clear filters"
    elif view.grouping.on:
        to = "endpoints"
    else:
        return (key("quit"), "quit", "app.ask_quit")
    return (key("clear"), to, "screen.clear")


def held_hints(key: KeyOf) -> list[Hint]:
    """Return the keys that work while the live requests are held."""
    return [
        (key("open"), "open the request", "screen.open"),
        (f"{key('down')} {key('up')}", "select", ""),
        (key("only"), "only", "screen.only"),
        (key("hide"), "hide", "screen.hide"),
        (key("help"), "help", "app.help"),
        ("Esc", "resume", "screen.clear"),
    ]


def menu_hints(menu: Menu) -> list[Hint]:
    """Return the letters of an open menu."""
    letters = [
        (choice.key, choice.label, f"screen.press({choice.key!r})") for choice in menu.choices
    ]
    return [(f"{menu.title}:", "", ""), *letters, ("Esc", "close", "screen.clear")]


def page_hints(key: KeyOf, *own: Hint) -> list[Hint]:
    """Return the keys of a page that scrolls, including its ``own`` ones."""
    return [
        *own,
        ("j k", "scroll", ""),
        (key("help"), "help", "app.help"),
        ("Esc", "back", "app.pop_screen"),
    ]


def endpoint_hints(key: KeyOf, view: View) -> list[Hint]:
    """Return the keys of the page of an endpoint."""
    return [
        (key("open"), "open a request", "screen.open"),
        ("s", "slowest, failed, newest, in flight", "screen.requests"),
        ("J K", "next and previous endpoint", "screen.neighbour(1)"),
        (key("in_flight"), "in flight", "app.in_flight"),
        (key("pause"), "resume" if view.paused else "pause", "screen.pause"),
        (f"{key('down')} {key('up')}", "choose a request", ""),
        (key("help"), "help", "app.help"),
        ("Esc", "back", "app.pop_screen"),
    ]


def in_flight_hints(key: KeyOf, view: View) -> list[Hint]:
    """Return the keys of the requests in flight."""
    return [
        (key("open"), "open the endpoint", "screen.open"),
        ("Space", "younger ones", "screen.fold"),
        (key("side"), view.other_side(), "screen.toggle_side"),
        (key("pause"), "resume" if view.paused else "pause", "screen.pause"),
        (f"{key('down')} {key('up')}", "select", ""),
        (key("help"), "help", "app.help"),
        ("Esc", "back", "app.pop_screen"),
    ]


def watches_hints(key: KeyOf) -> list[Hint]:
    """Return the keys of the watches."""
    return [
        ("Space", "on, off", "screen.switch"),
        (key("open"), "open", "screen.open"),
        ("n", "new", "screen.add"),
        ("x", "remove", "screen.remove"),
        ("Tab", "other box", "screen.other_box"),
        (key("help"), "help", "app.help"),
        (key("export"), "export", "app.export"),
        ("Esc", "back", "app.pop_screen"),
    ]


def health_hints(key: KeyOf) -> list[Hint]:
    """Return the keys of the page of health."""
    return [
        (key("open"), "its endpoints", "screen.open"),
        ("/", "search", "screen.search"),
        ("s", "sort", "screen.sort"),
        ("r", "look again", "screen.look"),
        (key("help"), "help", "app.help"),
        ("1-4", "panels", ""),
        (key("export"), "export", "app.export"),
        ("Esc", "back", "screen.back"),
    ]


#: The keys that work while the user picks a filter to remove.
PICKING_HINTS: tuple[Hint, ...] = (
    (f"1 to {DIGITS}", "remove that filter", ""),
    ("Esc", "keep them", "screen.clear"),
)
