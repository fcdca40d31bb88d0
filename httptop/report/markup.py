"""Pieces of HTML: escaped text, and tables that can be read without a script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

#: The text of what is not known.
UNKNOWN: Final = "–"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    number: bool = False
    heads_row: bool = False  # whether its cells say what their rows are about


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its text, and what it is sorted by where that is not the text."""

    text: str
    value: float | None = None
    bad: bool = False


def text(words: str) -> str:
    """Return a text as HTML."""
    return escape(words, quote=True)


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Cell]],
    *,
    sorted_by: str = "",
    searched: bool = False,
) -> Iterator[str]:
    """Yield a table in pieces, a line each; its caption names it.

    ``sorted_by``: the title of the column whose highest values are first, if any: the script lets
    the reader sort by others. ``searched``: and look for rows.
    """
    kinds = [name for name, on in (("sorts", bool(sorted_by)), ("searched", searched)) if on]
    kind = f' class="{" ".join(kinds)}"' if kinds else ""
    yield f'<div class="wide"><table{kind}>'
    yield f"<caption>{text(caption)}</caption>"
    yield "<thead><tr>"
    for column in columns:
        order = ' aria-sort="descending"' if column.title == sorted_by else ""
        kind = ' class="n"' if column.number else ""
        yield f'<th scope="col"{kind}{order}>{text(column.title)}</th>'
    yield "</tr></thead>\n<tbody>"
    for row in rows:
        cells = "".join(_cell(column, cell) for column, cell in zip(columns, row, strict=True))
        yield f"<tr>{cells}</tr>"
    yield "</tbody></table></div>"


def _cell(column: Column, cell: Cell) -> str:
    kinds = [name for name, on in (("n", column.number), ("bad", cell.bad)) if on]
    attributes = f' class="{" ".join(kinds)}"' if kinds else ""
    if cell.value is not None:
        attributes += f' data-value="{cell.value:.12g}"'
    if column.heads_row:
        return f'<th scope="row"{attributes}>{text(cell.text)}</th>'
    return f"<td{attributes}>{text(cell.text)}</td>"
