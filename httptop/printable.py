"""Texts from the network or from a process, made fit for a terminal.

This module imports nothing from httptop.
"""

from __future__ import annotations

import unicodedata
from typing import Final

#: What Python calls printable and is not seen: Unicode's Default_Ignorable_Code_Point, as far as it
#: is not of a category that is escaped anyway, and the empty pattern of Braille.
_INVISIBLE: Final = frozenset(
    (
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    )
)
#: Marks that are kept on a letter, and signs behind one: Vietnamese and Burmese need so many.
_MOST_MARKS: Final = 2
_MOST_SIGNS: Final = 5
#: Signs of no category of their own: vowels and finals of Hangul, tones of skin.
_JOINED: Final = frozenset(
    (*range(0x1161, 0x1200), *range(0xD7B0, 0xD800), *range(0x1F3FB, 0x1F400))
)


def clean(raw: bytes, limit: int = 256) -> str:
    """Return bytes from the network as printable text, at most ``limit`` characters.

    Valid UTF-8 that is seen, and stays where it is, is kept. Every other byte or character becomes
    ``\\xNN`` or ``\\uNNNN``: control characters, ESC, invalid UTF-8, what is invisible, more than
    two marks or five signs on a letter, any on none, letters and digits of scripts that run from
    right to left (a terminal may reorder the whole line around them). A truncated text ends in
    ``…``.
    """
    text = raw.decode("utf-8", "surrogateescape")
    if not (text.isascii() and text.isprintable()):
        text = _visible(text)
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return text


def _visible(text: str) -> str:
    shown: list[str] = []
    marks = signs = _MOST_SIGNS  # on the latest letter; there is none to put one on
    for character in text:
        code = ord(character)
        category = "" if code < 0x300 else unicodedata.category(character)
        if not character.isprintable() or (category and _is_unseen(character, code)):
            shown.append(_escaped(code))
        elif category in ("Mn", "Me"):
            marks += 1
            shown.append(character if marks <= _MOST_MARKS else _escaped(code))
        elif category == "Mc" or code in _JOINED:
            signs += 1
            shown.append(character if signs <= _MOST_SIGNS else _escaped(code))
        else:
            marks = signs = 0
            shown.append(character)
    return "".join(shown)


def _is_unseen(character: str, code: int) -> bool:
    """Return whether a printable character has no glyph, or does not stay where it stands."""
    return code in _INVISIBLE or unicodedata.bidirectional(character) in ("R", "AL", "AN")


def _escaped(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # a byte of invalid UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
