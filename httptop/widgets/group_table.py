"""The table of groups: one line per group, or per node of the path tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from textual.content import Content
from textual.message import Message
from textual.strip import Strip

from httptop import humanize
from httptop.humanize import DEFAULT_UNITS, Units
from httptop.view.grouping import GROUPING_NAMES, NO_GROUPING
from httptop.view.groups import Group, Groups
from httptop.view.rows_with import rows_with
from httptop.view.state import Scene
from httptop.widgets.bindings import row_meanings
from httptop.widgets.cursor_table import CursorTable
from httptop.widgets.group_columns import GroupColumn, group_layout
from httptop.widgets.painting import Line, fit, status_hue, status_phrase
from httptop.widgets.sparkline import GLYPHS, Symbols

_NONE: Final = Groups(NO_GROUPING, (), 0, 0.0, 0.0)
_LONGEST_FILTER: Final = 40


def groups_title(scene: Scene, groups: Groups, symbols: Symbols) -> Content:
    """Return what the endpoints are grouped by, how many groups there are, and their order."""
    glyphs, grouping = GLYPHS[symbols], groups.grouping
    quiet = "not bold $hue-muted"
    many = "" if groups.count == 1 else "s"
    parts: list[str | tuple[str, str]] = [f"{scene.view.side} by {GROUPING_NAMES[grouping.by]} "]
    parts.append(f"{glyphs.dot} {groups.count} group{many} ")
    if what := rows_with(scene):
        parts.append((f"with {fit_filter(what, glyphs.ellipsis)} ", quiet))
    if groups.since_start:
        parts.append((f"{glyphs.dot} since start ", quiet))
    arrow = glyphs.down if grouping.descending else glyphs.up
    parts.append((f"{glyphs.dot} by {_title(grouping.sort, groups)} {arrow}", quiet))
    return Content.assemble(*parts)


def fit_filter(text: str, ellipsis: str) -> str:
    """Return a filter, cut if it is too long for a title."""
    return fit(text, _LONGEST_FILTER, ellipsis=ellipsis) if len(text) > _LONGEST_FILTER else text


def _title(order: str, groups: Groups) -> str:
    columns = group_layout(200, groups.grouping.by, since_start=groups.since_start)
    return next((column.title for column, _ in columns if column.sort == order), order.upper())


class GroupTable(CursorTable):
    """The groups of one side's endpoints; the last line has the sum of those shown."""

    MEANINGS = row_meanings("group", "unfold or fold a path; else show its endpoints") | {
        "fold": "unfold or fold a path; else one page down"
    }

    FOOTER_LINES = 1

    class Selected(Message):
        """The cursor was moved to a group."""

        def __init__(self, group: Group) -> None:
            self.group = group
            super().__init__()

    class Opened(Message):
        """The user wants to see what a group is made of."""

        def __init__(self, group: Group) -> None:
            self.group = group
            super().__init__()

    class FoldAsked(Message):
        """The user wants a node of the path tree folded, or unfolded."""

        def __init__(self, group: Group) -> None:
            self.group = group
            super().__init__()

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.groups = _NONE
        self.units = DEFAULT_UNITS
        plain = symbols == "ascii"
        self._folds = {True: "+ " if plain else "▸ ", False: "- " if plain else "▾ ", None: "  "}
        self._sum = "sum" if plain else "Σ"

    @property
    def count(self) -> int:
        """The number of lines."""
        return len(self.groups.lines)

    @property
    def order(self) -> tuple[str, bool]:
        """The order of the groups."""
        return self.groups.grouping.sort, self.groups.grouping.descending

    @property
    def has_selection(self) -> bool:
        """Whether a group is selected."""
        return self.groups.grouping.selected is not None

    @property
    def cursor_group(self) -> Group | None:
        """The group under the cursor."""
        lines = self.groups.lines
        return lines[self.cursor_row] if self.cursor_row < len(lines) else None

    @property
    def columns(self) -> tuple[tuple[GroupColumn, int], ...]:
        """The columns shown at this width, with their widths."""
        if not self.groups.grouping.on:
            return ()
        width = max(self.scrollable_content_region.width - 1, 0)
        since_start = self.groups.since_start
        return group_layout(width, self.groups.grouping.by, self.units, since_start=since_start)

    def show(self, scene: Scene, groups: Groups, units: Units) -> None:
        """Show groups; keep the selected one under the cursor, and visible if it was."""
        before, now = self.groups.grouping, scene.view.grouping
        selected = now.selected
        in_sight = self.in_sight(self.cursor_row)
        resorted = (before.by, before.sort, before.descending) != (
            *(now.by, now.sort, now.descending),
        )
        self.groups, self.units = groups, units
        row = groups.place(selected, self.cursor_row)
        moved, self.cursor_row = row != self.cursor_row, row
        self.fit_rows()
        if selected is None:
            if resorted:
                self.scroll_to(y=0, animate=False)
        elif (moved and in_sight) or resorted:
            self.bring_into_sight()
        self.set_title(groups_title(scene, groups, self.symbols))
        self.repaint()

    # Painting

    def cells(self, row: int) -> Iterator[tuple[str, str]]:
        """Yield the text of each column of a group, and its hue."""
        group = self.groups.lines[row]
        idle = group.rps == 0 and not group.in_flight
        for column, cells in self.columns:
            if column.sort == "name":
                text, hue = self._name_cell(group, cells)
            elif not column.sort:
                text, hue = self.fit(self._detail(group), cells), "muted"
            elif column.sort == "share":
                text, hue = self.share_cell(self.groups.share(group), cells)
            else:
                text, hue = column.cell(group, self.units)
                text = self.fit(text, cells, column.align)
            yield text, "muted" if idle and hue != "faint" else hue

    def _name_cell(self, group: Group, cells: int) -> tuple[str, str]:
        by, name, hue = self.groups.grouping.by, group.name, "strong"
        if by == "path":
            name = "  " * group.depth + self._folds[group.folded] + name
        elif by == "status" and isinstance(group.id, int):
            hue = status_hue(group.id)
        return self.fit(name, cells), hue

    def _detail(self, group: Group) -> str:
        if self.groups.grouping.by != "status" or not isinstance(group.id, int):
            return group.detail
        return status_phrase(group.id) if group.id else "no response, or one that was not seen"

    def footer(self) -> list[Strip]:
        """Return the sum of what is shown, and what share of the side's requests that is."""
        groups, text, quiet = self.groups, self.hue("text"), self.hue("muted")
        line = Line().space(1, quiet).add(f"{self._sum} ", quiet)
        line.add(f"{humanize.rate(groups.shown)} of {humanize.rate(groups.total)}/s", text)
        share = humanize.percent(groups.shown_share)
        return [line.add(" = ", quiet).add(share, text).strip()]

    # Moving

    def select(self, row: int) -> None:
        """Tell the screen which group the cursor is on now."""
        self.post_message(self.Selected(self.groups.lines[row]))

    def action_open(self) -> None:
        """Ask for what the group under the cursor is made of."""
        if (group := self.cursor_group) is not None:
            self.post_message(self.Opened(group))

    def action_fold(self) -> None:
        """Ask to fold or unfold the node under the cursor; where there is none: a page down."""
        group = self.cursor_group
        if group is None or group.folded is None:
            self.action_page(1)
        else:
            self.post_message(self.FoldAsked(group))
