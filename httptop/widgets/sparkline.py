"""Draw trends and bars as text: braille, block or plain ASCII characters.

Pure functions over sequences in which ``None`` means that nothing was measured (drawn as a gap).
Every scale starts at zero, so that heights are comparable; zero is drawn as the lowest mark, which
distinguishes it from a gap. The newest value is on the right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Symbols = Literal["braille", "block", "ascii"]


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters of one set of symbols; each is one cell wide."""

    full: str  # a whole cell of a bar
    parts: str  # parts of a cell, ascending; may be empty
    track: str  # the empty part of a bar
    up: str
    down: str
    dot: str  # between two facts
    ellipsis: str
    rule: str  # a line behind a title
    remove: str  # takes a filter away
    live: str
    pause: str
    play: str
    stop: str
    here: str  # on a line of time
    flag: str
    good: str
    bad: str
    cursor: str
    panels: tuple[str, ...]  # 1 to 9, before the title of a panel


_RICH: Final = Glyphs(
    "━", "╸", "─", "▲", "▼", "·", "…", "─", "×", "●",
    "❚❚", "▶", "■", "┃", "⚑", "✓", "▲", "▌", tuple("¹²³⁴⁵⁶⁷⁸⁹"),
)  # fmt: skip

GLYPHS: Final[Mapping[Symbols, Glyphs]] = MappingProxyType(
    {
        "braille": _RICH,
        "block": _RICH,
        "ascii": Glyphs(
            "#",
            "",
            ".",
            "^",
            "v",
            "-",
            "~",
            "-",
            "x",
            "*",
            "||",
            ">",
            "#",
            "|",
            "P",
            "ok",
            "!",
            ">",
            tuple(f"{n}:" for n in range(1, 10)),
        ),
    }
)

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_ASCII: Final = " _.-=*#"
_LEFT: Final = (0x00, 0x40, 0x44, 0x46, 0x47)
_RIGHT: Final = (0x00, 0x80, 0xA0, 0xB0, 0xB8)
_BRAILLE: Final = tuple(
    tuple(chr(0x2800 + left + right) if left + right else " " for right in _RIGHT) for left in _LEFT
)


def ceiling(values: Sequence[float | None], least: float = 0.0) -> float:
    """Return the top of a scale: the peak, or twice the mean so that a steady line is half high.

    ``least`` keeps noise near zero small.
    """
    known = [value for value in values if value is not None]
    if not known:
        return max(least, 1.0)
    return max(max(known), 2.0 * sum(known) / len(known), least) or 1.0


def capacity(width: int, symbols: Symbols) -> int:
    """Return how many values fit into ``width`` cells."""
    return width * 2 if symbols == "braille" else width


def stretched(values: Sequence[float | None], room: int) -> Sequence[float | None]:
    """Return the values, each repeated as often as ``room`` allows for all of them."""
    times = room // len(values) if values else 0
    return [value for value in values for _ in range(times)] if times > 1 else values


def trend(
    values: Sequence[float | None], width: int, symbols: Symbols, top: float | None = None
) -> str:
    """Return one line, exactly ``width`` cells wide, of the newest values."""
    return graph(values, width, 1, symbols, top)[0]


def graph(
    values: Sequence[float | None],
    width: int,
    height: int,
    symbols: Symbols,
    top: float | None = None,
) -> list[str]:
    """Return ``height`` lines from the top down, each exactly ``width`` cells wide."""
    room = capacity(width, symbols)
    shown = values[-room:] if room else ()
    if top is None:
        top = ceiling(shown)
    steps = {"braille": 4, "block": 8, "ascii": 6}[symbols]
    span = steps * height - 1
    levels = [0] * (room - len(shown))
    for value in shown:
        if value is None:
            levels.append(0)
        else:
            levels.append(1 + int(span * min(max(value / top, 0.0), 1.0) + 0.5))
    if height == 1:
        return [_line(levels, symbols)]
    return [
        _line([min(max(level - floor, 0), steps) for level in levels], symbols)
        for floor in range(steps * (height - 1), -1, -steps)
    ]


def _line(levels: list[int], symbols: Symbols) -> str:
    if symbols == "braille":
        pairs = iter(levels)
        return "".join([_BRAILLE[left][right] for left, right in zip(pairs, pairs, strict=True)])
    marks = _BLOCKS if symbols == "block" else _ASCII
    return "".join([marks[level] for level in levels])


def bar(share: float, width: int, symbols: Symbols) -> str:
    """Return a bar for a share of 0 to 1, at most ``width`` cells, unpadded.

    A share above 0 shows at least the smallest mark.
    """
    glyphs = GLYPHS[symbols]
    steps = len(glyphs.parts) + 1
    length = int(min(max(share, 0.0), 1.0) * width * steps + 0.5)
    if share > 0 and width:
        length = max(length, 1)
    whole, part = divmod(length, steps)
    return glyphs.full * whole + (glyphs.parts[part - 1] if part else "")
