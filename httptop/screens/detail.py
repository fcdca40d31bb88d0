"""One endpoint: everything known about it, in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from httptop.model import EndpointKey
from httptop.widgets.endpoint_detail import DetailTitle, EndpointDetail
from httptop.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from httptop.app import HttptopApp


class DetailScreen(Screen[None]):
    """The page of one endpoint; follows the snapshots like the dashboard."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,left", "app.pop_screen", "Back", show=False),
        Binding("p", "pause", "Pause", show=False, id="pause"),
    ]

    def __init__(self, key: EndpointKey) -> None:
        super().__init__()
        self.key = key

    @property
    def httptop(self) -> HttptopApp:
        """The app, which holds snapshot and view."""
        return cast("HttptopApp", self.app)

    def compose(self) -> ComposeResult:
        """Make title, page and keys."""
        yield DetailTitle(self.key)
        yield EndpointDetail(self.key, self.httptop.symbols)
        yield KeyBar()

    def on_mount(self) -> None:
        """Show what there is."""
        self.query_one(EndpointDetail).focus()
        self.refresh_scene()

    def refresh_scene(self) -> None:
        """Draw the app's snapshot."""
        paused = self.httptop.view.paused
        self.set_class(paused, "-paused")
        self.query_one(EndpointDetail).show(self.httptop.snapshot, self.httptop.units)
        self.query_one(KeyBar).show(
            [
                ("Esc", "back", "app.pop_screen"),
                ("q", "quit", "app.ask_quit"),
                ("?", "help", "app.help"),
                ("p", "resume (PAUSED)" if paused else "pause", "screen.pause"),
                ("j k", "scroll", ""),
            ]
        )

    def action_pause(self) -> None:
        """Stop adopting snapshots, or go on."""
        self.httptop.change_view(paused=not self.httptop.view.paused)
