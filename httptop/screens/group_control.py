"""Group the endpoints by keys, and go from a group to its endpoints and back.

Groups are a view of what is counted, like filters: nothing is counted in another way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from httptop.filters import Expression, FilterError, conjuncts
from httptop.filters.on_screen import joined, with_part
from httptop.model import EndpointKey
from httptop.screens.base import Httptop
from httptop.view.grouping import GROUPING_NAMES, NO_GROUPING, By, Grouping, part_for_group
from httptop.view.groups import GROUP_SORTS, Group
from httptop.widgets.group_table import GroupTable

#: What is known of the host that is traced, and not of others.
_OF_ONE_HOST: Final = frozenset({"pid", "peer", "container"})


class GroupControl:
    """Changes the view's grouping; the dashboard owns it and its table."""

    def __init__(self, app: Httptop, table: GroupTable) -> None:
        self._app, self._table = app, table

    @property
    def _now(self) -> Grouping:
        return self._app.view.grouping

    def group(self, by: By) -> None:
        """Group the endpoints; by ``endpoint`` they are not grouped."""
        newest = self._app.newest
        if newest is not None and newest.hosts and by in _OF_ONE_HOST:
            self._app.say(f"Hosts do not say which {GROUPING_NAMES[by]} has which requests.")
        elif by != self._now.by:
            self._app.change_view(grouping=Grouping(by), group_of=None)

    def select(self, group: Group) -> None:
        """Remember a group, not its line."""
        self._app.change_view(grouping=replace(self._now, selected=group.id))

    # Order

    @property
    def titles(self) -> dict[str, str]:
        """The titles of the columns that sort, by their names."""
        columns = [column for column, _ in self._table.columns]
        return {column.sort: column.title for column in columns if column.sort in GROUP_SORTS}

    def sort(self, name: str) -> None:
        """Sort by a column, reversed if it was already; a share is that of its requests."""
        if name == "share":
            name = "rps"
        if name in GROUP_SORTS:
            self._app.change_view(grouping=self._now.sorted_by(name))

    def cycle(self, step: int) -> None:
        """Sort by the next or previous column."""
        names = list(self.titles)
        at = names.index(self._now.sort) + step if self._now.sort in names else 0
        self.sort(names[at % len(names)])

    def reverse(self) -> None:
        """Reverse the order."""
        self.sort(self._now.sort)

    # Members

    def fold(self, group: Group) -> None:
        """Show the members of a node of the path tree, or hide them."""
        grouping = replace(self._now.folded(str(group.id)), selected=group.id)
        self._app.change_view(grouping=grouping)

    def open(self, group: Group) -> None:
        """Unfold or fold a node of the path tree; show an endpoint, or those of any other group."""
        if isinstance(group.id, EndpointKey):
            self._app.open_endpoint(group.id)
        elif group.folded is not None:
            self.fold(group)
        elif (part := self._part(group, excluded=False)) is not None:
            expression = self._app.view.expression
            if expression is None or part not in conjuncts(expression):
                expression = self._with(part)
            if expression is not None:
                grouping = replace(self._now, selected=group.id)
                self._app.change_view(
                    expression=expression,
                    grouping=NO_GROUPING,
                    group_of=(part, grouping),
                    selected=None,
                )

    def back(self) -> bool:
        """Go back to the groups from the endpoints of one, or from them to all endpoints.

        Returns whether one of these was shown.
        """
        view = self._app.view
        if view.grouping.on:
            self.group("endpoint")
            return True
        grouping = view.groups_above
        if grouping is None or view.group_of is None or view.expression is None:
            return False
        own = conjuncts(view.group_of[0])
        rest = tuple(other for other in conjuncts(view.expression) if other not in own)
        self._app.change_view(expression=joined(rest), grouping=grouping, group_of=None)
        return True

    def keep(self, *, excluded: bool) -> None:
        """Show only the selected group, or hide it."""
        group = self._table.cursor_group
        if group is not None and (part := self._part(group, excluded=excluded)) is not None:
            expression = self._with(part)
            if expression is not None:
                self._app.change_view(expression=expression)

    def _part(self, group: Group, *, excluded: bool) -> Expression | None:
        """Return the filter of a group, or say why there is none."""
        by = self._now.by
        try:
            part = part_for_group(by, group.id, excluded=excluded)
        except FilterError as error:
            self._app.say(error.message, wrong=True)
            return None
        if part is None:
            self._app.say(f"No filter tells a {GROUPING_NAMES[by]} that is not known.")
        return part

    def _with(self, part: Expression) -> Expression | None:
        """Return the view's filter with a part added, or say why that cannot be."""
        try:
            expression = self._app.view.expression
            for one in conjuncts(part):
                expression = with_part(expression, one)
        except FilterError as error:
            self._app.say(error.message, wrong=True)
            return None
        return expression
