"""Columns at every width: which there are, and how wide."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from httptop.config.settings import BY_KEY
from httptop.humanize import Units
from httptop.view.sorts import SORTS
from httptop.widgets.columns import COLUMNS, layout

NAMES = tuple(column.sort for column in COLUMNS)


def names(width: int, *asked: str, units: Units = Units()) -> list[str]:  # noqa: B008
    return [column.sort for column, _ in layout(width, asked, units)]


def cells(width: int, *asked: str, units: Units = Units()) -> int:  # noqa: B008
    return sum(cells + 1 for _, cells in layout(width, asked, units)) - 1


def test_every_column_of_the_settings_is_there_and_sorts() -> None:
    item = BY_KEY["ui.columns"].kind.item  # type: ignore[attr-defined]
    assert sorted(item.words) == sorted(NAMES)
    assert set(NAMES) <= SORTS.keys()


def test_our_own_choice_leaves_the_rare_ones_out_unless_there_is_plenty_of_room() -> None:
    rare = {"p90", "p999", "mean"}
    asked = {
        "protocol", "requests", "2xx", "3xx", "4xx", "5xx", "unanswered", "user", "container",
        "port", "request_bytes", "response_bytes", "host",
    }  # fmt: skip
    assert set(names(160)) == set(NAMES) - asked - rare
    assert set(names(300)) == set(NAMES) - asked
    assert names(118) == [
        "process", "method", "path", "rps", "share", "error_share", "p50", "p95", "p99", "change",
        "in_flight", "oldest", "trend",
    ]  # fmt: skip
    assert {"path", "rps", "p99", "error_share", "in_flight"} <= set(names(77))
    assert {"path", "rps", "p99"} <= set(names(58))


def test_the_path_is_never_wider_than_the_longest_one() -> None:
    for width in range(60, 400):
        for longest in (3, 20, 30, 256):
            widths = dict(_widths(width, longest))
            assert widths["path"] <= max(longest, 8)
            assert sum(cells + 1 for cells in widths.values()) - 1 <= width
    assert dict(_widths(80, 10)).keys() > dict(_widths(80, 256)).keys()
    wide = dict(_widths(300, 20))
    assert (wide["path"], wide["share"], wide["trend"]) == (20, 12, 60)


def _widths(width: int, longest_path: int) -> list[tuple[str, int]]:
    return [(column.sort, cells) for column, cells in layout(width, longest_path=longest_path)]


def test_a_column_without_which_rows_look_alike_comes_first() -> None:
    for width in range(67, 300):
        with_user = [column.sort for column, _ in layout(width, needed=("user",))]
        assert with_user[:2] == ["process", "user"]
        assert sum(cells + 1 for _, cells in layout(width, needed=("user",))) - 1 <= width
    both = [column.sort for column, _ in layout(80, needed=("user", "port"))]
    assert both[:3] == ["process", "user", "port"]
    assert layout(80, ("path", "rps"), needed=("user",)) == layout(80, ("path", "rps"))


def test_the_path_shrinks_before_columns_fall_out_from_the_end() -> None:
    asked = "path", "rps", "p50", "p90", "p99", "p999", "trend"
    widths = {column.sort: cells for column, cells in layout(55, asked)}
    assert tuple(widths) == asked
    assert widths["path"] == 10
    assert names(52, *asked) == list(asked[:-1])
    assert names(10, *asked) == ["path"]
    assert names(3, "process", "rps") == ["process"]
    assert names(200, "rps", "rps", "path", "rps") == ["rps", "path"]


@given(
    st.integers(20, 400),
    st.lists(st.sampled_from(NAMES), max_size=30),
    st.sampled_from(["auto", "us", "ms", "s"]),
)
def test_columns_never_want_more_than_there_is(width: int, asked: list[str], unit: str) -> None:
    units = Units(unit)  # type: ignore[arg-type]
    if asked or width >= 58:
        assert cells(width, *asked, units=units) <= width
    shown = names(width, *asked, units=units)
    if asked:
        assert shown == list(dict.fromkeys(asked))[: len(shown)]
    if "path" in shown:
        assert cells(width, *asked, units=units) == width or width < 58
