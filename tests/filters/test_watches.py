"""Watches as texts: what they say, that they can be written again, and what errors tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.filters import FilterError, parse
from httptop.filters.watches import HOLD_S, MEASURES, Watch, parse_watch


@pytest.mark.parametrize(
    ("text", "watch"),
    [
        ("any p99 > 3x usual", Watch(True, None, "p99", ">", 3.0, usual=True)),
        ("all 5xx > 1% for 30s", Watch(False, None, "5xx", ">", 0.01, hold_s=30.0)),
        (
            "path ~ /api/* in_flight > 5 for 10s",
            Watch(False, parse("path ~ /api/*"), "in_flight", ">", 5.0, hold_s=10.0),
        ),
        (
            "comm = nginx rate < 1/s for 30s",
            Watch(False, parse("comm = nginx"), "rate", "<", 1.0, hold_s=30.0),
        ),
        (
            "ANY comm = a,b or (path ~ /x/* and not user = root) P95 >= 1.5s",
            Watch(True, parse("comm = a,b or path ~ /x/* and not user = root"), "p95", ">=", 1.5e9),
        ),
        ("  all errors<=0.5%  ", Watch(False, None, "errors", "<=", 0.005)),
        (
            "any checkout oldest > 2m for 0s",
            Watch(True, parse("checkout"), "oldest", ">", 120e9, hold_s=0),
        ),
        (
            'comm = "in flight > 5" rate > 0.5/s',
            Watch(False, parse('comm = "in flight > 5"'), "rate", ">", 0.5),
        ),
    ],
)
def test_what_a_text_says_and_that_it_says_it_again(text: str, watch: Watch) -> None:
    assert parse_watch(text) == watch
    assert parse_watch(str(watch)) == watch


@pytest.mark.parametrize(
    ("text", "column", "why"),
    [
        ("", 1, "empty"),
        ("all", 4, "one of p50, p90"),
        ("any", 4, "a filter is needed"),
        ("p99 > 3s", 1, "'all', 'any' or a filter"),
        ("all comm = nginx rate < 1/s", 5, "one of p50"),
        ("any comm = nginx", 17, "one of p50"),
        ("comm = nginx rat < 1/s", 14, "did you mean 'rate'"),
        ("comm = nginx and in_flight > 4", 18, "no 'and' belongs before it"),
        ("status = 500 rate > 1/s", 1, "does not select what is watched"),
        ("any pid = 4 rate > 1/s", 5, "does not select what is watched"),
        ("(comm = nginx rate > 1/s", 1, "never closed"),
        ("comm = nginx p99 > 1s", 14, "'any' in front watches each"),
        ("any 5xx > 1%", 5, "of 'all' only"),
        ("comm = nginx 5xx > 1%", 14, "of 'all' only"),
        ("any p99 = 3s", 9, "needs one of < <= > >="),
        ("any p99 > 3", 11, "a unit is needed"),
        ("any p99 > 3x", 13, "'usual' is needed"),
        ("any p95 > 3x usual", 11, "only of p99"),
        ("all p99 > 3x usual", 11, "only of p99"),
        ("any p99 < 3x usual", 11, "only of p99"),
        ("any errors > 1", 14, "a share such as 1% is needed"),
        ("any rate > 1", 12, "a rate such as 10/s is needed"),
        ("any in_flight > 1.5", 17, "a whole number"),
        ("any p99 >", 10, "a duration"),
        ("any p99 > 3s for", 17, "a duration"),
        ("any p99 > 3s for ever", 18, "a duration"),
        ("any p99 > 3s for 2h", 18, "at most 1h"),
        ("any p99 > 3s and comm = x", 14, "only 'for 30s' may follow"),
    ],
)
def test_errors_tell_what_is_wrong_and_where(text: str, column: int, why: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_watch(text)
    assert why in caught.value.message
    assert caught.value.column == column


def test_a_watch_has_a_longest_text() -> None:
    with pytest.raises(FilterError, match="at most"):
        parse_watch("any " + "x" * 5000 + " rate > 1/s")


_LIMITS = {
    "duration": st.integers(0, 10**12).map(lambda n: f"{n}us"),
    "share": st.integers(0, 10**6).map(lambda n: f"{n / 1000}%"),
    "rate": st.integers(0, 10**6).map(lambda n: f"{n / 100}/s"),
    "count": st.integers(0, 10**9).map(str),
}


@given(
    st.sampled_from(sorted(MEASURES)).flatmap(
        lambda name: st.tuples(st.just(name), _LIMITS[MEASURES[name].unit])
    ),
    st.sampled_from(["all", "any", "any comm ~ ngi* and not path = /x", "side = client"]),
    st.sampled_from(["<", "<=", ">", ">="]),
    st.sampled_from(["", " for 1m", " for 250ms"]),
)
def test_every_watch_can_be_written_again(
    what: tuple[str, str], scope: str, operator: str, hold: str
) -> None:
    watch = _parsed(f"{scope} {what[0]} {operator} {what[1]}{hold}")
    if isinstance(watch, FilterError):
        assert "known" in watch.message
    else:
        assert parse_watch(str(watch)) == watch
        assert (watch.hold_s == HOLD_S) == (not hold)


@given(st.text(max_size=60))
def test_whatever_is_written_is_a_watch_or_an_error(text: str) -> None:
    watch = _parsed(text)
    if isinstance(watch, FilterError):
        assert 1 <= watch.column <= len(text) + 1
    else:
        assert parse_watch(str(watch)) == watch


def _parsed(text: str) -> Watch | FilterError:
    try:
        return parse_watch(text)
    except FilterError as error:
        return error
