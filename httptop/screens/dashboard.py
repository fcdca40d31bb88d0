"""The main screen: what its keys and the mouse do; dashboard_view.py draws it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.widgets import Input

from httptop.filters.by_row import RowField
from httptop.model import EndpointKey
from httptop.screens.dashboard_view import DashboardView
from httptop.view.grouping import By
from httptop.view.menus import Menu, group_menu, group_sort_menu, row_menu, sort_menu
from httptop.widgets.bindings import bindings
from httptop.widgets.cursor_table import CursorTable
from httptop.widgets.endpoint_table import TITLES, EndpointTable
from httptop.widgets.filter_bar import FilterBar
from httptop.widgets.filter_editor import FilterEditor
from httptop.widgets.group_table import GroupTable
from httptop.widgets.input_line import InputLine
from httptop.widgets.live_requests import LiveRequests

#: How many panels there are.
PANELS: Final = 4


class Dashboard(DashboardView):
    """What keys and the mouse do: they only change the view, or ask a control to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("dashboard"),
        *(
            Binding(
                str(digit),
                f"panel({digit})",
                f"panel {digit}; again: it fills the screen" if 1 <= digit <= PANELS else "",
                show=False,
                priority=True,
                tooltip="Order, figures and panels",
            )
            for digit in range(10)
        ),
    ]

    # Keys

    def _let_type(self) -> None:
        """Cancel an action while an input line is open: its key is then part of the text."""
        if self._open_line is not None:
            raise SkipAction

    def _open_menu(self, name: str) -> None:
        self._let_type()
        self._menu = self.menus()[name]
        self._show_keys()

    async def take_key(self, key: str, /) -> bool:
        """Let an open menu have the key; those that are no letters do what they always do."""
        if await super().take_key(key):
            return True
        menu = self._menu
        if menu is None:
            return False
        self._menu = None
        choice = menu.chosen(key)
        if choice is not None:
            await self.run_action(choice.does)
        self._show_keys()
        if choice is None and len(key) == 1:
            self.no_such_key(f"{menu.title} {key}")
            return True
        return choice is not None or key == "escape"

    def go_back(self) -> bool:
        """Show all panels again if one fills the screen; go back to groups, or from them."""
        if self._panels.filling is not None:
            self._restore_panels()
            return True
        return self._groups.back()

    async def action_press(self, key: str) -> None:
        """Choose from the open menu, as its key does."""
        await self.take_key(key)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Close an input line when another widget is clicked; keep its text."""
        if not isinstance(event.widget, Input) and (line := self._open_line) is not None:
            line.close()

    def on_input_line_closed(self, message: InputLine.Closed) -> None:
        """Return the focus to the table, unless another widget has it."""
        self._filters.typing_ended(message.line, message.kept)
        if self.focused is None or isinstance(self.focused, Input):
            self._focus_rows()
        self._show_keys()

    def action_submit_line(self) -> None:
        """Act as if Enter were pressed in the open input line."""
        if (line := self._open_line) is not None:
            line.submit()

    def action_clear(self) -> None:
        """Do the first that applies.

        Close the menu; cancel the input line; stop picking a filter; show all panels; release
        the live requests; go back from the endpoints of a group to all groups; remove the filters;
        show endpoints, not groups; deselect the endpoint.
        """
        if self._menu is not None:
            self._menu = None
            self._show_keys()
        elif (line := self._open_line) is not None:
            line.action_cancel()
        elif self._filters.stop_picking():
            self._show_keys()
        elif self._panels.filling is not None:
            self._restore_panels()
        elif self._live.held:
            self._live.action_leave()
        elif self.httptop.view.groups_above is not None:
            self._groups.back()
        elif self.httptop.view.filtered:
            self.httptop.change_view(path_filter="", expression=None)
        elif not self._groups.back():
            self._select(None, follows=False)

    # Filters

    def action_filter(self) -> None:
        """Open the input line for a part of a path."""
        self._let_type()
        self._filters.type_path()
        self._show_keys()

    def on_filter_bar_changed(self, message: FilterBar.Changed) -> None:
        """Filter by a part of a path as the user types."""
        self.httptop.change_view(path_filter=message.text)

    def action_edit_filter(self) -> None:
        """Open the editor for a filter."""
        self._let_type()
        self._filters.type_filter()
        self._show_keys()

    def on_filter_editor_changed(self, message: FilterEditor.Changed) -> None:
        """Filter as the user types."""
        self.httptop.change_view(expression=message.expression)

    def action_take_candidate(self, n: int | None = None) -> None:
        """Insert a candidate into the filter being typed, by default the selected one."""
        self._editor.take(self._editor.advice.selected if n is None else n)

    def menus(self) -> Mapping[str, Menu]:
        """Return the menus of orders, of groups, and of the selected row's values.

        A group has but one value, for which there is no menu.
        """
        view = self.httptop.view
        menus = {"group": group_menu(fleet=self.scene.fleet), "sort": sort_menu(TITLES, view.sort)}
        if view.grouping.on:
            menus["sort"] = group_sort_menu(self._groups.titles, view.grouping.sort)
        if self._of_row:
            fleet = self.scene.fleet
            menus["only"] = row_menu(excluded=False, fleet=fleet)
            menus["hide"] = row_menu(excluded=True, fleet=fleet)
        return menus

    @property
    def _of_row(self) -> bool:
        """Whether a row or a live request is selected, and not a group."""
        return self.scene.groups is None or self._live.held

    def action_only(self) -> None:
        """Open the menu of the selected row's values, to show only what shares one.

        A group is shown alone at once: it has one value only.
        """
        self._choose_value(excluded=False)

    def action_hide(self) -> None:
        """Open the menu of the selected row's values, to hide what shares one; hide a group."""
        self._choose_value(excluded=True)

    def _choose_value(self, *, excluded: bool) -> None:
        if self._of_row:
            self._open_menu("hide" if excluded else "only")
        else:
            self._let_type()
            self._groups.keep(excluded=excluded)

    def action_by_row(self, field: RowField, excluded: bool) -> None:
        """Show only what shares the selected row's value of a field, or hide that."""
        self._filters.by_row(field, excluded=excluded)

    def action_drop_filter(self, n: int) -> None:
        """Remove a filter of the screen by its index among the chips; -1 is the last."""
        self._filters.remove(n)
        self._show_keys()

    def action_pick_filter(self) -> None:
        """Let the next digit choose the filter to remove; a single one is removed at once."""
        self._filters.pick()
        self._show_keys()

    # Settings

    def action_merge(self) -> None:
        """Ask for a pattern whose paths to count together."""
        self._let_type()
        if self._has_endpoint():
            self._settings.merge()
        self._show_keys()

    def action_split(self) -> None:
        """Ask for a pattern whose paths to count separately."""
        self._let_type()
        if self._has_endpoint():
            self._settings.split()
        self._show_keys()

    def _has_endpoint(self) -> bool:
        """Return whether endpoints can be selected; if not, say how."""
        if self.scene.groups is not None:
            self.httptop.say(f"Select an endpoint for that: {self.httptop.key_of('group')} 1.")
        return self.scene.groups is None

    def action_save(self) -> None:
        """Save the settings changed on the screen to the configuration file."""
        self._settings.save()

    # Order and side

    def action_sort(self) -> None:
        """Open the menu of the orders."""
        self._open_menu("sort")

    def action_sort_by(self, sort: str) -> None:
        """Sort by a column, shown or not; by the same one again: reverse the order."""
        self._sort(sort)

    def action_cycle_sort(self, step: int) -> None:
        """Sort by the next or previous column shown."""
        if self.httptop.view.grouping.on:
            self._groups.cycle(step)
            return
        names = [column.sort for column, _ in self._table.columns]
        now = self.httptop.view.sort
        index = names.index(now) + step if now in names else 0
        self._sort(names[index % len(names)])

    def action_reverse(self) -> None:
        """Reverse the order."""
        grouping = self.httptop.view.grouping
        self._sort(grouping.sort if grouping.on else self.httptop.view.sort)

    def action_idle(self) -> None:
        """Hide the endpoints without a request in the window, or show them again."""
        self.httptop.change_view(idle_hidden=not self.httptop.view.idle_hidden)

    def on_cursor_table_sort_asked(self, message: CursorTable.SortAsked) -> None:
        """Sort by that column, or reverse the order."""
        self._sort(message.sort)

    def _sort(self, sort: str) -> None:
        if self.httptop.view.grouping.on:
            self._groups.sort(sort)
            return
        view = self.httptop.view.sorted_by(sort)
        self.httptop.change_view(sort=view.sort, descending=view.descending)

    def action_toggle_side(self) -> None:
        """Show the other side."""
        self.httptop.change_view(side=self.httptop.view.other_side())

    # Groups

    def action_group(self) -> None:
        """Open the menu of what rows can be grouped by."""
        self._open_menu("group")

    def action_group_by(self, by: By) -> None:
        """Group rows; by ``endpoint`` they are not grouped."""
        self._groups.group(by)

    def action_tree(self) -> None:
        """Group rows by path, as a tree, or show endpoints again."""
        self._groups.group("endpoint" if self.httptop.view.grouping.by == "path" else "path")

    def action_first_row(self) -> None:
        """Move the cursor of the table, or of the live requests, to the first row."""
        (self._live if self._live.held else self._rows).action_edge(0)

    def on_group_table_selected(self, message: GroupTable.Selected) -> None:
        """Remember the group, not its line."""
        self._groups.select(message.group)

    def on_group_table_opened(self, message: GroupTable.Opened) -> None:
        """Show what it is made of."""
        self._groups.open(message.group)

    def on_group_table_fold_asked(self, message: GroupTable.FoldAsked) -> None:
        """Show or hide what is below a node of the path tree."""
        self._groups.fold(message.group)

    # Endpoints and requests

    def on_endpoint_table_selected(self, message: EndpointTable.Selected) -> None:
        """Put the cursor on the endpoint."""
        self._select(message.key)

    def _select(self, key: EndpointKey | None, *, follows: bool | None = None) -> None:
        view = self.httptop.view
        follows = view.follows if follows is None else follows
        self.httptop.change_view(selected=key, moves=view.moves + 1, follows=follows)

    def action_follow(self) -> None:
        """Have the cursor follow the endpoint under it, or keep its line again."""
        if self.scene.groups is not None:
            self.httptop.say("The cursor already follows its group.")
        elif self.httptop.view.follows:
            self.httptop.change_view(follows=False)
        elif (key := self.scene.cursor_key) is not None:
            self._select(key, follows=True)

    def action_open(self) -> None:
        """Open the endpoint under the cursor, or the selected live request."""
        if self._live.held:
            self._live.action_open()
        else:
            self._rows.action_open()

    def on_endpoint_table_opened(self, message: EndpointTable.Opened) -> None:
        """Show its details."""
        self.httptop.open_endpoint(message.key)

    def action_open_finding(self, number: int) -> None:
        """Open what a part of the headline is about."""
        if number < len(self._findings):
            finding = self._findings[number]
            if finding.kind == "hangs":
                self.httptop.action_in_flight()
            elif finding.key is None:
                self.httptop.action_watches()
            else:
                self.httptop.open_endpoint(finding.key)

    # Panels

    def _restore_panels(self) -> None:
        self._panels.restore()
        self._show_keys()

    def action_panel(self, number: int) -> None:
        """Choose a panel by its digit; see PanelControl. A filter that is picked comes first."""
        self._let_type()
        if self._filters.picking:
            self.action_drop_filter(number - 1)
        elif 1 <= number <= len(self._panels):
            self._panels.press(number)
            if self.focused is self._live:  # before the next key is looked at
                self._live.hold()
            self.refresh_scene()
        else:
            raise SkipAction

    def on_click(self, event: events.Click) -> None:
        """Have the panel whose title was clicked fill the screen, or show all again."""
        widget, region = self.get_widget_at(event.screen_x, event.screen_y)
        number = self._panels.at(widget)
        if number and event.screen_y == region.y:
            self._panels.toggle(number)
            self.refresh_scene()

    def on_live_requests_opened(self, message: LiveRequests.Opened) -> None:
        """Show its details."""
        self.httptop.open_request(message.request)

    def on_live_requests_held(self) -> None:
        """Show the keys that work now in the footer."""
        self._panels.focused(self._live, self._live.held)
        self._show_keys()

    def on_live_requests_left(self) -> None:
        """Return the focus to the table."""
        self._focus_rows()
