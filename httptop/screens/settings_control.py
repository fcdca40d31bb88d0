"""Change settings by keys: how paths are counted, and saving what was changed.

Both affect the run or a file; so they use the app's run controls, in a thread, and may fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from httptop.config.settings import Paths, Watches
from httptop.config.settings.string_types import PATH_PATTERN
from httptop.errors import HttptopError
from httptop.screens.base import Changes, Httptop, RunControls
from httptop.screens.unsaved import changes, merged, pattern_of, split
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.prompt import Prompt


class SettingsControl:
    """Changes path rules by the selected row, and saves; the dashboard owns it."""

    def __init__(self, app: Httptop, table: EndpointTable, prompt: Prompt) -> None:
        self._app, self._table, self._prompt = app, table, prompt

    # Paths

    def merge(self) -> None:
        """Ask for a pattern whose paths to count together."""
        self._ask("count together", merged)

    def split(self) -> None:
        """Ask for a pattern whose paths to count separately."""
        self._ask("count separately", split)

    def _ask(self, question: str, apply: Callable[[Paths, str], Paths]) -> None:
        app, run, key = self._app, self._app.run_controls, self._table.cursor_key
        if key is None:
            return
        if run is None or not run.can_change:
            app.say("This run cannot change how paths are counted.", wrong=True)
        elif not key.path.startswith("/"):
            app.say(f"{key.path} is not a path.", wrong=True)
        else:
            self._prompt.ask(
                question,
                pattern_of(key.path),
                lambda text: cast(str, PATH_PATTERN.parse_text(text)),
                lambda pattern: self._change(run, apply(app.paths, pattern)),
            )

    def _change(self, run: RunControls, paths: Paths) -> None:
        self._app.run_worker(self._run_change(run, paths), exit_on_error=False)

    async def _run_change(self, run: RunControls, paths: Paths) -> None:
        app = self._app
        made = {"paths.templates": paths.templates, "paths.keep": paths.keep}
        try:
            await asyncio.to_thread(run.change, made)
        except HttptopError as error:
            app.say(f"Not changed: {error}", wrong=True)
        else:
            app.paths = paths
            app.say(f"Changed for this run; {app.key_of('save')} saves it.")

    # Saving

    def save(self) -> None:
        """Save the settings changed on the screen to the configuration file, and show its path."""
        app, run = self._app, self._app.run_controls
        watches = Watches(app.watches.rules)
        made = changes(
            app.view, app.ui, app.theme, app.paths, app.read_paths, watches, app.read_watches
        )
        if run is None or not run.can_save:
            app.say("This run has no configuration file to save to.", wrong=True)
        elif not made:
            app.say("Nothing to save: the settings are unchanged.")
        else:
            app.run_worker(self._run_save(run, made, app.paths, watches), exit_on_error=False)

    async def _run_save(
        self, run: RunControls, made: Changes, paths: Paths, watches: Watches
    ) -> None:
        app = self._app
        try:
            where = await asyncio.to_thread(run.save, made)
        except HttptopError as error:
            app.say(f"Not saved: {error}", wrong=True)
            return
        of_ui = {key[3:]: value for key, value in made.items() if key.startswith("ui.")}
        app.ui = replace(app.ui, **cast(Any, of_ui))
        app.read_paths, app.read_watches = paths, watches
        app.say(f"Saved {', '.join(made)} to {where}")
