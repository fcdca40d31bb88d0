"""Helpers for tests of the screen: send snapshots and keys, read what is drawn and reported."""

from __future__ import annotations

from textual._compositor import LayoutUpdate
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from httptop.app import HttptopApp
from httptop.model import Snapshot
from httptop.widgets.endpoint_table import EndpointTable
from tests.factory import busy


async def show(pilot: Pilot[int], snap: Snapshot | None = None) -> HttptopApp:
    """Publish a snapshot, a busy one if none is given; return the app."""
    app = pilot.app
    assert isinstance(app, HttptopApp)
    app.publish(snap or busy())
    await pilot.pause()
    return app


async def write(pilot: Pilot[int], text: str) -> None:
    """Put a text where the cursor is, as a paste does."""
    field = pilot.app.focused
    assert isinstance(field, Input)
    field.insert_text_at_cursor(text)
    await pilot.pause()


async def settled(pilot: Pilot[int]) -> None:
    """Wait for what was begun in threads."""
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def table(app: HttptopApp) -> EndpointTable:
    """Return the endpoint table, whatever screen is on top."""
    return app.screen_stack[0].query_one(EndpointTable)


def drawn(app: HttptopApp, kind: type[Widget] = EndpointTable) -> list[str]:
    """Return what a widget draws, line by line."""
    widget = app.screen.query_one(kind)
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


def whole_screen(app: HttptopApp) -> list[str]:
    """Return the lines of the screen, and of what is seen behind it."""
    update = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    assert isinstance(update, LayoutUpdate)
    return [Strip.join(parts).text for parts in update.strips]


def said(app: HttptopApp) -> list[str]:
    """Return what the user was told, the oldest first."""
    kept = app.notices.newest_first
    return ["\n".join(notice.lines) for notice in reversed(kept)]
