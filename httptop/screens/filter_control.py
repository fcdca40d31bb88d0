"""Change the filters of the screen by keys and clicks: typed ones, those by row, chips.

These filters hide endpoints and live requests, which are still counted and keep their history.
The filters of the whole run are shown beside them, as chips that cannot be removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from httptop.filters import Expression, FilterError
from httptop.filters.by_row import RowField, choices, part_for, request_values, row_values
from httptop.filters.completion import seen_in
from httptop.filters.on_screen import with_part
from httptop.screens.base import Httptop
from httptop.screens.value_chooser import peer_chooser, status_chooser
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.filter_bar import FilterBar
from httptop.widgets.filter_chips import FilterChips
from httptop.widgets.filter_editor import FilterEditor
from httptop.widgets.input_line import InputLine
from httptop.widgets.live_requests import LiveRequests

_NAMES: Final = {"pid": "PID", "peer": "peer address"}


class FilterControl:
    """Changes the view's filters; the dashboard owns it and its widgets."""

    def __init__(
        self,
        app: Httptop,
        table: EndpointTable,
        live: LiveRequests,
        bar: FilterBar,
        editor: FilterEditor,
        chips: FilterChips,
    ) -> None:
        self._app = app
        self._table, self._live = table, live
        self._bar, self._editor, self._chips = bar, editor, chips
        #: Whether the next digit removes a chip.
        self.picking = False
        self._before_edit: Expression | None = None

    # Typing

    def type_path(self) -> None:
        """Open the input line for a part of a path."""
        self._bar.begin(self._app.view.path_filter)

    def type_filter(self) -> None:
        """Open the editor with the current filter."""
        view = self._app.view
        self._before_edit = view.expression
        text = "" if view.expression is None else str(view.expression)
        self._editor.open(text, seen_in(self._app.snapshot, view.side))

    def typing_ended(self, line: InputLine, kept: bool) -> None:
        """Unless the text is kept, remove the filter by path, or restore the previous filter."""
        if line is self._bar and not kept:
            self._app.change_view(path_filter="")
        elif line is self._editor and not kept:
            self._app.change_view(expression=self._before_edit)

    # The selected row

    def by_row(self, field: RowField, *, excluded: bool) -> None:
        """Show only what shares the selected row's value of a field, or hide that.

        While a live request is selected, the value is its own.
        """
        table, request = self._table, self._live.selected
        if request is not None:
            self._by_values(field, request_values(request, field), excluded)
        elif table.cursor_row < len(table.rows):
            row = table.rows[table.cursor_row]
            values = row_values(row, field)
            if field in ("status", "peer") and len(values) > 1:
                self._choose(field, choices(row, field), excluded)
            else:
                self._by_values(field, values, excluded)

    def _choose(
        self, field: Literal["status", "peer"], values: Sequence[tuple[str, int]], excluded: bool
    ) -> None:
        title = f"hide a {field}" if excluded else f"only one {field}"
        box = status_chooser if field == "status" else peer_chooser
        self._app.push_screen(
            box(title, values),
            lambda value: self._toggle(field, (value,), excluded) if value else None,
        )

    def _by_values(self, field: RowField, values: tuple[str, ...], excluded: bool) -> None:
        if values:
            self._toggle(field, values, excluded)
        else:
            self._app.say(f"No {_NAMES.get(field, field)} is known here.")

    def _toggle(self, field: RowField, values: tuple[str, ...], excluded: bool) -> None:
        """Add a part to the filter; remove it if it is there already."""
        try:
            part = part_for(field, values, excluded)
            expression = with_part(self._app.view.expression, part)
        except FilterError as error:
            self._app.say(error.message, wrong=True)
        else:
            self._app.change_view(expression=expression)

    # Chips

    def remove(self, n: int) -> None:
        """Remove a filter by its index among the chips; -1 is the last."""
        self.stop_picking()
        view = self._app.view.without_filter(n)
        self._app.change_view(path_filter=view.path_filter, expression=view.expression)

    def pick(self) -> None:
        """Let the next digit choose the filter to remove, or stop that; remove a single one."""
        if self._app.view.filter_count < 2:
            self.remove(-1)
        elif self.picking:
            self.stop_picking()
        else:
            self.picking = True
            self.show_chips()

    def stop_picking(self) -> bool:
        """Hide the numbers of the chips; return whether they were shown."""
        picked, self.picking = self.picking, False
        if picked:
            self.show_chips()
        return picked

    def show_chips(self) -> None:
        """Draw the chips of the view's filters."""
        self._chips.show(self._app.view, self.picking)
