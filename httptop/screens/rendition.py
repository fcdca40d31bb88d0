"""Renditions: how a cell looks, and the shortest SGR sequence (ECMA-48) from one to another.

Terminals keep a current rendition, so only what differs from it has to be said. Rich renders each
run of characters by itself: all of its rendition before, and a reset behind. That was 78 % of all
bytes that the screen sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from rich.color import Color, ColorSystem
from rich.style import Style

#: Attributes that one parameter turns off together: that, and each with the one that turns it on.
_GROUPS: Final[tuple[tuple[str, tuple[tuple[str, str], ...]], ...]] = (
    ("22", (("bold", "1"), ("dim", "2"))),
    ("23", (("italic", "3"),)),
    ("24", (("underline", "4"), ("underline2", "21"))),
    ("25", (("blink", "5"), ("blink2", "6"))),
    ("27", (("reverse", "7"),)),
    ("28", (("conceal", "8"),)),
    ("29", (("strike", "9"),)),
    ("54", (("frame", "51"), ("encircle", "52"))),
    ("55", (("overline", "53"),)),
)
_ATTRIBUTES: Final = tuple(name for _, group in _GROUPS for name, _ in group)
_DEFAULT: Final = "39", "49"
#: Attributes that change how a blank looks, and with which its foreground is seen.
_ON_BLANKS: Final = frozenset(
    {"underline", "underline2", "reverse", "strike", "frame", "encircle", "overline"}
)


class Rendition:
    """How a cell looks; each exists once, so ``is`` compares them."""

    __slots__ = ("attributes", "background", "blank", "foreground")

    def __init__(self, attributes: tuple[str, ...], foreground: str, background: str) -> None:
        self.attributes, self.foreground, self.background = attributes, foreground, background
        seen = tuple(name for name in attributes if name in _ON_BLANKS)
        on_blanks = (seen, foreground if seen else _DEFAULT[0], background)
        alike = on_blanks == (attributes, foreground, background)
        #: How a blank looks in it: the same for all in which blanks look alike.
        self.blank: Rendition = self if alike else _rendition(*on_blanks)


@lru_cache(4096)
def _rendition(attributes: tuple[str, ...], foreground: str, background: str) -> Rendition:
    """Return a rendition: rich's names of attributes, SGR parameters of colours (``38;5;12``)."""
    return Rendition(attributes, foreground, background)


PLAIN: Final = _rendition((), *_DEFAULT)


@lru_cache(4096)
def rendition_of(style: Style | None, colors: ColorSystem) -> Rendition:
    """Return the rendition of a style in the colours of a terminal; links are not rendered."""
    if style is None:
        return PLAIN
    return _rendition(
        tuple(name for name in _ATTRIBUTES if getattr(style, name)),
        _parameters(style.color, colors, foreground=True),
        _parameters(style.bgcolor, colors, foreground=False),
    )


def _parameters(color: Color | None, colors: ColorSystem, *, foreground: bool) -> str:
    if color is None:
        return _DEFAULT[0 if foreground else 1]
    return ";".join(color.downgrade(colors).get_ansi_codes(foreground))


@lru_cache(4096)
def change(before: Rendition, after: Rendition) -> str:
    """Return the SGR sequence from a rendition to another; empty if they are the same."""
    if before is after:
        return ""
    step = ";".join(_steps(before, after))
    anew = ";".join(["0", *_steps(PLAIN, after)])
    return f"\x1b[{min(step, anew, key=len)}m"


def _steps(before: Rendition, after: Rendition) -> Iterator[str]:
    for off, group in _GROUPS:
        were = {name for name, _ in group if name in before.attributes}
        wanted = {name for name, _ in group if name in after.attributes}
        if were - wanted:
            yield off
            were = set()
        yield from (on for name, on in group if name in wanted - were)
    if before.foreground != after.foreground:
        yield after.foreground
    if before.background != after.background:
        yield after.background
