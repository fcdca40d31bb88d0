"""What a filter picks rows by, and not requests: of such a row all requests are shown."""

from __future__ import annotations

from typing import Final

from httptop.filters import KEY_FIELDS, comparisons, conjuncts
from httptop.filters.on_screen import joined
from httptop.view.state import Scene

#: All requests of a row have these.
_OF_ROWS: Final = KEY_FIELDS | {"user"}


def rows_with(scene: Scene) -> str:
    """Return the part of a scene's filter that its rows are with, not of; empty: there is none.

    All requests of a row have its process, user and path, and those with a status are counted
    apart, so these need not be said. But a row with ``pid = 7`` has the requests of others as well.
    """
    expression = scene.view.expression
    if expression is None:
        return ""
    by_party = scene.view.grouping.by in ("pid", "peer")  # they are not counted by status
    exact = _OF_ROWS if scene.whole_rows or by_party else _OF_ROWS | {"status"}
    figures = tuple(
        part
        for part in conjuncts(expression)
        if not {found.name for found in comparisons(part)} <= exact
    )
    return str(joined(figures) or "")
