"""Regular expressions: they mean what they mean to Python, and take no longer than the text."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from httptop.filters import FilterError, matches_key, parse
from httptop.filters.regex import Regex
from httptop.filters.regex_program import MOST_INSTRUCTIONS
from httptop.literals import glob
from httptop.model import EndpointKey

#: What takes Python hours, or seconds, for a text of this length.
LENGTH = 500
EXPLOSIVE = (
    "(a+)+$",
    "(a*)*$",
    "(a|a)+$",
    "(a|aa)+$",
    "(a|a?)+$",
    "(.*a){20}$",
    "(a?){60}a{60}$",
    ".*.*.*.*.*x",
    "(.*)(.*)(.*)(.*)(.*)[^a]$",
    "(\\w+\\s?)+$",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "((a{1,3}){1,3}){1,4}b",
    "(?i:A+)+$",
    "(a|b)*a(a|b){60}!$",
)


def _lines(work: Callable[[], object]) -> int:
    """Return how many lines of Python something executes."""
    lines = 0

    def trace(_frame: object, event: str, _argument: object) -> object:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize("text", EXPLOSIVE)
def test_the_work_grows_with_the_text_and_no_faster(text: str) -> None:
    hostile = "".join("ab"[(n * n >> 3) & 1] if "b)" in text else "a" for n in range(LENGTH))
    short = _lines(lambda: Regex(text).search(hostile[: LENGTH // 5]))
    long = _lines(lambda: Regex(text).search(hostile))
    assert long < 6 * short
    assert long < 150 * LENGTH


def test_a_sender_cannot_stop_a_filter() -> None:
    expression = parse("path ~ /(a+)+$/")
    key = EndpointKey("server", "web", "HTTP/1.1", False, "GET", "/" + "a" * 94 + "!")
    assert matches_key(expression, key, 200) is False


@pytest.mark.parametrize("pattern", ["*a" * 100 + "b", "*a?" * 50 + "*b", "[a-z]*" * 50 + "!"])
def test_globs_take_no_longer_either(pattern: str) -> None:
    assert glob(pattern).match("a" * LENGTH) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(?=a)", "refused: it looks ahead, which has no bound in time"),
        ("(?!a)", "looks ahead"),
        ("(?<=a)", "looks behind"),
        ("(?<!a)", "looks behind"),
        ("(a)\\1", "refers to a group"),
        ("(?P<n>a)(?P=n)", "refers to a group"),
        ("(a)(?(1)b|c)", "condition"),
        ("(?>a)", "atomic"),
        ("a++", "possessive"),
        ("(?#a)", "comments"),
        ("(?x)a b", "flags"),
        ("(?a)b", "flags"),
        ("a{300}", "too large"),
        ("a{0,300}", "too large"),
        ("(a{17}){16}", "too large"),
        ("(){4000000000}", "too large"),
        ("((a{0,65535}){0,65535}){0,65535}", "too large"),
        ("|".join(["abcdefgh"] * 40), "too large"),
        ("(" * 40 + "a" + ")" * 40, "groups in each other"),
        ("(" * 5000, "regular expression"),
        ("(", "not a regular expression"),
        ("*", "not a regular expression"),
        ("[a", "not a regular expression"),
        ("a{2}{3}", "not a regular expression"),
    ],
)
def test_what_is_refused_and_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        Regex(text)


def test_a_filter_says_so_with_the_place() -> None:
    with pytest.raises(FilterError, match=r"column 21: path .*refused: it looks ahead") as refused:
        parse("comm = a and path ~ /(?=b)/")
    assert refused.value.column == 21


@pytest.mark.parametrize(
    ("text", "matched", "others"),
    [
        ("^/api/(users|orders)/\\d+$", "/api/orders/42", "/api/orders/42/x"),
        ("(^|/)admin(/|$)", "/x/admin", "/x/admins"),
        ("\\bfoo\\b", "/a/foo-b", "/a/foob"),
        ("(?i)FOO", "/fOo", "/of"),
        ("(?i:f)oo", "Foo", "FOO"),
        ("(?i)(?-i:f)oo", "fOO", "Foo"),
        ("[^/]{3}$", "/abc", "/ab"),
        ("a{,2}b{2,}c{1}", "bbc", "bc"),
        ("a{,x}", "a{,x}", "a"),
        ("[]a-]+\\]", "a]]", "b]"),
        ("\\x41\\u00e9\\.", "Aé.", "Aée"),
        ("\\Aa.b\\Z", "aüb", "aab "),
        ("", "", None),
        ("a*?b+?", "b", "a"),
        ("(?P<name>a|b|)c", "c", "a"),
        ("\\N{SNOWMAN}", "☃", "s"),
        ("x$|^y", "yx", "xy"),
        ("$^", "", "a"),
    ],
)
def test_what_matches(text: str, matched: str, others: str | None) -> None:
    regex = Regex(text)
    for _ in range(2):  # what was remembered says the same
        assert regex.search(matched)
        assert others is None or not regex.search(others)


ATOMS = st.sampled_from(["a", "b", "[ab]", "[^a]", ".", "\\w", "\\.", "^", "$", "\\b", "(?i:A)"])


def _composed(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(part, max_size=3).map("".join),
        st.lists(part, min_size=1, max_size=3).map("|".join).map("({})".format),
        st.tuples(part, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{,2}", "*?", "{0}"])).map(
            lambda both: f"(?:{both[0]}){both[1]}"
        ),
    )


@given(st.recursive(ATOMS, _composed, max_leaves=8), st.lists(st.text("abA.", max_size=8)))
@example("(?:^|b)*a$", ["ba", "a"])
@example("\\b", ["", ".", "a"])
def test_it_matches_what_python_matches(text: str, candidates: list[str]) -> None:
    try:
        regex = Regex(text)
    except ValueError:  # too large; where that comes often, this fails
        assume(False)
    for candidate in candidates:
        assert regex.search(candidate) == (re.search(text, candidate) is not None), candidate


def test_what_is_remembered_is_bounded() -> None:
    regex = Regex("(?:\\w|-)*!")
    for number in range(20_000):
        regex.search(chr(0x4E00 + number))
        regex.search(f"/{number:x}-{number:o}")
    assert regex.remembered <= 5000
    assert regex.search("中-!")
    assert not regex.search("中-")


def test_the_largest_is_bounded_too() -> None:
    regex = Regex(f"(a?){{{MOST_INSTRUCTIONS // 2 - 1}}}$")
    assert _lines(lambda: regex.search("a" * LENGTH)) < 1000 * LENGTH
