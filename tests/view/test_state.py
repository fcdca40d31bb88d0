"""The view state: which rows it makes, in which order, and where the selection stands."""

from dataclasses import replace

import pytest

from httptop import humanize
from httptop.filters.on_screen import parse_for_screen
from httptop.model import NO_LATENCY, Snapshot
from httptop.view.grouping import Grouping
from httptop.view.rows_with import rows_with
from httptop.view.sorts import SORTS
from httptop.view.state import Scene, View, place, rows, scene
from httptop.view.window import SINCE_START, next_window, window_named, window_of
from tests.factory import NOON, busy, endpoint, key, samples, shop, snapshot


def paths(snap: Snapshot, view: View) -> list[str]:
    return [row.key.path for row in rows(snap, view)]


def test_shows_one_side_the_busiest_first() -> None:
    shown = rows(busy(), View())
    assert {row.key.side for row in shown} == {"server"}
    rates = [row.rps for row in shown]
    assert rates == sorted(rates, reverse=True)


def test_sides_never_mix() -> None:
    server, client = rows(busy(), View()), rows(busy(), View(side="client"))
    assert len(server) + len(client) == len(busy().endpoints)
    assert not {row.key for row in server} & {row.key for row in client}


@pytest.mark.parametrize("sort", sorted(SORTS))
@pytest.mark.parametrize("descending", [True, False])
def test_every_column_sorts_both_ways(sort: str, descending: bool) -> None:
    shown = rows(busy(), View(sort=sort, descending=descending))
    values = [SORTS[sort](row) for row in shown]
    assert values == sorted(values, reverse=descending)
    assert len(shown) == 15


def test_equal_rows_keep_their_order_whatever_the_feed_does() -> None:
    same = [endpoint(key(f"/{name}"), rps=1.0) for name in "cab"]
    for order in (same, same[::-1]):
        assert paths(snapshot(order), View()) == ["/a", "/b", "/c"]
        assert paths(snapshot(order), View(descending=False)) == ["/a", "/b", "/c"]


def test_rows_without_a_latency_come_last() -> None:
    idle = replace(endpoint(key("/idle")), latency=NO_LATENCY)
    quick = endpoint(key("/quick"), p50_ms=0.001)
    assert paths(snapshot([idle, quick]), View(sort="p99")) == ["/quick", "/idle"]


def test_filter_is_a_part_of_the_path_in_any_case() -> None:
    shown = paths(busy(), View(path_filter="USERS"))
    assert sorted(shown) == sorted(
        ["/users/{id}", "/api/v1/users/{id}", "/api/v1/users/{id}/sessions"]
    )
    assert paths(busy(), View(path_filter="[bold]")) == []


def test_an_expression_and_a_part_of_the_path_must_both_hold() -> None:
    view = View(path_filter="users", expression=parse_for_screen("comm = nginx"))
    assert view.filtered
    assert paths(busy(), view) == ["/users/{id}"]
    assert len(paths(busy(), replace(view, path_filter=""))) == 8
    assert not View().filtered


def test_an_expression_hides_live_requests_where_they_know_its_fields() -> None:
    view = View(expression=parse_for_screen("peer = 203.0.113.0/28 and in_flight > 100"))
    now = scene(busy(), view)
    assert not now.rows
    assert now.requests()
    assert len(now.requests()) < len(scene(busy(), View()).requests())
    shown = scene(busy(), View(expression=parse_for_screen("status = 5xx"))).requests()
    assert {sample.status // 100 for sample in shown} == {5}


def test_another_expression_makes_other_rows() -> None:
    snap, view = busy(), View(expression=parse_for_screen("comm = nginx"))
    first = scene(snap, view)
    again = replace(view, expression=parse_for_screen("comm  = nginx"))
    assert scene(snap, again, first).rows is first.rows
    assert len(scene(snap, replace(view, expression=None), first).rows) == 15


def test_sorting_by_the_same_column_again_reverses() -> None:
    view = View().sorted_by("p99")
    assert (view.sort, view.descending) == ("p99", True)
    assert not view.sorted_by("p99").descending
    assert not view.sorted_by("path").descending


def test_place_follows_the_endpoint() -> None:
    shown = rows(busy(), View())
    selected = shown[4].key
    assert place(shown, selected, 0) == 4
    assert place(rows(busy(), View(sort="path", descending=False)), selected, 4) != 4
    assert place(shown, None, 7) == 0


def test_place_of_a_vanished_endpoint_is_where_it_was_or_the_end() -> None:
    shown = rows(busy(), View())
    gone = key("/gone")
    assert place(shown, gone, 3) == 3
    assert place(shown, gone, 99) == len(shown) - 1
    assert place([], gone, 3) == 0


def test_scene_counts_both_sides_and_the_hidden() -> None:
    now = scene(busy(), View(path_filter="users"))
    assert (len(now.rows), now.side_rows, now.other_rows) == (3, 15, 3)
    assert now.totals is busy().total("server") or now.totals == busy().total("server")


def test_scene_sorts_again_only_when_it_must() -> None:
    snap, view = busy(), View()
    first = scene(snap, view)
    moved = scene(snap, replace(view, selected=first.rows[2].key), first)
    assert moved.rows is first.rows
    assert scene(snap, replace(view, sort="path"), first).rows is not first.rows


def test_scene_tells_a_vanished_endpoint_from_a_hidden_one() -> None:
    snap = busy()
    hidden = key("/orders", "POST")
    assert not scene(snap, View(selected=hidden, follows=True, path_filter="users")).followed_gone
    assert scene(snap, View(selected=key("/gone"), follows=True)).followed_gone
    assert not scene(snap, View(selected=key("/gone"))).followed_gone


def test_the_cursor_keeps_its_line_or_its_endpoint() -> None:
    snap, view = busy(), View()
    first = scene(snap, view)
    assert first.cursor == 0
    chosen = first.rows[4].key
    moved = scene(snap, replace(view, selected=chosen, moves=1), first)
    assert (moved.cursor, moved.cursor_key) == (4, chosen)
    other = snapshot([replace(row, rps=1 / row.rps) for row in snap.endpoints], tick=253)
    after = scene(other, moved.view, moved)
    assert after.cursor == 4
    assert after.cursor_key != chosen
    followed = scene(other, replace(moved.view, follows=True), moved)
    assert followed.cursor_key == chosen
    # What the user changes: filter and window go with the endpoint, an order begins at its top.
    longer = scene(replace(other, window_s=60.0), moved.view, moved)
    assert longer.cursor_key == chosen
    assert longer.cursor != 4
    part = chosen.path[:5]
    filtered = scene(snap, replace(moved.view, path_filter=part), moved)
    assert filtered.cursor_key == chosen
    assert scene(snap, replace(moved.view, sort="path"), moved).cursor == 0
    client = scene(snap, replace(moved.view, side="client"), moved)
    assert client.cursor == 0
    assert scene(snap, moved.view, client).cursor_key == chosen
    few = scene(snapshot(snap.endpoints[:2]), moved.view, moved)
    assert few.cursor == 1
    assert scene(snapshot([]), moved.view, few).cursor_key is None


def test_live_requests_follow_side_and_filter() -> None:
    rows_ = shop()
    snap = snapshot(rows_, samples(rows_))
    for sample in scene(snap, View(path_filter="users")).requests():
        assert sample.key.side == "server"
        assert "users" in sample.path
    assert all(s.key.side == "client" for s in scene(snap, View(side="client")).requests())
    assert scene(None, View()).requests() == []


def test_requests_stand_in_the_order_of_the_times_shown() -> None:
    times = [sample.responded_at for sample in scene(busy(), View()).requests()]
    assert times == sorted(times, reverse=True)
    assert times != sorted(times)


def test_the_rate_is_that_of_the_window() -> None:
    some = snapshot([endpoint(key("/"), rps=5.0), endpoint(key("/a"), rps=7.0)])
    totals = replace(some.total("server"), trend_rps=(100.0, 200.0))
    some = replace(some, totals={"server": totals})
    assert scene(some, View()).rps == 12
    assert scene(some, View(path_filter="/a")).rps == 12
    assert scene(some, View(path_filter="/a")).shown_rps == 7
    assert scene(None, View()).rps == 0


def test_filters_are_removed_by_their_place() -> None:
    view = View(path_filter="users", expression=parse_for_screen("comm = a and pid = 1"))
    assert view.filter_count == 3
    assert view.without_filter(0) == replace(view, path_filter="")
    assert str(view.without_filter(1).expression) == "pid = 1"
    assert view.without_filter(-1) == view.without_filter(2)
    assert str(view.without_filter(2).expression) == "comm = a"
    assert view.without_filter(3) is view
    assert view.without_filter(-2) is view
    assert View(expression=parse_for_screen("pid = 1")).without_filter(0) == View()
    assert View().without_filter(-1) == View()


def test_scene_says_where_names_are_not_enough() -> None:
    alike = [endpoint(key("/a", user=user)) for user in ("root", "")]
    assert scene(snapshot(alike), View()).told_apart_by == ("user",)
    assert scene(snapshot(alike[:1]), View()).told_apart_by == ()
    assert scene(snapshot(alike), View(side="client")).told_apart_by == ()
    ports = [endpoint(replace(key(path), port=port)) for path, port in (("/a", 80), ("/b", 81))]
    assert scene(snapshot(ports), View()).told_apart_by == ()
    other = endpoint(replace(key("/a"), port=81))
    assert scene(snapshot([*ports, other]), View()).told_apart_by == ("port",)


def test_idle_rows_are_last_in_whatever_order_or_hidden() -> None:
    idle = [
        replace(endpoint(key(f"/{name}"), rps=0.0, status={200: 9}), latency=NO_LATENCY)
        for name in "ab"
    ]
    hanging = replace(idle[0], key=key("/hangs"), in_flight=2)
    snap = snapshot([*idle, hanging, *shop()])
    for sort in SORTS:
        for descending in (True, False):
            view = View(sort=sort, descending=descending)
            assert set(paths(snap, view)[-2:]) == {"/a", "/b"}
            assert "/hangs" in paths(snap, view)[:-2]
            hidden = paths(snap, replace(view, idle_hidden=True))
            assert hidden == paths(snap, view)[:-2]
    assert scene(snap, View()).idle_rows == scene(snap, View(idle_hidden=True)).idle_rows == 2
    assert scene(snap, View(path_filter="/b")).idle_rows == 1


def test_since_start_all_figures_of_the_window_are_those_since_start() -> None:
    snap = busy()
    now, start = scene(snap, View()), scene(snap, View(since_start=True))
    assert start.snapshot is snap
    assert {row.key for row in start.rows} == {row.key for row in now.rows}
    for row in start.rows:
        assert row.rps == row.requests / snap.uptime_s
        assert row.latency == row.latency_total
        assert row.error_share == row.errors / row.requests
    totals = start.totals
    assert totals.rps == start.rps == snap.total("server").requests / snap.uptime_s
    assert totals.latency == snap.total("server").latency_total
    assert scene(snap, View(), start).rows is not start.rows


def test_the_next_window() -> None:
    windows = [10.0]
    while (longer := next_window(windows[-1], 1, 30.0)) is not None:
        windows.append(longer)
    assert windows == [10, 30, 60, 300, SINCE_START]
    assert [next_window(at, -1, 30.0) for at in windows[1:]] == windows[:-1]
    assert next_window(10.0, -1, 30.0) is None


#: The local time is that of the test's host.
BEGUN = f"since start {humanize.time_of_day(NOON)[:8]}"


@pytest.mark.parametrize(
    ("window_s", "covered_s", "view", "name", "short"),
    [
        (60.0, 60.0, View(), "window 1m", "window 1m"),
        (60.0, 57.0, View(), "window 1m", "window 1m"),
        (60.0, 23.4, View(), "window 1m (covers 23s)", "window 23s of 1m"),
        (300.0, 250.0, View(), "window 5m (4m10s so far)", "window 4m10s of 5m"),
        (10.0, 6.0, View(), "window 10s (covers 6s)", "window 6s of 10s"),
        (10.0, 13.0, View(), "window 10s (covers 13s)", "window 10s"),
        (10.0, 10.0, View(window_s=300.0), "window 5m (covers 10s)", "window 10s of 5m"),
        (60.0, 60.0, View(window_s=10.0), "window 10s (covers 1m)", "window 10s"),
        (60.0, 60.0, View(window_s=300.0, since_start=True), BEGUN, "since start"),
        (3900.0, 3900.0, View(), "window 1h05m", "window 1h05m"),
        (90.0, 90.0, View(), "window 1m30s", "window 1m30s"),
    ],
)
def test_the_window_is_named_with_what_it_covers(
    window_s: float, covered_s: float, view: View, name: str, short: str
) -> None:
    snap = replace(busy(), window_s=window_s, covered_s=covered_s)
    assert (window_of(snap, view), window_named(snap, view)) == (name, short)


def test_a_start_that_was_not_today_is_named_by_how_long_ago_it_was() -> None:
    snap = replace(busy(), uptime_s=3 * 86_400 + 7_380.0)
    assert window_of(snap, View(since_start=True)) == "since start 3d 02:03 ago"


def test_rows_are_with_what_not_all_of_their_requests_have() -> None:
    def what(text: str) -> str:
        return rows_with(Scene(None, View(expression=parse_for_screen(text)), whole_rows=whole))

    whole = False
    assert what("status = 5xx and comm = nginx") == ""
    assert what("status = 5xx or path = /a") == ""
    assert what("status = 5xx or pid = 7") == "status = 5xx or pid = 7"
    assert what("comm = nginx and path ~ /a*") == ""
    assert what("peer = 10.0.0.0/8 and user = root") == "peer = 10.0.0.0/8"
    assert what("in_flight > 3 and status = 404") == "in_flight > 3"
    view = View(expression=parse_for_screen("status = 5xx"), grouping=Grouping("pid"))
    assert rows_with(Scene(None, view)) == "status = 5xx"
    whole = True  # as in a replay
    assert what("status = 5xx and comm = nginx") == "status = 5xx"
    assert rows_with(Scene(None, View(path_filter="/a"))) == ""
