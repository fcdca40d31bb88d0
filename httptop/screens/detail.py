"""The screen of one endpoint: everything known about it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from httptop.model import EndpointKey, Transaction
from httptop.screens.base import HttptopScreen
from httptop.screens.hints import endpoint_hints
from httptop.view.kept_requests import Order
from httptop.view.state import place, scene
from httptop.view.window import window_of
from httptop.widgets.bindings import TRAVEL, named
from httptop.widgets.detail_title import DetailTitle
from httptop.widgets.endpoint_detail import EndpointDetail
from httptop.widgets.endpoint_requests import Choice
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.time_lines import TimeLines


class DetailScreen(HttptopScreen):
    """The page of one endpoint; it shows each new snapshot, as the dashboard does."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,left", "app.pop_screen", "Back", show=False),
        Binding("J", "neighbour(1)", "Next endpoint", show=False),
        Binding("K", "neighbour(-1)", "Previous endpoint", show=False),
        Binding("s", "requests", "Requests: slowest, failed, newest, in flight", show=False),
        *named("in_flight", "wider", "narrower", *TRAVEL),
    ]

    def __init__(self, key: EndpointKey) -> None:
        super().__init__()
        self.key = key

    def compose(self) -> ComposeResult:
        """Make title, page and keys."""
        yield TimeLines(self.httptop.symbols)
        yield DetailTitle(self.key, self.httptop.symbols)
        yield EndpointDetail(self.key, self.httptop.symbols)
        yield KeyBar()

    def on_mount(self) -> None:
        """Show the current snapshot, and have the next ones hold what only this page shows."""
        self.httptop.look_at(self.key)
        self.query_one(EndpointDetail).focus()
        self.refresh_scene()

    def on_unmount(self) -> None:
        """Have snapshots hold more of the endpoint whose page is below, or of none."""
        others = (screen for screen in reversed(self.app.screen_stack) if screen is not self)
        below = (screen.key for screen in others if isinstance(screen, DetailScreen))
        self.httptop.look_at(next(below, None))

    def refresh_scene(self) -> None:
        """Draw the app's snapshot."""
        self.refresh_time()
        view, snapshot = self.httptop.view, self.httptop.snapshot
        if snapshot is not None:
            self.query_one(DetailTitle).show(window_of(snapshot, view))
        self.query_one(EndpointDetail).show(
            snapshot, self.httptop.units, self._sampled, since_start=view.since_start
        )
        self.query_one(KeyBar).show(endpoint_hints(self.httptop.key_of, view))

    def _sampled(self, order: Order) -> list[Transaction]:
        """Return the sampled requests of the endpoint."""
        app = self.httptop
        return [] if app.snapshot is None else app.kept_requests.of(self.key, app.snapshot, order)

    def action_requests(self, choice: Choice | None = None) -> None:
        """Show another list of requests: the next one, unless one is named."""
        self.query_one(EndpointDetail).switch_requests(choice)

    def action_neighbour(self, step: int) -> None:
        """Go to the next or previous endpoint of the table, which then is the selected one."""
        app = self.httptop
        shown = scene(app.snapshot, app.view).rows
        at = place(shown, self.key, 0)
        if at < len(shown) and shown[at].key == self.key:  # else the first one is next
            at += step
        if 0 <= at < len(shown):
            self.key = key = shown[at].key
            app.look_at(key)
            self.query_one(DetailTitle).switch(key)
            self.query_one(EndpointDetail).switch(key)
            app.change_view(selected=key)
            self.refresh_scene()

    def action_open(self) -> None:
        """Open the chosen request."""
        self.query_one(EndpointDetail).action_open()

    def on_endpoint_detail_opened(self, message: EndpointDetail.Opened) -> None:
        """Show its details."""
        self.httptop.open_request(message.request)
