"""Finding texts by a few letters."""

from __future__ import annotations

import pytest

from httptop.view.fuzzy import score


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [
        ("pause", "pause the screen", "the pauses"),
        ("sort", "sort by P99", "a resort"),
        ("p99 sort", "sort by P99", "sort by P90"),
        ("sbp", "sort by P99", "stays bound open"),
        ("the", "bathe the", "bathes"),
        ("PAUSE", "pause", "sort"),
    ],
)
def test_what_matches_better_comes_first(query: str, better: str, worse: str) -> None:
    assert score(query, better) > score(query, worse) >= 0


@pytest.mark.parametrize(
    ("query", "text"), [("pauze", "pause"), ("ba", "ab"), ("", "ab"), ("a", ""), ("a b", "a")]
)
def test_what_does_not_match(query: str, text: str) -> None:
    assert score(query, text) == 0


def test_many_letters_take_no_time() -> None:
    assert score("e" * 60, "e" * 59) == 0
