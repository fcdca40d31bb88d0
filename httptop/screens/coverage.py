"""Why a service does not show up: the processes with stream sockets, and what is not seen of each.

The processes are inspected in a thread, when the screen opens and on a key; the title says how old
the result is.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from httptop import humanize
from httptop.coverage.gaps import FOOTNOTES, Row, headline, rows
from httptop.coverage.processes import Survey
from httptop.screens.base import HttptopScreen, RunControls
from httptop.screens.hints import page_hints
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.text_page import TextPage

_MOST_ROWS: Final = 200
_PROCESS_WIDTH: Final = 16
_REPLAYED: Final = "This is a capture; it does not contain the processes of its host."
_COLOURS: Final = {3: "$hue-bad", 2: "$hue-warn", 1: "$hue-text", 0: "$hue-muted"}


class CoverageScreen(HttptopScreen):
    """A scrollable table with a few lines for each process."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,left,y", "app.pop_screen", "Back", show=False),
        Binding("r", "look", "Look again", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        #: The rows shown.
        self.rows: list[Row] = []
        self._looking = False

    def compose(self) -> ComposeResult:
        """Make title, table and keys."""
        yield Static(id="coverage-title", markup=False)
        yield TextPage(id="coverage")
        yield KeyBar(page_hints(self.httptop.key_of, ("r", "look again", "screen.look")))

    def on_mount(self) -> None:
        """Inspect the processes immediately."""
        self.query_one(TextPage).focus()
        self.action_look()

    def action_look(self) -> None:
        """Inspect the processes, unless that is in progress."""
        run = self.httptop.run_controls
        if run is None or not run.can_survey:
            self._title("")
            self._text(Content(_REPLAYED))
        elif not self._looking:
            self._looking = True
            self._title("inspecting processes...")
            self.run_worker(self._look(run), exit_on_error=False)

    async def _look(self, run: RunControls) -> None:
        try:
            found = await asyncio.to_thread(run.survey)
        except (OSError, ValueError) as error:
            self._title("")
            self._text(Content(f"The processes cannot be inspected: {error}"))
        else:
            self._show(found)
        finally:
            self._looking = False

    def _show(self, found: Survey) -> None:
        self.rows = rows(found, self.httptop.newest)
        shown = self.rows[:_MOST_ROWS]
        self._title(f"as of {humanize.time_of_day(found.taken_at)[:8]}")
        lines = [Content(line) for line in headline(found, len(shown))]
        if self.httptop.watching:
            lines.append(Content(f"Traced: {self.httptop.watching}."))
        if shown:
            head = _columns("PID", "PROCESS", "HTTP/1", "LISTENS", "CONNECTIONS")
            lines += [Content(""), Content.styled(head, "$hue-muted")]
        for row in shown:
            lines += _lines(row)
        lines += [Content(""), *(Content.styled(line, "$hue-muted") for line in FOOTNOTES)]
        self._text(Content("\n").join(lines))

    def _title(self, state: str) -> None:
        title = Content.assemble(
            ("Why a service does not show up", "$hue-accent bold"), (f"  {state}", "$hue-muted")
        )
        self.query_one("#coverage-title", Static).update(title)

    def _text(self, text: Content) -> None:
        self.query_one(TextPage).show(text)


def _columns(pid: str, process: str, seen: str, listens: str, connections: str) -> str:
    if len(process) > _PROCESS_WIDTH:
        process = process[: _PROCESS_WIDTH - 1] + "…"
    return f"{pid:>7} {process:<{_PROCESS_WIDTH}} {seen:>9}  {listens:<24} {connections}"


def _lines(row: Row) -> list[Content]:
    holder = row.holder
    who = _columns(str(holder.pid), holder.process, row.seen, row.listens, row.connections)
    lines = [Content.styled(who, "$hue-good" if row.requests else "$hue-strong")]
    for gap in row.gaps:
        lines.append(Content.assemble(" " * 8, (gap.what, _COLOURS[gap.weight])))
        if gap.help:
            lines.append(Content.assemble(" " * 8, (f"→ {gap.help}", "$hue-muted")))
    return lines
