"""Globs as the kernel matches them mean what globs mean elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.bpf.filter.globs import matchers_of
from httptop.literals import glob

PIECES = st.sampled_from(["*", "?", "a", "b", "c", "[ab]", "[!ab]", "[a-c]", ".", "-", "[", "]"])
TEXTS = st.text("abc.-[]", max_size=15)


def matches(patterns: list[str], text: str) -> bool:
    return any(matcher.matches(text.encode()) for matcher in matchers_of(patterns))


@given(st.lists(PIECES, max_size=12).map("".join), TEXTS)
def test_one_glob(pattern: str, text: str) -> None:
    assert matches([pattern], text) == bool(glob(pattern).match(text))


@given(st.lists(st.lists(PIECES, max_size=10).map("".join), min_size=1, max_size=20), TEXTS)
def test_many_globs(patterns: list[str], text: str) -> None:
    assert matches(patterns, text) == any(bool(glob(one).match(text)) for one in patterns)


def test_many_patterns_take_several_words() -> None:
    patterns = [f"{number:030}" for number in range(5)]
    assert len(matchers_of(patterns)) == 3
    assert all(matches(patterns, pattern) for pattern in patterns)


def test_a_long_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="63"):
        matchers_of(["a" * 64])


def test_case_can_be_folded() -> None:
    (matcher,) = matchers_of(["WWW.*"], fold_case=True)
    assert matcher.matches(b"www.example.org")
