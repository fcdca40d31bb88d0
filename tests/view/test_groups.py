"""Groups: whose members are whose, that sums are those of the side, what is not known, filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.filters.on_screen import ScreenFilter
from httptop.model import (
    NO_LATENCY,
    OTHER_PEERS,
    OTHER_PIDS,
    UNIX_PEER,
    EndpointKey,
    EndpointStats,
    PartyStats,
    Totals,
)
from httptop.view.grouping import (
    GROUPINGS,
    NO_CONTAINER,
    NO_PORT,
    NO_USER,
    PARTED,
    By,
    GroupId,
    Grouping,
    part_for_group,
)
from httptop.view.groups import GROUP_SORTS, Group, Groups, groups_of
from httptop.view.path_tree import parts_of
from tests.factory import endpoint, key, parties, shop, totals, with_parties

BYS: Sequence[By] = [by for by in GROUPINGS if by != "endpoint"]


UPTIME_S = 60.0
COVERED_S = 10.0


def grouped(rows: Sequence[EndpointStats], by: By, **grouping: object) -> Groups:
    chosen = replace(Grouping(by), **grouping)  # type: ignore[arg-type]
    return groups_of(rows, totals(rows, "server"), chosen, COVERED_S, UPTIME_S)


def at_paths(*paths: str, process: str = "nginx") -> list[EndpointStats]:
    return [endpoint(key(path, process=process), rps=10.0 - at) for at, path in enumerate(paths)]


_PATHS = st.lists(st.sampled_from(["/", "/a", "/b", "/{id}"]), min_size=1, max_size=4).map("".join)


@st.composite
def _rows(draw: st.DrawFn) -> list[EndpointStats]:
    keys = draw(
        st.lists(
            st.builds(
                EndpointKey,
                side=st.just("server"),
                process=st.sampled_from(["nginx", "web", "unix"]),
                protocol=st.just("HTTP/1.1"),
                tls=st.just(False),
                method=st.sampled_from(["GET", "POST"]),
                path=_PATHS | st.sampled_from(["~other", "*"]),
                user=st.sampled_from(["", "root", "www"]),
                port=st.sampled_from([0, 80, 8080]),
            ),
            unique=True,
            max_size=12,
        )
    )
    rows = []
    for at, name in enumerate(keys):
        status = draw(
            st.dictionaries(st.sampled_from([0, 5, 200, 304, 404, 503]), st.integers(1, 999))
        )
        unanswered, rps = draw(st.integers(0, 9)), draw(st.integers(0, 99)) / 4
        row = endpoint(name, rps, 1.0, status, unanswered, draw(st.integers(0, 3)), seed=at)
        errors = draw(st.integers(0, 5))
        row = replace(
            row,
            window_requests=errors + draw(st.integers(0, 50)),
            window_errors=errors,
            containers=draw(st.sampled_from([(), ("web",), ("db", "web")])),
        )
        known = draw(st.booleans())
        row = parties(row, at) if known else replace(row, by_pid=None, by_peer=None)
        rows.append(row if rps else replace(row, latency=NO_LATENCY))
    return rows


@given(_rows(), st.sampled_from(BYS), st.sampled_from(sorted(GROUP_SORTS)), st.booleans())
def test_the_sums_of_all_groups_are_those_of_the_side(
    rows: list[EndpointStats], by: By, sort: str, descending: bool
) -> None:
    whole = totals(rows, "server")
    found = groups_of(rows, whole, Grouping(by, sort, descending), COVERED_S, UPTIME_S)
    groups = found.lines
    assert found.count == len(groups) == len({group.id for group in groups})
    values = [GROUP_SORTS[sort](group) for group in groups]
    assert values == sorted(values, reverse=descending)
    if by in PARTED:
        errors = sum(row.errors for row in rows)
        assert found.since_start or not rows
        assert sum(group.of for group in groups) == whole.requests
        assert found.shown == pytest.approx(found.total)
        assert found.total == whole.requests / UPTIME_S
    else:
        assert not found.since_start
        errors = sum(row.window_errors or 0 for row in rows)
        assert sum(group.of for group in groups) == sum(row.window_requests or 0 for row in rows)
        assert sum(group.rps for group in groups) == pytest.approx(whole.rps)
        assert sum(group.in_flight or 0 for group in groups) == whole.in_flight
        assert sum(group.endpoints for group in groups) == len(rows)
        worst = max((row.latency.p99_ns for row in rows if row.latency.count), default=None)
        assert max((group.p99_ns or 0.0 for group in groups), default=0.0) == (worst or 0.0)
        assert found.shown == pytest.approx(found.total)
    assert sum(group.errors or 0 for group in groups) == errors
    shares = [share for group in groups if (share := found.share(group)) is not None]
    assert sum(shares) == pytest.approx(1.0 if found.total else 0.0)


@given(_rows())
def test_what_is_unfolded_has_what_its_node_has(rows: list[EndpointStats]) -> None:
    nodes: set[str] = set()
    while True:  # unfold all
        found = grouped(rows, "path", unfolded=frozenset(nodes))
        folded = {str(line.id) for line in found.lines if line.folded}
        if not folded:
            break
        nodes |= folded
    leaves = [line for line in found.lines if line.folded is None]
    assert {line.id for line in leaves} == {row.key for row in rows}
    assert len(leaves) == len(rows)
    below: list[tuple[Group, list[Group]]] = []
    for line in found.lines:
        while below and below[-1][0].depth >= line.depth:
            _agrees(*below.pop())
        if below:
            below[-1][1].append(line)
            assert line.depth == below[-1][0].depth + 1
        below.append((line, []))
    for pair in below:
        _agrees(*pair)
    assert sum(line.depth == 0 for line in found.lines) == found.count


def _agrees(node: Group, members: list[Group]) -> None:
    assert (node.folded is None) == (not members)
    if members:
        assert len(members) > 1  # a node that adds nothing is none
        assert node.of == sum(member.of for member in members)
        assert node.endpoints == sum(member.endpoints for member in members)
        for member in members:
            path = member.id.path if isinstance(member.id, EndpointKey) else str(member.id)
            assert parts_of(path)[: len(parts_of(str(node.id)))] == parts_of(str(node.id))


def test_the_tree_joins_what_paths_have_in_common() -> None:
    rows = at_paths("/api/v1/users/{id}", "/api/v1/users", "/api/v1/orders", "/api-docs", "~other")
    rows += at_paths("/api/v1/orders", process="shop")
    found = grouped(rows, "path", unfolded=frozenset({"/api/v1", "/api/v1/orders"}))
    assert [(line.depth, line.name, line.detail, line.folded) for line in found.lines] == [
        (0, "/api/v1", "", False),
        (1, "/users", "", True),
        (1, "/orders", "", False),
        (2, "GET shop", "", None),
        (2, "GET nginx", "", None),
        (0, "/api-docs", "GET nginx", None),
        (0, "~other", "GET nginx", None),
    ]
    assert found.count == 3
    assert found.lines[0].endpoints == 4


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/", ("/",)),
        ("/a/b", ("/a", "/b")),
        ("/a/", ("/a", "/")),
        ("//", ("/", "/")),
        ("~other", ("~other",)),
        ("*", ("*",)),
        ("example.com:443", ("example.com:443",)),
    ],
)
def test_parts_of_a_path(path: str, parts: tuple[str, ...]) -> None:
    assert parts_of(path) == parts


def test_what_is_not_known_is_a_group_of_its_own() -> None:
    row = endpoint(key("/"), status={200: 9}, unanswered=1)
    row = replace(row, by_pid=None, by_peer=None)
    for by, id in (("pid", OTHER_PIDS), ("peer", OTHER_PEERS), ("port", NO_PORT)):
        (group,) = grouped([row], by).lines  # type: ignore[arg-type]
        assert group.id == id
        assert by == "port" or group.of == 10
    (group,) = grouped([row], "user").lines
    assert (group.id, group.name) == (NO_USER, "not known")
    (group,) = grouped([row], "container").lines
    assert (group.id, group.name) == (NO_CONTAINER, "none known")
    known, unknown = grouped([row], "status").lines
    assert (known.id, known.errors, unknown.id, unknown.name, unknown.errors) == (
        *(200, 0),
        *(0, "unknown", 1),
    )
    bare = replace(row, window_errors=None)
    assert grouped([bare], "process").lines[0].errors is None  # those since start are others


def test_statuses_have_their_part_of_the_window_where_that_is_known() -> None:
    rows = [
        replace(
            endpoint(key("/a"), status={200: 90, 503: 9}, unanswered=1),
            window_status={200: 20, 0: 3},
            window_requests=23,
            window_errors=2,
        ),
        replace(
            endpoint(key("/b"), status={503: 70}),
            window_status={503: 7},
            window_requests=7,
            window_errors=7,
        ),
    ]
    found = grouped(rows, "status")
    assert not found.since_start
    assert [(group.id, group.of, group.errors, group.rps) for group in found.lines] == [
        (200, 20, 0, 2.0), (503, 7, 7, 0.7), (0, 3, 2, 0.3),
    ]  # fmt: skip
    assert found.total == sum(row.rps for row in rows)
    assert grouped([rows[0], replace(rows[1], window_status=None)], "status").since_start


def test_parts_of_several_endpoints_add_up() -> None:
    one = replace(
        endpoint(key("/a")),
        by_peer={"::1": PartyStats(10, 1, 4, 2e6, 5e6), OTHER_PEERS: PartyStats(2, 2)},
    )
    other = replace(
        endpoint(key("/b", process="web")), by_peer={"::1": PartyStats(30, 0, 12, 6e6, 9e6)}
    )
    peer, rest = grouped([one, other], "peer").lines
    assert (peer.name, peer.detail, peer.endpoints) == ("::1", "nginx, web", 2)
    assert (peer.of, peer.errors, peer.mean_ns, peer.max_ns) == (40, 1, 5e6, 9e6)
    assert peer.error_share == 1 / 40
    assert (rest.name, rest.of, rest.mean_ns, rest.max_ns) == ("other peers", 2, None, None)


def test_processes_of_a_group_are_few() -> None:
    rows = [endpoint(key("/", process=f"p{n}")) for n in range(5)]
    assert grouped(rows, "user").lines[0].detail == "p0, p1, p2 and 2 more"


def test_a_selected_group_is_found_again_or_its_neighbour() -> None:
    found = grouped(shop(), "process")
    assert [group.name for group in found.lines][:2] == ["nginx", "gunicorn"]
    assert found.place("gunicorn", 3) == 1
    assert found.place("gone", 3) == 3
    assert found.place("gone", 99) == len(found.lines) - 1
    assert found.place(None, 3) == 0
    assert Groups(Grouping("pid"), (), 0, 0, 0).place("gone", 3) == 0


def test_orders() -> None:
    grouping = Grouping("pid")
    assert grouping.sort == "rps"
    again = grouping.sorted_by("rps")
    assert (again.sort, again.descending) == ("rps", False)
    assert not grouping.sorted_by("name").descending
    assert grouping.sorted_by("mean").descending
    pids = grouped(with_parties().endpoints[:4], "pid", sort="name", descending=False)
    numbers = [group.id for group in pids.lines]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("by", BYS)
def test_a_filter_selects_the_rows_of_a_group(by: By) -> None:
    rows = [
        replace(
            row,
            key=replace(row.key, user="root", port=80 + at % 2),
            containers=("a", "b")[at % 3 :],
        )
        for at, row in enumerate(parties(row, at) for at, row in enumerate(shop()[:15]))
    ]
    for group in grouped(rows, by).lines:
        if isinstance(group.id, EndpointKey):
            continue
        part = part_for_group(by, group.id, excluded=False)
        hidden = part_for_group(by, group.id, excluded=True)
        if part is None or hidden is None:
            assert group.id in (OTHER_PIDS, OTHER_PEERS, UNIX_PEER, NO_CONTAINER)
            continue
        kept = [row for row in rows if ScreenFilter(part).keeps_row(row)]
        assert len(kept) >= group.endpoints
        if by in ("path", "process", "pid", "peer", "port", "user"):
            assert len(kept) == group.endpoints
        left = [row for row in rows if ScreenFilter(hidden).keeps_row(row)]
        if by != "status":  # a row has other statuses, too
            assert len(left) == len(rows) - len(kept)


@pytest.mark.parametrize(
    ("by", "group", "text"),
    [
        ("process", 'a "b", c', 'comm = "a \\"b\\", c"'),
        ("process", "unix", "comm = unix"),
        ("process", "", None),
        ("pid", 12, "pid = 12"),
        ("pid", OTHER_PIDS, None),
        ("peer", "::1", "peer = ::1"),
        ("peer", UNIX_PEER, None),
        ("peer", OTHER_PEERS, None),
        ("port", 80, "port = 80"),
        ("port", NO_PORT, None),
        ("status", 404, "status = 404"),
        ("status", 5, "status = 5xx"),
        ("status", 0, "status = unknown"),
        ("container", ("a", "b"), "container = a and container = b"),
        ("container", NO_CONTAINER, None),
        ("user", "root", "user = root"),
        ("user", NO_USER, None),
        ("path", "/api", "path = /api or path ~ /api/*"),
        ("path", "/a[b]*?", "path = /a[b]*? or path ~ /a[[]b][*][?]/*"),
    ],
)
def test_filters_of_groups(by: By, group: GroupId, text: str | None) -> None:
    part = part_for_group(by, group, excluded=False)
    assert (None if part is None else str(part)) == text


def test_a_start_of_paths_selects_no_others() -> None:
    part = part_for_group("path", "/a[b]*", excluded=False)
    assert part is not None
    rows = at_paths("/a[b]*", "/a[b]*/c", "/ab", "/abc/c", "/a[b]*d")
    kept = [row.key.path for row in rows if ScreenFilter(part).keeps_row(row)]
    assert kept == ["/a[b]*", "/a[b]*/c"]


def test_sums_of_rates_are_not_less_than_they_are() -> None:
    groups = [Group(n, "", "", 1, 0.1) for n in range(10)]
    found = Groups(Grouping("user"), tuple(groups), 10, sum(0.1 for _ in groups), 1.0)
    assert found.shown < found.total
    assert found.shown_share == 1.0
    assert replace(found, shown=0.5).shown_share == 0.5
    assert replace(found, total=0.0).shown_share is None


def test_without_requests_there_is_no_share() -> None:
    rows = [endpoint(key("/"), rps=0.0, status={})]
    found = groups_of(rows, Totals(), Grouping("process"), COVERED_S, UPTIME_S)
    assert found.share(found.lines[0]) is None
