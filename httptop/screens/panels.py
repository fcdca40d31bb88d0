"""Choose panels of the dashboard by digits; a second press has one fill the screen.

A panel with a cursor gets the focus when it is chosen; beside the others the endpoints keep it.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.screen import Screen

from httptop.widgets.painting import Painted

#: The widgets of one panel, of which one is shown at a time; it may take the focus.
Panel = tuple[Painted, ...]


class PanelControl:
    """Knows which panel is chosen and which one fills the screen; the dashboard owns it."""

    def __init__(self, screen: Screen[None], panels: Sequence[Panel], home: int) -> None:
        """Number the panels from 1; ``home`` is the number of the one that is chosen at first."""
        self._screen, self._panels = screen, tuple(panels)
        self.chosen = self._home = panels[home - 1]
        #: The panel that fills the screen; None: all are shown.
        self.filling: Panel | None = None
        for number, panel in enumerate(panels, start=1):
            for widget in panel:
                widget.panel = number
                widget.add_class("panel", update=False)

    def __len__(self) -> int:
        """Return how many panels there are."""
        return len(self._panels)

    def press(self, number: int) -> None:
        """Choose a panel; have it fill the screen if it was chosen, or all shown if it does that.

        A panel for which the screen has no room fills it at once.
        """
        panel = self._panels[number - 1]
        if self.filling is panel:
            self.restore()
            return
        if self.filling is not None or self.chosen is panel or not _in_sight(panel):
            self._fill(panel)
        self.choose(panel)

    def at(self, widget: object) -> int:
        """Return the number of a widget's panel; 0: it is in none."""
        return next((n for n, panel in enumerate(self._panels, 1) if widget in panel), 0)

    def toggle(self, number: int) -> None:
        """Have a panel fill the screen, or show all panels again if it does that."""
        panel = self._panels[number - 1]
        if self.filling is panel:
            self.restore()
        else:
            self._fill(panel)
            self.choose(panel)

    def choose(self, panel: Panel) -> None:
        """Mark a panel, and give it the focus if it takes that."""
        self._mark(panel)
        widget = _taking_focus(panel) or _taking_focus(self._home) or self._home[0]
        if self._screen.focused is not widget:
            self._screen.set_focus(widget)

    def focused(self, widget: Painted, has_focus: bool) -> None:
        """Mark the panel of a widget that has got the focus, or unmark it."""
        panel = next(panel for panel in self._panels if widget in panel)
        if has_focus:
            self._mark(panel)
        elif self.chosen is panel:
            self._mark(self._home)

    def _mark(self, panel: Panel) -> None:
        self.chosen = panel
        for other in self._panels:
            for widget in other:
                widget.set_class(other is panel and panel is not self._home, "-chosen")

    def restore(self) -> None:
        """Show all panels again."""
        if self.filling is not None:
            self._fill(None)
            self._screen.call_after_refresh(self._leave_hidden)

    def _leave_hidden(self) -> None:
        if self.filling is None and not _in_sight(self.chosen):
            self.choose(self._home)

    def _fill(self, panel: Panel | None) -> None:
        self.filling = panel
        for other in self._panels:
            for widget in other:
                widget.set_class(other is panel, "-fills")
        for box in self._screen.query(".panels"):
            box.set_class(panel is not None and box in panel[0].ancestors, "-fills")
        self._screen.set_class(panel is not None, "-filled")


def _taking_focus(panel: Panel) -> Painted | None:
    """Return the widget of a panel that takes the focus now; None: there is none."""
    return next((widget for widget in panel if widget.can_focus and widget.display), None)


def _in_sight(panel: Panel) -> bool:
    return any(widget.is_on_screen for widget in panel)
