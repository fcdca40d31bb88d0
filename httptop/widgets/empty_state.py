"""The text in place of the table while there is nothing to show, and what to do about it."""

from __future__ import annotations

from typing import Final

from rich.style import Style
from textual.strip import Strip

from httptop import humanize
from httptop.view.state import Scene, View
from httptop.widgets.endpoint_table import table_title
from httptop.widgets.painting import Line, Painted
from httptop.widgets.sparkline import Symbols

#: What is said of a step of the start (bpf.build.child.Step), and of what it means.
STEPS: Final = {
    "": ("starting", ""),
    "compile_once": ("compiling the probes", "They are kept: later starts do not wait for this."),
    "compile": (
        "compiling the probes",
        "They are not kept, so each start does this (performance.cache).",
    ),
    "load": ("loading the probes into the kernel", ""),
}
#: From so many seconds on it is said how long a step takes.
_LONG_S: Final = 0.5

EXAMPLE = "curl -s http://localhost/"


class EmptyState(Painted):
    """Says what is watched, for how long, and how to get traffic."""

    DEFAULT_CSS = """
    EmptyState { height: 1fr; }
    """

    def __init__(self, symbols: Symbols, watching: str, can_demo: bool) -> None:
        super().__init__(symbols)
        self.watching = watching
        self.can_demo = can_demo
        self.demo_state = ""
        self._step, self._step_s = "", 0.0
        self.scene = Scene(None, View())

    def show(self, scene: Scene, demo_state: str, start_step: tuple[str, float]) -> None:
        """Show a scene, the state of the demo in words, and the step of the start."""
        self.scene, self.demo_state = scene, demo_state
        self._step, self._step_s = start_step
        self.set_title(table_title(scene, self.symbols))
        self.repaint()

    def _words(self) -> list[Line]:
        text, muted, strong = self.hue("text"), self.hue("muted"), self.hue("strong")
        key, accent = self.hue("key"), self.hue("accent") + Style(bold=True)
        scene, view = self.scene, self.scene.view
        snapshot = scene.snapshot
        if snapshot is None:
            does, means = STEPS.get(self._step, STEPS[""])
            title = does[0].upper() + does[1:]
            if self._step_s >= _LONG_S:
                title += f", {self._step_s:.0f} s" if self._step_s >= 1 else "..."
            lines = [Line().add(title, accent)]
            if means:
                lines.append(Line().add(means, muted))
            if self.watching:
                lines += [Line(), Line().add(f"Watching {self.watching}.", muted)]
            return lines
        if scene.side_rows:
            if view.expression is None:
                shown = f"None of {scene.side_rows} paths contains “{view.path_filter}”."
            else:
                shown = f"None of {scene.side_rows} endpoints matches the filters."
            return [
                Line().add(shown, accent),
                Line(),
                Line().add("Esc", key).add(" removes the filters", muted),
            ]
        waited = humanize.clock(snapshot.uptime_s)
        lines = [Line().add(f"No HTTP request seen on the {view.side} side yet.", accent), Line()]
        if self.watching:
            lines.append(Line().add("watching ", muted).add(self.watching, text))
        lines.append(Line().add("for      " if self.watching else "for ", muted).add(waited, text))
        lines.append(Line())
        if scene.other_rows:
            what = f" shows the {view.other_side()} side, which has {scene.other_rows} endpoints"
            lines.append(Line().add("Tab", key).add(what, text))
            return lines
        if self.demo_state:
            lines.append(Line().add(self.demo_state, strong))
        elif self.can_demo:
            lines.append(Line().add("d", key).add("  starts demo services with some traffic", text))
        lines.append(Line().add("or send a request: ", muted).add(EXAMPLE, strong))
        lines.append(Line().add("y", key).add("  why a service does not show up", text))
        if n := len(snapshot.notes):
            what = f"   {n} note{'s' if n != 1 else ''} on what cannot be seen here"
            lines.append(Line().add(what, self.hue("warn")))
        return lines

    def paint(self, width: int, height: int, /) -> list[Strip]:
        """Return the text as one block in the middle."""
        words = self._words()
        block = max(line.used for line in words)
        left = max((width - block) // 2, 1)
        above = max((height - len(words)) // 2, 0)
        blank = self.hue("text")
        lines = [Line().strip()] * above
        for line in words:
            lines.append(Line().space(left, blank).join(line).strip())
        return lines
