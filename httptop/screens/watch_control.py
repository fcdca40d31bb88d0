"""Watch each snapshot that arrives, and tell the terminal of what begins, if that is asked for."""

from __future__ import annotations

from httptop.config.settings import Watches
from httptop.filters.watches import parse_watch
from httptop.model import Snapshot
from httptop.printable import clean
from httptop.screens.base import Httptop
from httptop.view.watch_texts import event_text
from httptop.view.watches import Event, Watching


class WatchControl:
    """Keeps the watches of the app, which owns it."""

    def __init__(self, app: Httptop, watches: Watches) -> None:
        """Watch from the next snapshot on; raise :class:`ValueError` if a rule is invalid."""
        self._app = app
        self.watching = Watching(tuple(map(parse_watch, watches.rules)))

    def adopt(self, watches: Watches) -> None:
        """Watch what a reload says."""
        self.watching.replace(tuple(map(parse_watch, watches.rules)))

    def see(self, snapshot: Snapshot) -> None:
        """Note a snapshot, also one that is not shown."""
        if begun := self.watching.note(snapshot):
            self._tell(begun)

    def _tell(self, begun: tuple[Event, ...]) -> None:
        """Tell the terminal once for all, as ``ui.alert`` says."""
        app = self._app
        if app.ui.alert == "bell":
            app.write_to_terminal("\a")
        elif app.ui.alert == "notify":
            more = f" and {len(begun) - 1} more" if len(begun) > 1 else ""
            first = begun[0]
            what = event_text(first, app.units.duration)
            text = f"httptop: {what}, {first.side} side{more}"
            app.write_to_terminal(f"\x1b]9;{clean(text.encode('utf-8', 'replace'))}\a")
