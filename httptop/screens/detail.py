"""The screen of one endpoint: everything known about it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from httptop.model import EndpointKey
from httptop.screens.base import HttptopScreen
from httptop.screens.hints import page_hints
from httptop.view.window import window_of
from httptop.widgets.endpoint_detail import DetailTitle, EndpointDetail
from httptop.widgets.key_bar import KeyBar


class DetailScreen(HttptopScreen):
    """The page of one endpoint; it shows each new snapshot, as the dashboard does."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,left", "app.pop_screen", "Back", show=False),
        Binding("p", "pause", "Pause", show=False, id="pause"),
        Binding("plus", "window(1)", "Longer window", show=False, id="wider"),
        Binding("minus", "window(-1)", "Shorter window", show=False, id="narrower"),
    ]

    def __init__(self, key: EndpointKey) -> None:
        super().__init__()
        self.key = key

    def compose(self) -> ComposeResult:
        """Make title, page and keys."""
        yield DetailTitle(self.key, self.httptop.symbols)
        yield EndpointDetail(self.key, self.httptop.symbols)
        yield KeyBar()

    def on_mount(self) -> None:
        """Show the current snapshot, and have the next ones hold what only this page shows."""
        self.httptop.look_at(self.key)
        self.query_one(EndpointDetail).focus()
        self.refresh_scene()

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self.httptop.look_at(None)

    def refresh_scene(self) -> None:
        """Draw the app's snapshot."""
        paused = self.httptop.view.paused
        self.set_class(paused, "-paused")
        view, snapshot = self.httptop.view, self.httptop.snapshot
        if snapshot is not None:
            self.query_one(DetailTitle).show(window_of(snapshot, view))
        self.query_one(EndpointDetail).show(
            snapshot, self.httptop.units, since_start=view.since_start
        )
        pause = "resume (PAUSED)" if paused else "pause"
        key = self.httptop.key_of
        self.query_one(KeyBar).show(page_hints(key, (key("pause"), pause, "screen.pause")))
