"""Break texts into lines of a width in cells."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import chop_cells

from httptop.widgets.painting import width_of


def wrapped(text: str, width: int) -> Iterator[str]:
    """Yield the lines of a text, broken between words, or within one that is too long."""
    width = max(width, 1)
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if width_of(longer) <= width:
            line = longer
            continue
        if line:
            yield line
        *whole, line = chop_cells(word, width)
        yield from whole
    yield line
