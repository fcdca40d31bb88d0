"""What a filter picks rows by that their requests differ in: such a row may have others, too."""

from __future__ import annotations

from typing import Final

from httptop.filters import KEY_FIELDS, comparisons, conjuncts
from httptop.filters.on_screen import joined
from httptop.view.state import View

_OF_ROWS: Final = KEY_FIELDS | {"user"}


def rows_with(view: View) -> str:
    """Return the part of a view's filter that rows are with, not of; empty: there is none.

    All requests of a row have its process, user and path, so these need not be said. But a row with
    ``status = 5xx`` may have other statuses as well, and its figures are those of all its requests.
    """
    if view.expression is None:
        return ""
    figures = tuple(
        part
        for part in conjuncts(view.expression)
        if not {found.name for found in comparisons(part)} <= _OF_ROWS
    )
    return str(joined(figures) or "")
