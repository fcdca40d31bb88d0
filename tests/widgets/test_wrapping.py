"""Texts in lines of a width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from httptop.widgets.painting import width_of
from httptop.widgets.wrapping import wrapped


def test_lines_break_between_words_or_within_long_ones() -> None:
    assert list(wrapped("one two three", 7)) == ["one two", "three"]
    assert list(wrapped("a /very/long/path b", 6)) == ["a", "/very/", "long/p", "ath b"]
    assert list(wrapped("", 5)) == [""]
    assert list(wrapped("日本語", 4)) == ["日本", "語"]


@given(st.text(st.sampled_from("a b/日é"), max_size=60), st.integers(2, 20))
def test_no_line_is_wider_and_nothing_is_lost(text: str, width: int) -> None:
    lines = list(wrapped(text, width))
    assert all(width_of(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
