"""The part of the dashboard that changes settings: paths counted together or apart, saving."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from textual.actions import SkipAction

from httptop.config.settings import Paths
from httptop.config.settings.string_types import PATH_PATTERN
from httptop.errors import HttptopError
from httptop.screens.base import Changes, RunControls
from httptop.screens.filtering import Filtering
from httptop.screens.unsaved import changes, merged, pattern_of, split
from httptop.widgets.key_bar import Hint
from httptop.widgets.prompt import Prompt


class Keeping(Filtering):
    """Actions that reach beyond the screen; the app knows how, or that it cannot be."""

    def keeping_hints(self) -> list[Hint]:
        """Return the keys that work while a pattern is asked for; none at other times."""
        if not self.query_one(Prompt).is_open:
            return []
        return [("Enter", "do it", ""), ("Esc", "do not", "screen.clear")]

    # Paths

    def action_merge(self) -> None:
        """Ask for a pattern whose paths shall be counted together."""
        self._ask("count together", merged)

    def action_split(self) -> None:
        """Ask for a pattern whose paths shall be counted apart."""
        self._ask("count apart", split)

    def _ask(self, question: str, apply: Callable[[Paths, str], Paths]) -> None:
        if self.typing:
            raise SkipAction
        app, key = self.httptop, self.table.cursor_key
        if key is None:
            return
        if app.run_controls is None or not app.run_controls.can_change:
            app.say("How paths are counted cannot be changed in this run.", wrong=True)
        elif not key.path.startswith("/"):
            app.say(f"{key.path} is no path of its own.", wrong=True)
        else:
            self.query_one(Prompt).ask(
                question,
                pattern_of(key.path),
                lambda text: cast(str, PATH_PATTERN.parse_text(text)),
                lambda pattern: self._change(apply(app.paths, pattern)),
            )
            self.show_keys()

    def on_prompt_closed(self) -> None:
        """Give the keys back to the table."""
        self.leave_line()

    def _change(self, paths: Paths) -> None:
        if (run := self.httptop.run_controls) is not None:
            self.run_worker(self._run_change(run, paths), exit_on_error=False)

    async def _run_change(self, run: RunControls, paths: Paths) -> None:
        app = self.httptop
        made = {"paths.templates": paths.templates, "paths.keep": paths.keep}
        try:
            await asyncio.to_thread(run.change, made)
        except HttptopError as fault:
            app.say(f"Not changed: {fault}", wrong=True)
        else:
            app.paths = paths
            app.say(f"Done; {app.key_of('save')} saves it for other runs.")

    # Saving

    def action_save(self) -> None:
        """Write what was changed on the screen to the settings, and say where."""
        app, run = self.httptop, self.httptop.run_controls
        made = changes(app.view, app.ui, app.theme, app.paths, app.read_paths)
        if run is None or not run.can_save:
            app.say("There is no file of settings to write to in this run.", wrong=True)
        elif not made:
            app.say("Nothing was changed here that could be saved.")
        else:
            self.run_worker(self._run_save(run, made, app.paths), exit_on_error=False)

    async def _run_save(self, run: RunControls, made: Changes, paths: Paths) -> None:
        app = self.httptop
        try:
            where = await asyncio.to_thread(run.save, made)
        except HttptopError as fault:
            app.say(f"Not saved: {fault}", wrong=True)
            return
        of_ui = {key[3:]: value for key, value in made.items() if key.startswith("ui.")}
        app.ui = replace(app.ui, **cast(Any, of_ui))
        app.read_paths = paths
        app.say(f"Saved {', '.join(made)} to {where}")
