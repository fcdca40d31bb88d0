"""The part of the dashboard that filters: typed paths, the editor, chips, the selected row.

A filter here hides endpoints and live requests; they are counted on, and keep their history. What
the whole run is limited to stands beside it as chips that cannot be removed.
"""

from __future__ import annotations

from textual import events
from textual.actions import SkipAction
from textual.widgets import Input

from httptop.filters import Expression, FilterError, conjuncts
from httptop.filters.by_row import RowField, outcomes, part_for, row_values
from httptop.filters.completion import seen_in
from httptop.filters.on_screen import joined, with_part
from httptop.screens.base import HttptopScreen
from httptop.screens.status_chooser import StatusChooser
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.filter_bar import FilterBar
from httptop.widgets.filter_chips import FilterChips
from httptop.widgets.filter_editor import FilterEditor
from httptop.widgets.key_bar import Hint
from httptop.widgets.prompt import Prompt


class Filtering(HttptopScreen):
    """Actions and messages of the filters; the dashboard brings the widgets."""

    def __init__(self) -> None:
        super().__init__()
        #: Whether the next digit removes a chip.
        self.picking = False
        self._before_edit: Expression | None = None

    @property
    def table(self) -> EndpointTable:
        """The endpoint table."""
        return self.query_one(EndpointTable)

    @property
    def typing(self) -> bool:
        """Whether keys are letters of a text."""
        lines = (self.query_one(FilterBar), self.query_one(FilterEditor), self.query_one(Prompt))
        return any(line.is_open for line in lines)

    def show_keys(self) -> None:
        """Name the keys that work now."""
        raise NotImplementedError

    def filter_hints(self) -> list[Hint]:
        """Return the keys that work while a filter is typed or chosen; none at other times."""
        if self.query_one(FilterBar).is_open:
            return [
                ("Enter", "keep the filter", "screen.keep_filter"),
                ("Esc", "clear it", "screen.clear"),
            ]
        if self.query_one(FilterEditor).is_open:
            return [
                ("Enter", "keep the filter", "screen.keep_filter"),
                ("Tab", "complete", "screen.take_candidate"),
                ("Up Down", "choose", ""),
                ("Esc", "back to what was", "screen.clear"),
            ]
        if self.picking:
            return [("1 to 9", "remove that filter", ""), ("Esc", "keep them", "screen.clear")]
        return []

    # A part of the path

    def action_filter(self) -> None:
        """Type a path filter; while something is typed, a slash is a letter of it."""
        if self.typing:
            raise SkipAction
        self.query_one(FilterBar).open(self.httptop.view.path_filter)
        self.show_keys()

    def action_keep_filter(self) -> None:
        """End typing."""
        if (editor := self.query_one(FilterEditor)).is_open:
            editor.query_one(Input).post_message(
                Input.Submitted(editor.query_one(Input), editor.query_one(Input).value)
            )
        else:
            self.query_one(FilterBar).close()

    def on_filter_bar_changed(self, message: FilterBar.Changed) -> None:
        """Filter as the user types."""
        self.httptop.change_view(path_filter=message.text)

    def on_filter_bar_closed(self) -> None:
        """Give the keys back to the table."""
        self.leave_line()

    # The language

    def action_edit_filter(self) -> None:
        """Write a filter; while something is typed, the key is a letter of it."""
        if self.typing:
            raise SkipAction
        view = self.httptop.view
        self._before_edit = view.expression
        text = "" if view.expression is None else str(view.expression)
        self.query_one(FilterEditor).open(text, seen_in(self.httptop.snapshot, view.side))
        self.add_class("-editing")
        self.show_keys()

    def action_take_candidate(self, n: int | None = None) -> None:
        """Put a candidate into the filter that is written, the chosen one if none is named."""
        editor = self.query_one(FilterEditor)
        if n is None:
            editor.action_take()
        else:
            editor.take(n)

    def on_filter_editor_changed(self, message: FilterEditor.Changed) -> None:
        """Filter as the user writes."""
        self.httptop.change_view(expression=message.expression)

    def on_filter_editor_closed(self, message: FilterEditor.Closed) -> None:
        """Bring back what was before unless it is kept; give the keys back to the table."""
        self.remove_class("-editing")
        if not message.kept:
            self.httptop.change_view(expression=self._before_edit)
        self.leave_line()

    # The selected row

    def action_only(self, field: RowField) -> None:
        """Show only what has the selected row's process, path, status or process number."""
        self._by_row(field, excluded=False)

    def action_exclude(self, field: RowField) -> None:
        """Hide what has it."""
        self._by_row(field, excluded=True)

    def _by_row(self, field: RowField, excluded: bool) -> None:
        table = self.table
        if table.cursor_row >= len(table.rows):
            return
        row = table.rows[table.cursor_row]
        values = row_values(row, field)
        if field == "status" and len(values) > 1:
            title = "all but a status" if excluded else "only a status"
            self.app.push_screen(
                StatusChooser(title, outcomes(row)),
                lambda chosen: self._add("status", (chosen,), excluded) if chosen else None,
            )
        elif values:
            self._add(field, values, excluded)
        else:
            what = "process number" if field == "pid" else "status"
            self.httptop.say(f"No {what} of this endpoint is known.")

    def _add(self, field: RowField, values: tuple[str, ...], excluded: bool) -> None:
        """Filter by one part more; the same one again is taken away."""
        try:
            part = part_for(field, values, excluded)
            expression = with_part(self.httptop.view.expression, part)
        except FilterError as fault:
            self.httptop.say(fault.message, wrong=True)
        else:
            self.httptop.change_view(expression=expression)
            if excluded and self.table.cursor_key is not None:
                # The row is hidden now; its neighbour shall be kept hold of, wherever it moves.
                self.httptop.change_view(selected=self.table.cursor_key)

    # Chips

    def action_drop_filter(self, n: int) -> None:
        """Remove a filter of the screen by its place among the chips; -1 is the last."""
        if self.picking:
            self.pick(False)
        view = self.httptop.view
        parts = () if view.expression is None else conjuncts(view.expression)
        count = len(parts) + bool(view.path_filter)
        if not count or not -1 <= n < count:
            return
        n = count - 1 if n < 0 else n
        if view.path_filter and n == 0:
            self.httptop.change_view(path_filter="")
        else:
            n -= bool(view.path_filter)
            self.httptop.change_view(expression=joined((*parts[:n], *parts[n + 1 :])))

    def action_pick_filter(self) -> None:
        """Let a digit say which filter is removed; with one filter remove that."""
        view = self.httptop.view
        parts = () if view.expression is None else conjuncts(view.expression)
        if len(parts) + bool(view.path_filter) < 2:
            self.action_drop_filter(-1)
        else:
            self.pick(not self.picking)

    def pick(self, picking: bool) -> None:
        """Number the chips, or no longer."""
        self.picking = picking
        self.query_one(FilterChips).show(self.httptop.view, picking)
        self.show_keys()

    def stop_typing(self) -> bool:
        """End what is typed or picked, and undo it; return whether there was anything."""
        if (bar := self.query_one(FilterBar)).is_open:
            bar.action_clear()
        elif (editor := self.query_one(FilterEditor)).is_open:
            editor.action_cancel()
        elif (prompt := self.query_one(Prompt)).is_open:
            prompt.action_cancel()
        elif self.picking:
            self.pick(False)
        else:
            return False
        return True

    # The line that is typed in

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """End typing when another widget was clicked; what was typed is kept."""
        if isinstance(event.widget, Input):
            return
        for line in (self.query_one(FilterBar), self.query_one(FilterEditor)):
            if line.is_open:
                line.close()
        if (prompt := self.query_one(Prompt)).is_open:
            prompt.close()

    def leave_line(self) -> None:
        """Give the keys back to the table."""
        if self.focused is None or isinstance(self.focused, Input):
            self.set_focus(self.table)
        self.show_keys()
