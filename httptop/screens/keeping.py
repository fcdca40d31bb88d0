"""The part of the dashboard that changes settings: paths counted together or apart, saving."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from textual.actions import SkipAction

from httptop.changes import merged, pattern_of, split
from httptop.screens.filtering import Filtering
from httptop.settings import Paths
from httptop.settings.texts import PATH_PATTERN
from httptop.widgets.key_bar import Hint
from httptop.widgets.prompt import Prompt


class Keeping(Filtering):
    """Actions that reach beyond the screen; the app knows how, or that it cannot be."""

    def keeping_hints(self) -> list[Hint]:
        """Return the keys that work while a pattern is asked for; none at other times."""
        if not self.query_one(Prompt).is_open:
            return []
        return [("Enter", "do it", ""), ("Esc", "do not", "screen.clear")]

    def action_merge(self) -> None:
        """Ask for a pattern whose paths shall be counted together."""
        self._ask("count together", merged)

    def action_split(self) -> None:
        """Ask for a pattern whose paths shall be counted apart."""
        self._ask("count apart", split)

    def action_save(self) -> None:
        """Write what was changed on the screen to the settings."""
        self.httptop.save_changes()

    def _ask(self, question: str, apply: Callable[[Paths, str], Paths]) -> None:
        if self.typing:
            raise SkipAction
        app, key = self.httptop, self.table.cursor_key
        if key is None:
            return
        if not app.can_change_paths:
            app.say("How paths are counted cannot be changed in this run.", wrong=True)
        elif not key.path.startswith("/"):
            app.say(f"{key.path} is no path of its own.", wrong=True)
        else:
            self.query_one(Prompt).ask(
                question,
                pattern_of(key.path),
                lambda text: cast(str, PATH_PATTERN.parse_text(text)),
                lambda pattern: app.change_paths(apply(app.paths, pattern)),
            )
            self.show_keys()

    def on_prompt_closed(self) -> None:
        """Give the keys back to the table."""
        self.leave_line()
