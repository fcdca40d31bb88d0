"""Boxes above the dashboard: help, a failure, the confirmation before quitting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from httptop.screens.box import Box
from httptop.screens.commands import Command
from httptop.view.menus import SORT_LETTERS
from httptop.widgets.columns import COLUMNS
from httptop.widgets.text_page import TextPage

WORDS: Final = (
    ("server side", "requests that processes of this host receive"),
    ("client side", "requests that processes of this host send"),
    ("", "a request between two of them counts once on each side"),
    ("endpoint", "process, method and path template on one side"),
    ("latency", "first byte of the request to first byte of the response"),
    ("in flight", "the response has not begun"),
    ("none", "unanswered: the connection closed first"),
    ("sampled", "live requests are a sample; counts are always exact"),
    ("~other", "endpoints for which the kernel's tables had no room"),
    ("~bad request", "malformed requests that got a response, by status"),
)

MOUSE: Final = (
    ("click", "run what the bottom line or a title names; sort by a header; select a row"),
    ("", "on a title: that panel fills the screen; beside a box: it closes"),
    ("double-click", "open a row"),
    ("wheel", "scroll; on live requests: hold them"),
    ("Shift, drag", "select text, in most terminals"),
)

#: Where on the page of keys the names of actions stand.
_NAMES_AT: Final = 59


class Page(Box[None]):
    """A scrollable text in a box; the keys that opened it close it, too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,h,f1,q,enter", "dismiss", "Close", show=False),
    ]

    def __init__(self, title: str, text: Content) -> None:
        super().__init__()
        self.page_title = title
        self.text = text

    def compose(self) -> ComposeResult:
        """Make the box."""
        yield self.titled(TextPage(self.text, id="page"), self.page_title)


def help_page(found: Sequence[Command], *, columns: bool) -> Page:
    """Return the page of keys, of words, and maybe of columns; names of actions stand last."""
    groups: dict[str, list[Content]] = {}
    for command in found:
        groups.setdefault(command.group, []).append(_command(command))
    blocks: list[Content] = []
    for group, lines in groups.items():
        note = "" if blocks else "in ui.keys"
        title = Content.assemble(
            (f"{group:<{_NAMES_AT - 2}}", "$hue-accent bold"), (note, "$hue-muted")
        )
        blocks.append(Content("\n").join([title, *lines]))
    if columns:
        meanings = [
            (f"{column.title:<11}{SORT_LETTERS[column.sort]}", column.meaning) for column in COLUMNS
        ]
        blocks.append(_block("Columns, and letters that sort by them", meanings))
    blocks += [_block("Mouse", MOUSE), _block("Words", WORDS)]
    return Page("help", Content("\n\n").join(blocks))


def _command(command: Command) -> Content:
    text = Content.assemble((f"{_keys_of(command):<13}", "$hue-key"), command.meaning)
    if not command.name:
        return text
    blanks = " " * max(_NAMES_AT - text.cell_length, 2)
    return Content.assemble(text, blanks, (command.name, "$hue-muted"))


def _keys_of(command: Command) -> str:
    """Return as many of a command's keys as fit."""
    text, *others = command.keys
    for other in others:
        if len(text) + 1 + len(other) > 12:
            break
        text = f"{text} {other}"
    return text


def _block(title: str, lines: tuple[tuple[str, str], ...] | list[tuple[str, str]]) -> Content:
    parts = [Content.assemble((title, "$hue-accent bold"))]
    parts += [Content.assemble((f"{name:<13}", "$hue-key"), meaning) for name, meaning in lines]
    return Content("\n").join(parts)


class Failure(Box[None]):
    """Tells the user why there will be no more snapshots."""

    CLOSES = "q quits"
    CLOSE = ""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "app.quit_failed", "Quit", show=False),
    ]

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def compose(self) -> ComposeResult:
        """Make the box."""
        yield self.titled(TextPage(Content(self.text), id="failure"), "httptop had to stop")


class ConfirmQuit(Box[bool]):
    """Asks before quitting."""

    CLOSES = "y or n"
    CLOSE = "answer(False)"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter,q", "answer(True)", "Quit", show=False),
        Binding("n,escape", "answer(False)", "Stay", show=False),
    ]

    def compose(self) -> ComposeResult:
        """Make the box."""
        with Vertical(id="confirm"):
            question = Content.from_markup(
                "Quit httptop?   [@click='screen.answer(True)'][$hue-key]y[/] yes[/]   "
                "[@click='screen.answer(False)'][$hue-key]n[/] no[/]"
            )
            yield Static(question, markup=False)

    def action_answer(self, yes: bool) -> None:
        """Close, and return the answer."""
        self.dismiss(yes)
