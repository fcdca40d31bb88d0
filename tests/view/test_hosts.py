"""Rows of several hosts: told apart, filtered, grouped, sorted, put out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from httptop.filters import FilterError
from httptop.filters.completion import complete, seen_in
from httptop.filters.on_screen import ScreenFilter, parse_for_screen
from httptop.model import EndpointStats, Snapshot
from httptop.output.json import to_json
from httptop.output.text import to_text
from httptop.view.grouping import Grouping, part_for_group
from httptop.view.groups import groups_of
from httptop.view.menus import group_menu, row_menu
from httptop.view.rows import told_apart_by
from httptop.view.state import View, scene
from tests.capture.test_codec import in_frames, read
from tests.factory import endpoint, key, shop, snapshot, totals


def at_host(host: str, path: str = "/", **given: object) -> EndpointStats:
    made = endpoint(replace(key(path), host=host), **given)  # type: ignore[arg-type]
    return replace(made, pids=(), by_pid=None, by_peer=None)


HOSTS = [
    at_host("web-1", rps=3.0),
    at_host("web-2", rps=2.0),
    at_host("web-2", "/slow", rps=1.0, status={200: 5, 503: 5}),
    replace(at_host("db-1", rps=0.0), stale=True),
]


def fleet() -> Snapshot:
    return replace(snapshot(endpoints=HOSTS), host="prometheus")


def test_the_host_tells_rows_apart() -> None:
    assert told_apart_by([row.key for row in HOSTS]) == ("host",)
    assert "host" not in told_apart_by([row.key for row in shop()])
    assert len({row.key for row in HOSTS}) == len(HOSTS)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("host = web-1", ["web-1"]),
        ("host ~ web-*", ["web-1", "web-2", "web-2"]),
        ("host !~ web-*", ["db-1"]),
        ("host = web-2 and status = 5xx", ["web-2"]),
    ],
)
def test_rows_are_filtered_by_host(text: str, hosts: list[str]) -> None:
    ready = ScreenFilter(parse_for_screen(text, fleet=True))
    assert [row.key.host for row in HOSTS if ready.keeps_row(row)] == hosts


def test_a_filter_by_host_is_refused_where_there_is_but_one() -> None:
    with pytest.raises(FilterError, match="works only for a whole run"):
        parse_for_screen("host = web-1")
    candidates = complete("", 0, seen_in(snapshot(endpoints=shop()), "server")).candidates
    assert "host " not in {one.text for one in candidates}
    seen = seen_in(fleet(), "server")
    assert "host " in {one.text for one in complete("", 0, seen).candidates}
    assert {"web-1", "web-2", "db-1"} == set(seen["host"])


def test_groups_by_host_add_up() -> None:
    groups = groups_of(HOSTS, totals(HOSTS, "server"), Grouping("host"), 10.0, 60.0)
    assert [(group.id, group.rps, group.endpoints) for group in groups.lines] == [
        ("web-1", 3.0, 1),
        ("web-2", 3.0, 2),
        ("db-1", 0.0, 1),
    ]
    assert str(part_for_group("host", "web-2", excluded=True)) == "host != web-2"


def test_menus_have_hosts_in_a_fleet_alone() -> None:
    assert group_menu().chosen("0") is None
    found = group_menu(fleet=True).chosen("0")
    assert found is not None
    assert found.does == "screen.group_by('host')"
    letters = [choice.key for choice in row_menu(excluded=False, fleet=True).choices]
    assert len(set(letters)) == len(letters)
    assert row_menu(excluded=False).chosen("o") is None
    found = row_menu(excluded=False, fleet=True).chosen("o")
    assert found is not None
    assert "'host'" in found.does


def test_rows_are_sorted_by_host() -> None:
    shown = scene(fleet(), View(sort="host", descending=False))
    assert shown.fleet
    assert [row.key.host for row in shown.rows] == ["web-1", "web-2", "web-2", "db-1"]  # idle last
    assert not scene(snapshot(endpoints=shop()), View()).fleet


def test_outputs_name_the_host_of_each_row() -> None:
    rows = json.loads(to_json(fleet()))["endpoints"]
    assert {row["host"] for row in rows} == {"web-1", "web-2", "db-1"}
    assert [row["host"] for row in rows if row.get("stale")] == ["db-1"]
    assert all(
        "host" not in row for row in json.loads(to_json(snapshot(endpoints=shop())))["endpoints"]
    )
    text = to_text(fleet())
    assert "HOST" in text
    assert "db-1 (down)" in text


def test_a_capture_keeps_the_hosts_of_rows() -> None:
    taken = fleet()
    (decoded,) = read(in_frames([taken]))
    assert repr(decoded.endpoints) == repr(tuple(taken.endpoints))  # some are not known: NaN
    assert decoded.hosts == taken.hosts
