"""A run for the screen to control, made of as much as a test needs."""

from __future__ import annotations

from collections.abc import Callable

from httptop.coverage.processes import Survey
from httptop.screens.base import Changes


class FakeRun:
    """A run that can do what it was given; the rest its flags deny."""

    def __init__(
        self,
        *,
        start_demo: Callable[[], None] | None = None,
        save: Callable[[Changes], str] | None = None,
        change: Callable[[Changes], None] | None = None,
        export: Callable[[str, str, float, str], str] | None = None,
        reload: Callable[[], bool] = lambda: True,
        survey: Callable[[], Survey] | None = None,
        fixed_window: str = "",
        is_live: bool = True,
    ) -> None:
        self._start_demo, self._save, self._change = start_demo, save, change
        self._export = export
        self._reload, self._survey = reload, survey
        self.ends = False
        self.is_live = is_live
        self.fixed_window = fixed_window
        self.can_demo = start_demo is not None
        self.can_save = save is not None
        self.can_change = change is not None
        self.exported_to = "/home/me" if export is not None else ""
        self.can_survey = survey is not None

    def start_demo(self) -> None:
        assert self._start_demo is not None
        self._start_demo()

    def save(self, changes: Changes) -> str:
        assert self._save is not None
        return self._save(changes)

    def change(self, changes: Changes) -> None:
        assert self._change is not None
        self._change(changes)

    def export(self, kind: str, host: str, at_s: float, text: str) -> str:
        assert self._export is not None
        return self._export(kind, host, at_s, text)

    def reload(self) -> bool:
        return self._reload()

    def ending(self) -> None:
        self.ends = True

    def survey(self) -> Survey:
        assert self._survey is not None
        return self._survey()
