"""Hostile texts are made fit for a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.printable import clean


def test_clean_keeps_what_can_be_shown() -> None:
    assert clean("/größe/日本".encode()) == "/größe/日本"
    assert clean(b"/a[/b]") == "/a[/b]"


def test_clean_escapes_what_cannot() -> None:
    assert clean(b"/\x1b[31m\n\0") == "/\\x1b[31m\\x0a\\x00"
    assert clean(b"/\xff\xc3") == "/\\xff\\xc3"
    assert clean("/\u202e\u200b\x85".encode()) == "/\\u202e\\u200b\\x85"


#: Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt, but for planes 1 and 14.
IGNORABLE = (
    *(0x00AD, 0x034F, 0x061C, 0x3164, 0xFEFF, 0xFFA0),
    *range(0x115F, 0x1161),
    *range(0x17B4, 0x17B6),
    *range(0x180B, 0x1810),
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10),
    *range(0xFFF0, 0xFFF9),
)
INVISIBLE = (*IGNORABLE, 0x1D173, 0xE0001, 0xE0020, 0xE0100, 0xE01EF, 0x2800, 0x00A0, 0x3000)


@pytest.mark.parametrize("code", INVISIBLE)
def test_clean_escapes_what_is_not_seen(code: int) -> None:
    escaped = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    assert clean(f"{chr(code)}a{chr(code)}{chr(code)}".encode()) == f"{escaped}a{escaped * 2}"


@pytest.mark.parametrize("text", ["שלום", "سلام", "١٢", "ߊߋ", "𐤀", "ﬡﷲ"])
def test_clean_escapes_what_runs_from_right_to_left(text: str) -> None:
    assert clean(f"/a{text}/b".encode()) == "/a" + "".join(f"\\u{ord(c):04x}" for c in text) + "/b"


def test_clean_keeps_two_marks_on_a_letter() -> None:
    mark = "\u0301"
    assert clean(f"Vi\u00ea\u0323t e{mark * 2}".encode()) == f"Vi\u00ea\u0323t e{mark * 2}"
    assert clean(f"e{mark * 20}f".encode()) == f"e{mark * 2}" + "\\u0301" * 18 + "f"
    assert clean(f"{mark}a".encode()) == "\\u0301a"  # there is no letter to put it on
    assert clean(f"\x1b{mark}a{mark}".encode()) == f"\\x1b\\u0301a{mark}"
    assert clean("a\u20dd\u20dd\u20dd".encode()) == "a\u20dd\u20dd\\u20dd"


def test_clean_keeps_scripts_whose_signs_are_joined() -> None:
    for text in ("हिन्दी", "ไทยที่", "한국어", "Ελληνικά", "русский", "தமிழ்", "မြန်မာ"):
        assert clean(text.encode()) == text


def test_clean_keeps_no_text_without_a_width() -> None:
    """Signs, and letters that are only ever parts of one, need another to stand on."""
    for sign in ("\u093e", "\u0903", "\u1161", "\u11ff", "\ud7cb", "\U0001f3fb"):
        escaped = f"\\u{ord(sign):04x}"
        assert clean((sign * 2).encode()) == escaped * 2
        assert clean(f"\x1b{sign}".encode()) == f"\\x1b{escaped}"
        assert clean(f"a{sign * 7}b".encode()) == f"a{sign * 5}{escaped * 2}b"
    for text in ("\u1112\u1161\u11ab", "မျှော်", "\U0001f44d\U0001f3fb"):
        assert clean(text.encode()) == text


def test_clean_bounds() -> None:
    assert clean(b"a" * 300) == "a" * 255 + "…"
    assert clean(b"a" * 256) == "a" * 256


@given(st.binary(max_size=400))
def test_clean_is_printable_bounded_and_stable(raw: bytes) -> None:
    text = clean(raw)
    assert text.isprintable()
    assert len(text) <= 256
    assert clean(text.encode()) == text
