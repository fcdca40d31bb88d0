"""Filters on the screen: what they reach, that the quick way agrees with the plain one, typing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.filters import And, Expression, FilterError, Not, Or, parse
from httptop.filters.by_row import outcomes
from httptop.filters.completion import complete, seen_in
from httptop.filters.on_screen import (
    ScreenFilter,
    joined,
    parse_for_screen,
    reach,
    screen_filter,
    with_part,
)
from httptop.filters.predicates import picker
from httptop.filters.row_facts import FactsOf
from httptop.model import (
    NO_LATENCY,
    OTHER_PEERS,
    STATUS_UNKNOWN,
    EndpointStats,
    PartyStats,
)
from tests.factory import busy, endpoint, key, many, samples, shop
from tests.filters.plain import codes_of, holds, matches_row, picked_codes

SEEN = seen_in(busy(), "server")
NGINX = parse("comm = nginx")


def kept(text: str, rows: Sequence[EndpointStats]) -> list[EndpointStats]:
    ready = ScreenFilter(parse_for_screen(text))
    return [row for row in rows if ready.keeps_row(row)]


@pytest.mark.parametrize(
    ("text", "reached"),
    [
        ("comm = nginx", "both"),
        ("status = 5xx and latency > 10ms", "both"),
        ("peer = 10.0.0.0/8", "both"),
        ("user = root", "both"),
        ("container = web", "endpoints"),
        ("port = 80 or comm = nginx", "both"),
        ("peer = ::1 or in_flight > 2", "endpoints"),
        ("in_flight > 3", "endpoints"),
        ("not in_flight > 3", "endpoints"),
    ],
)
def test_what_a_part_decides(text: str, reached: str) -> None:
    assert reach(parse(text)) == reached


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("comm = a and host = b", 14, "'host' works only for a whole run"),
        ("comm = a and", 13, "at the end"),
    ],
)
def test_what_the_screen_cannot_tell_is_pointed_at(text: str, column: int, message: str) -> None:
    with pytest.raises(FilterError, match=message) as caught:
        parse_for_screen(text)
    assert caught.value.column == column


def test_parts_apply_where_they_are_known() -> None:
    rows = [replace(row, by_peer={"203.0.113.9": PartyStats(3, 0)}) for row in shop()]
    text = "comm = gunicorn and peer = 203.0.113.0/26 and in_flight >= 0"
    assert {row.key.process for row in kept(text, rows)} == {"gunicorn"}
    ready = ScreenFilter(parse(text))
    sampled = samples(rows)
    shown = [sample for sample in sampled if ready.keeps_request(sample)]
    assert shown
    for sample in shown:
        assert sample.key.process == "gunicorn"
        assert sample.peer is not None
    assert len(shown) < sum(sample.key.process == "gunicorn" for sample in sampled)


def test_all_parts_on_status_must_hold_for_the_same_status() -> None:
    rows = [endpoint(key("/"), status={200: 1, 503: 1})]
    assert not kept("status >= 400 and status < 500", rows)
    assert kept("status >= 400 and status < 600 and comm = nginx", rows)


def test_a_part_is_added_and_added_again_taken_away() -> None:
    other = parse("status = 5xx")
    once = with_part(None, NGINX)
    assert str(once) == "comm = nginx"
    twice = with_part(once, other)
    assert str(twice) == "comm = nginx and status = 5xx"
    assert with_part(twice, NGINX) == other
    assert with_part(once, NGINX) is None
    assert str(with_part(parse("a or b"), NGINX)) == "(path ~ *a* or path ~ *b*) and comm = nginx"
    assert joined(()) is None


def test_a_filter_that_could_not_be_read_again_is_refused() -> None:
    long = parse("path ~ " + ",".join("x" * 100 for _ in range(40)))
    with pytest.raises(FilterError, match="at most 4096"):
        with_part(long, parse(f"path = {'y' * 200}"))


def test_the_same_filter_is_made_ready_once() -> None:
    assert screen_filter(parse("comm = nginx")) is screen_filter(parse("comm  =  nginx"))


def test_keys_are_looked_at_once() -> None:
    ready = ScreenFilter(parse("path ~ *1* and comm = worker-3"))
    first = [row.key for row in many(200, 1).endpoints if ready.keeps_row(row)]
    assert first == [row.key for row in many(200, 2).endpoints if ready.keeps_row(row)]
    assert 0 < len(first) < 200


_COMPARISONS = st.sampled_from(
    [
        parse(text)
        for text in (
            "comm = nginx",
            "path ~ *a*,*b*",
            "path !~ /x/",
            "method != GET,POST",
            "side = server",
            "status = 5xx",
            "status != 200,404",
            "status < 400",
            "status >= 404",
            "status = unknown",
            "status != unknown",
            "pid = 1003",
            "pid != 1003,1005-1009",
            "pid > 1004",
            "pid <= 1004",
            "latency >= 10ms",
            "latency = 1ms-20ms",
            "latency != 5ms",
            "size > 4KiB",
            "size <= 4200",
            "in_flight = 0",
            "in_flight > 2",
            "peer = 10.0.0.0/8",
            "peer !~ 10.*,*:*",
            "user = root",
            "user != 0",
            "container ~ w*",
            "container != web,db",
        )
    ]
)


def _nested(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(inner.map(Not), several.map(And), several.map(Or))


_FILTERS: st.SearchStrategy[Expression] = st.recursive(_COMPARISONS, _nested, max_leaves=6)
PARTY = PartyStats(1, 0)
_STATUSES = st.dictionaries(
    st.sampled_from([200, 204, 304, 404, 500, 503, 5]), st.integers(1, 9), max_size=3
)


@st.composite
def _rows(draw: st.DrawFn) -> EndpointStats:
    row = endpoint(
        key(draw(st.sampled_from(["/a", "/b", "/x"])), process=draw(st.sampled_from("ab"))),
        rps=draw(st.sampled_from([0.1, 3.0])),
        p50_ms=draw(st.sampled_from([0.1, 2.0, 9.0])),
        status=draw(_STATUSES),
        unanswered=draw(st.integers(0, 1)),
        in_flight=draw(st.integers(0, 4)),
        trend=(),
    )
    pids = draw(st.sampled_from([(), (1003,), (1004, 1007)]))
    peers = draw(st.sampled_from([None, {}, {"10.1.2.3": PARTY}, {"::1": PARTY, "~other": PARTY}]))
    containers = draw(st.sampled_from([(), ("web",), ("cache", "db")]))
    row = replace(row, pids=pids, by_peer=peers, containers=containers)
    if draw(st.booleans()):
        row = replace(row, key=replace(row.key, user=draw(st.sampled_from(["root", "gone"]))))
    return row if draw(st.booleans()) else replace(row, latency=NO_LATENCY)


@given(_FILTERS, _rows())
def test_the_quick_way_agrees_with_the_plain_one(wanted: Expression, row: EndpointStats) -> None:
    assert ScreenFilter(wanted).keeps_row(row) == matches_row(wanted, row)
    for found in (picker(wanted)(FactsOf(row)), ScreenFilter(wanted).picked(FactsOf(row))):
        assert (found is not None) == matches_row(wanted, row)
        if found is None or not codes_of(row):
            continue
        assert found.in_flight == holds(wanted, row, ())
        if "status" in str(wanted):
            codes = codes_of(row) if found.codes is None else found.codes
            assert list(codes) == picked_codes(wanted, row)


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("peer = 10.1.0.0/16", True),
        ("peer = ::1", True),
        ("peer ~ 10.1.*", True),
        ("peer = 10.2.0.0/16", False),
        ("peer ~ *other*", False),  # those are not known one by one
        ("not peer = ::1", False),
        ("user = root", True),
        ("user = 0", True),
        ("user != 0", False),
        ("container = web", True),
        ("container ~ d*", True),
        ("container != web,db", False),
        ("peer = ::1 and container = cache", False),
    ],
)
def test_a_row_is_of_all_its_peers_containers_and_its_user(text: str, selected: bool) -> None:
    peers = {"10.1.2.3": PartyStats(3, 0), "::1": PartyStats(2, 0), OTHER_PEERS: PartyStats(1, 0)}
    row = replace(endpoint(key("/", user="root")), by_peer=peers, containers=("db", "web"))
    assert [row] * selected == kept(text, [row])


def test_what_is_not_known_of_a_row_equals_nothing() -> None:
    (row,) = [endpoint(key("/"))]
    for text in ("peer = ::1", "container = web", "user = root"):
        assert not kept(text, [row])
        assert kept(f"not {text}", [row])
    unknown = endpoint(key("/", user="nobody of this host"))
    assert not kept("user = root", [unknown])


# Completion


def offered(text: str, cursor: int | None = None) -> list[str]:
    completion = complete(text, len(text) if cursor is None else cursor, SEEN)
    return [candidate.text for candidate in completion.candidates]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("", ["pid ", "comm "]),
        ("st", ["status "]),
        ("ST", ["status "]),
        ("status ", ["= ", "!= ", "< "]),
        ("side ", ["= ", "!= "]),
        ("comm !", ["!= ", "!~ "]),
        ("comm !=", ["nginx", "gunicorn"]),
        ("status = ", ["2xx", "3xx"]),
        ("status = 5", ["5xx", "500"]),
        ("status = 5xx,", ["2xx", "3xx", "4xx", "200"]),
        ("status = 5xx ", ["and ", "or "]),
        ("status = 5xx o", ["or "]),
        ("status = 5xx and ", ["pid ", "comm "]),
        ("not ", ["pid ", "comm "]),
        ("(me", ["method "]),
        ("(comm = nginx) ", ["and ", "or "]),
        ("(comm = nginx) or me", ["method "]),
        ("comm ~ n", ["nginx", "node"]),
        ("word ", ["and ", "or "]),
        ('"two words" ', ["and ", "or "]),
        ('path = "/us', ["/users/{id}"]),
        ("method = ", ["GET", "POST"]),
        ("proto = ", ["HTTP/1.1"]),
        ("tls = ", ["yes", "no"]),
        ("side = ", ["server", "client"]),
        ("peer = 203.0.113.1", ["203.0.113.10", "203.0.113.11"]),
        ("pid = 10", ["1010"]),
    ],
)
def test_what_may_follow_is_offered(text: str, first: list[str]) -> None:
    assert offered(text)[: len(first)] == first


@pytest.mark.parametrize(
    "text",
    ["zzz", "status = 5xx", "(comm = nginx)", '"open', "speed = ", "latency > ", "~", ",", "a = b"],
)
def test_where_nothing_is_known_to_follow_nothing_is_offered(text: str) -> None:
    assert offered(text) == []


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("s", True),
        ("users", True),
        ("users ", True),
        ("users an", True),
        ("users and comm = a", False),
        ("comm = a and users", True),
        ("status", True),
        ("status ", True),
        ("status = 5", False),
        ("status = 5xx ", False),
        ("(users", True),
        ("", False),
    ],
)
def test_a_word_alone_may_become_a_field(text: str, alone: bool) -> None:
    assert complete(text, len(text), SEEN).unsettled is alone


def test_fields_that_the_screen_cannot_response_are_not_offered() -> None:
    assert not any(text.startswith("connection") for text in offered("con"))


def test_a_candidate_takes_the_place_of_what_was_typed() -> None:
    completion = complete("st", 2, SEEN)
    assert completion.applied("st", 0) == ("status ", 7)
    text = "comm = ng and status = 5xx"
    assert complete(text, 9, SEEN).applied(text, 0) == ("comm = nginx and status = 5xx", 12)
    text = "cmm = x"
    assert complete(text, 1, SEEN).applied(text, 0)[0] == "comm = x"


def test_values_are_offered_as_they_must_be_written() -> None:
    rows = [endpoint(key(path)) for path in ("/a b", "/[x]*", "/both/")]
    seen = seen_in(replace(busy(), endpoints=tuple(rows)), "server")
    for operator in ("=", "~"):
        text = f"path {operator} "
        found = complete(text, len(text), seen)
        assert len(found.candidates) == 3
        for n, row in enumerate(rows):
            assert matches_row(parse(found.applied(text, n)[0]), row), found.candidates[n]


def test_all_requests_without_a_known_outcome_are_offered_together() -> None:
    one = endpoint(key(), status={200: 5, STATUS_UNKNOWN: 3, 503: 1}, unanswered=2)
    assert outcomes(one) == [("503", 1), ("unknown", 5), ("200", 5)]
    answered = replace(one, unanswered=0)
    assert matches_row(parse("status = unknown"), answered)
    seen = seen_in(replace(busy(), endpoints=(answered,)), "server")
    assert list(seen["status"]) == ["2xx", "5xx", "200", "503", "unknown"]


def test_values_of_the_shown_side_and_of_busy_rows_come_first() -> None:
    assert seen_in(busy(), "server")["comm"][0] == "nginx"
    assert seen_in(busy(), "client")["comm"][0] == "gunicorn"
    assert "40001" not in SEEN["port"]  # a client's own port says nothing about the server
    assert seen_in(None, "server") == {}


@given(
    st.lists(
        st.sampled_from(
            ["comm", "status", " ", "=", "!", "~", "(", ")", '"', "'", ",", "and", "not", "/a", "5"]
        ),
        max_size=12,
    ).map("".join),
    st.integers(0, 40),
)
def test_completion_takes_whatever_is_typed(text: str, cursor: int) -> None:
    cursor = min(cursor, len(text))
    completion = complete(text, cursor, SEEN)
    assert 0 <= completion.start <= cursor <= completion.end <= len(text)
    for n in range(len(completion.candidates)):
        new, at = completion.applied(text, n)
        assert new[completion.start : at] == completion.candidates[n].text
