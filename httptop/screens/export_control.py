"""Export what is shown: to a new file, or to the clipboard of the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from textual.widgets import Input

from httptop.errors import HttptopError
from httptop.humanize import size
from httptop.model import Snapshot
from httptop.output.json import to_json
from httptop.screens.base import Httptop, RunControls
from httptop.screens.export_box import ExportBox, Way
from httptop.screens.picture import Picture
from httptop.view.state import View


class ExportControl:
    """Exports; the app owns it."""

    def __init__(self, app: Httptop) -> None:
        self._app = app

    def ask(self) -> bool:
        """Open the box; return whether the key was meant for that, and not for a text."""
        app = self._app
        if isinstance(app.focused, Input) or isinstance(app.screen, ExportBox):
            return False
        app.dismiss_notice()  # it would be in the picture
        run = app.run_controls
        app.push_screen(ExportBox("" if run is None else run.exported_to), self._chosen)
        return True

    def _chosen(self, way: Way | None) -> None:
        if way is not None:
            self._app.call_after_refresh(self._export, way)  # the box is no longer shown then

    def _export(self, way: Way) -> None:
        app, snapshot = self._app, self._app.snapshot
        if way == "copy":
            app.copy_text(text := Picture(app).text(), f"{size(len(text.encode()))} of text")
        elif snapshot is None:
            app.say("Nothing to export: no snapshot has arrived yet.", wrong=True)
        elif way == "json":
            view = described(app.view)
            self._write(way, snapshot, lambda: f"{to_json(snapshot, view=view)}\n")
        else:
            picture = Picture(app)
            self._write(way, snapshot, picture.svg if way == "svg" else picture.text)

    # Files

    def _write(self, kind: str, shown: Snapshot, make: Callable[[], str]) -> None:
        run = self._app.run_controls
        if run is None or not run.exported_to:
            self._app.say(f"No files can be written in this run. {self._other_way()}", wrong=True)
        else:
            self._app.run_worker(self._run_write(run, kind, shown, make), exit_on_error=False)

    async def _run_write(
        self, run: RunControls, kind: str, shown: Snapshot, make: Callable[[], str]
    ) -> None:
        def write() -> str:
            return run.export(kind, shown.host, shown.taken_at, make())

        try:
            where = await asyncio.to_thread(write)
        except HttptopError as error:
            self._app.say(f"Not exported: {error}. {self._other_way()}", wrong=True)
        else:
            self._app.say(f"Exported to {where}")

    def _other_way(self) -> str:
        return f"{self._app.key_of('export')} c copies the text to the clipboard."


def described(view: View) -> dict[str, object]:
    """Return what the screen shows of a snapshot, for the exported JSON."""
    return {
        "side": view.side,
        "filter": "" if view.expression is None else str(view.expression),
        "path_contains": view.path_filter,
        "sort": view.sort,
        "descending": view.descending,
    }
