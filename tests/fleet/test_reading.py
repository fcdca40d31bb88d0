"""A tick's reading: rows, sums, latencies, hosts, what is beyond the limits, what is missing."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import cast

import pytest

from httptop.collect.shown_rows import ShownRows
from httptop.config.scope import Scope, limited
from httptop.config.settings import DEFAULTS
from httptop.config.settings import Fleet as FleetSettings
from httptop.fleet import names
from httptop.fleet.address import parse_source
from httptop.fleet.client import Client
from httptop.fleet.feed import FleetFeed
from httptop.fleet.problems import FleetError, Refused
from httptop.fleet.reading import Reader, Reading
from httptop.fleet.rows import FleetRows
from httptop.fleet.totals import totals_of
from httptop.model import SIDES, EndpointStats
from httptop.output.json import to_json
from httptop.output.text import to_text
from httptop.view.health import missed
from httptop.view.state import View, scene
from tests.fleet.fake import NOW, FakeClient, Fleet, Row, grown, key, small


def reader_of(client: FakeClient, scope: Scope | None = None, most: int = 1000) -> Reader:
    return Reader(cast("Client", client), scope or Scope(), "instance", most)


def rows_of(reading: Reading) -> FleetRows:
    shown = ShownRows(reading.numbers, reading.columns.registry.keys)
    return FleetRows(shown, reading.columns, (reading.columns.p99_ns,))


def by_name(reading: Reading) -> dict[tuple[str, str, str], EndpointStats]:
    return {(row.key.host, row.key.side, row.key.path): row for row in rows_of(reading)}


def test_rows_are_those_of_the_hosts() -> None:
    fleet = small()
    reading = reader_of(FakeClient(fleet)).read(10.0)
    assert {row.key for row in rows_of(reading)} == {row.key for row in fleet.rows}
    slow = by_name(reading)["web-1:9742", "server", "/slow"]
    assert (slow.requests, slow.unanswered, dict(slow.status)) == (12, 2, {200: 5, 503: 5})
    assert slow.rps == pytest.approx(0.6)
    assert slow.window_requests == 36  # of a minute, which is four scrapes
    assert slow.window_errors == 36
    assert slow.in_flight is None
    assert slow.pids == ()
    users = by_name(reading)["web-1:9742", "server", "/users/{id}"]
    assert (users.request_bytes, users.response_bytes) == (5000, 70000)
    api = by_name(reading)["web-2:9742", "client", "/api"]
    assert dict(api.status) == {200: 40, 5: 2}  # a class, of which the codes are not known
    assert by_name(reading)["web-2:9742", "server", "/users/{id}"].status[0] == 1


@pytest.mark.parametrize("native", [False, True])
def test_rows_add_up_to_the_totals(native: bool) -> None:
    fleet = small()
    fleet.native = native
    reading = reader_of(FakeClient(fleet)).read(10.0)
    rows = list(rows_of(reading))
    for side in SIDES:
        totals, mine = totals_of(side, reading), [row for row in rows if row.key.side == side]
        exported = [row for row in fleet.rows if row.key.side == side]
        assert totals.requests == sum(row.requests for row in mine)
        assert totals.requests == sum(sum(r.counts.values()) + r.unanswered for r in exported)
        assert totals.requests == sum(totals.status.values()) + totals.unanswered
        assert totals.rps == pytest.approx(sum(row.rps for row in mine))
        assert totals.in_flight == sum(row.in_flight for row in exported)
    assert totals_of("server", reading).latency.count == round(60 * 30.6)


def test_all_queries_are_of_one_moment_of_the_servers_clock() -> None:
    client = FakeClient(small())
    reading = reader_of(client).read(10.0)
    (first, none), *others = client.asked
    assert (first, none) == ("vector(time())", None)
    assert {at for _, at in others} == {reading.at}
    assert reading.at == NOW - 1


@pytest.mark.parametrize(
    ("scrape_s", "asked_s", "window_s"), [(15.0, 10.0, 60), (60.0, 10.0, 240), (1.0, 10.0, 10)]
)
def test_the_window_has_four_scrapes(scrape_s: float, asked_s: float, window_s: int) -> None:
    fleet = small()
    fleet.scrape_s = scrape_s
    reading = reader_of(FakeClient(fleet)).read(asked_s)
    assert (reading.scrape_s, reading.window_s) == (scrape_s, window_s)


def test_percentiles_of_classic_buckets_are_within_their_bounds() -> None:
    row = by_name(reader_of(FakeClient(small())).read(10.0))["web-1:9742", "server", "/users/{id}"]
    assert 1e6 <= row.latency.p50_ns <= 5e6
    assert 1e7 <= row.latency.p999_ns <= 1e8
    assert row.latency.mean_ns == pytest.approx(0.03 / 10.1 * 1e9)
    assert math.isnan(row.latency.max_ns)


def test_native_histograms_come_first() -> None:
    fleet = small()
    fleet.native = True
    reading = reader_of(FakeClient(fleet)).read(10.0)
    assert reading.native
    assert not reading.classic
    row = by_name(reading)["web-1:9742", "server", "/slow"]
    assert 0.98e9 <= row.latency.p50_ns <= 1e9


def test_a_server_without_native_histograms_is_asked_for_classic_ones() -> None:
    fleet = small()
    fleet.knows_native = False
    client = FakeClient(fleet)
    reader = reader_of(client)
    assert reader.read(10.0).classic
    asked = len(client.asked)
    reader.read(10.0)
    assert not any("histogram_count" in text for text, _ in client.asked[asked:])


def test_a_host_that_is_down_keeps_its_last_counts() -> None:
    fleet = small()
    reader = reader_of(FakeClient(fleet))
    before = by_name(reader.read(10.0))
    del fleet.hosts["web-2:9742"]
    fleet.rows[0] = grown(fleet.rows[0], 5)
    fleet.now += 15
    reading = reader.read(10.0)
    after = by_name(reading)
    gone = after["web-2:9742", "server", "/users/{id}"]
    assert gone.stale
    assert gone.rps == 0
    assert gone.status == before["web-2:9742", "server", "/users/{id}"].status
    assert not after["web-1:9742", "server", "/users/{id}"].stale
    assert totals_of("server", reading).requests == 1010 + 10 + 12 + 2001
    hosts = {host.name: host for host in reading.hosts}
    assert [name for name, host in hosts.items() if not host.up] == ["db-1:9742", "web-2:9742"]
    assert hosts["web-2:9742"].seen_at == NOW - 7
    fleet.hosts["web-2:9742"] = fleet.now
    assert not any(row.stale for row in by_name(reader.read(10.0)).values())


def test_a_host_that_is_scraped_no_longer_is_down_at_once() -> None:
    fleet = small()
    reader = reader_of(FakeClient(fleet))
    reader.read(10.0)
    fleet.now += 75  # Prometheus still has what it scraped last
    fleet.hosts["web-1:9742"] = fleet.now
    reading = reader.read(10.0)
    assert [host.name for host in reading.hosts if host.up] == ["web-1:9742"]
    found = by_name(reading)
    assert found["web-2:9742", "server", "/users/{id}"].stale
    assert found["web-2:9742", "server", "/users/{id}"].requests == 2001
    assert found["web-2:9742", "server", "/users/{id}"].rps == 0


def test_a_host_is_forgotten_an_hour_after_it_was_heard() -> None:
    fleet = small()
    reader = reader_of(FakeClient(fleet))
    reader.read(10.0)
    del fleet.hosts["web-2:9742"]
    fleet.now += 3600
    fleet.hosts["web-1:9742"] = fleet.now
    reading = reader.read(10.0)
    assert [host.name for host in reading.hosts] == ["web-1:9742"]
    assert {row.key.host for row in rows_of(reading)} == {"web-1:9742"}


def test_hosts_say_what_they_miss() -> None:
    hosts = {host.name: host for host in reader_of(FakeClient(small())).read(10.0).hosts}
    one = hosts["web-1:9742"]
    assert one.health is not None
    assert (one.version, one.health.lost_samples, one.cpu_percent) == ("0.1.0", 7, 1.2)
    assert hosts["web-2:9742"].rss_bytes == 50_000_000
    assert hosts["db-1:9742"].health is None


@pytest.mark.setting("fleet.host_label")
def test_another_label_may_name_the_host() -> None:
    fleet = small()
    fleet.host_label = "node"
    reader = Reader(cast("Client", FakeClient(fleet)), Scope(), "node", 1000)
    assert {row.key.host for row in rows_of(reader.read(10.0))} == {"web-1:9742", "web-2:9742"}
    with pytest.raises(Refused):
        reader_of(FakeClient(fleet)).read(10.0)


@pytest.mark.setting("fleet.max_endpoints")
def test_what_is_beyond_the_limit_counts_under_other_of_its_host() -> None:
    rows = [
        Row(
            key(f"web-{at % 3}", f"/{at}"),
            {200: 100 + at, 500: at},
            {200: float(at)},
            unanswered=at % 2,
            request_bytes=10 * at,
        )
        for at in range(40)
    ]
    fleet = Fleet(rows, {f"web-{at}": NOW for at in range(3)})
    reading = reader_of(FakeClient(fleet), most=10).read(10.0)
    found = by_name(reading)
    others = {host: row for (host, _, path), row in found.items() if path == "~other"}
    assert set(others) == {"web-0", "web-1", "web-2"}
    assert len(found) == 13
    for host in others:
        exported = [row for row in rows if row.key.host == host]
        mine = [row for row in found.values() if row.key.host == host]
        assert sum(row.requests for row in mine) == sum(
            sum(row.counts.values()) + row.unanswered for row in exported
        )
        assert sum(row.request_bytes for row in mine) == sum(r.request_bytes for r in exported)
        assert sum(row.rps for row in mine) == pytest.approx(
            sum(sum(row.rates.values()) for row in exported)
        )
    assert any("40 endpoints" in note for note in reading.notes)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("host ~ web-1*", 2),
        ("side = client", 1),
        ("path = /slow", 1),
        ("method = POST and host = web-1:9742", 1),
        ("comm = nginx", 3),
    ],
)
def test_a_run_is_limited_to_some_endpoints(text: str, rows: int) -> None:
    reading = reader_of(FakeClient(small()), limited(text)).read(10.0)
    found = rows_of(reading)
    assert len(found) == rows
    total = sum(totals_of(side, reading).requests for side in SIDES)
    assert total == sum(row.requests for row in found)


def test_requests_in_flight_are_unknown_where_the_filter_asks_more() -> None:
    reading = reader_of(FakeClient(small()), limited("path = /slow")).read(10.0)
    assert totals_of("server", reading).in_flight is None
    reading = reader_of(FakeClient(small()), limited("host = web-1:9742")).read(10.0)
    assert totals_of("server", reading).in_flight == 2


def test_latencies_may_be_missing() -> None:
    client = FakeClient(small())
    client.fails = lambda text: FleetError("too slow") if "_bucket" in text else None
    reading = reader_of(client).read(10.0)
    assert all(not row.latency.count for row in rows_of(reading))
    assert "latencies of the server side are not known: too slow" in reading.notes


def test_without_counts_there_is_no_reading() -> None:
    client = FakeClient(small())
    client.fails = lambda text: Refused("it answers 422: no") if "rate(" in text else None
    with pytest.raises(FleetError, match="422"):
        reader_of(client).read(10.0)


@pytest.mark.parametrize("now", [math.nan, math.inf, 0.0, -1.0, 1e300])
def test_a_moment_that_no_clock_shows_is_no_time(now: float) -> None:
    fleet = small()
    fleet.now = now
    with pytest.raises(FleetError, match="does not know the time"):
        reader_of(FakeClient(fleet)).read(10.0)


def test_an_empty_server_has_no_rows() -> None:
    reading = reader_of(FakeClient(Fleet())).read(10.0)
    assert not reading.numbers
    assert reading.hosts == ()


def test_names_of_strangers_are_made_fit_for_a_terminal() -> None:
    evil = key("web-1", '/\x1b[31m"}],"value":[1,"2"]{\\', process="a\nb")
    fleet = Fleet([Row(evil, {200: 3}, {200: 1.0}, buckets=(1.0, 0, 0, 0, 0, 0))], {"web-1": NOW})
    (row,) = rows_of(reader_of(FakeClient(fleet)).read(10.0))
    assert row.requests == 3
    assert row.latency.count == 60
    assert row.key.path == '/\\x1b[31m"}],"value":[1,"2"]{\\'
    assert row.key.process == "a\\x0ab"


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-5", "1e300", "1e18", "0"])
def test_figures_that_are_none_do_no_harm(value: str) -> None:
    number = float(value)
    fleet = small()
    first = fleet.rows[0]
    fleet.rows[0] = replace(
        first,
        counts={200: number},  # type: ignore[dict-item]
        rates={200: number},
        unanswered=number,  # type: ignore[arg-type]
        unanswered_rate=number,
        in_flight=number,  # type: ignore[arg-type]
        buckets=[number] * 6,
        seconds=number,
    )
    fleet.own["web-1:9742"] = dict.fromkeys((*names.HEALTH, names.CPU, names.RSS), number)
    fleet.before["db-2"] = number
    fleet.scrape_s = number if number > 0 and math.isfinite(number) else 15.0
    for native in (False, True):
        fleet.native = native
        feed = FleetFeed(
            parse_source("prometheus:http://x"),
            FleetSettings(),
            Scope(),
            DEFAULTS,
            client=cast("Client", FakeClient(fleet)),
        )
        found = feed.read()
        assert json.loads(to_json(found))
        assert to_text(found)
        assert "NaN" not in to_json(found)
        shown = scene(found, View())
        assert [row.rps for row in shown.rows]
        assert list(missed(found, "", "v", "x"))


def test_endpoints_get_other_numbers_where_most_of_them_are_gone() -> None:
    fleet = small()
    reader = reader_of(FakeClient(fleet))
    first = reader.read(10.0)
    del fleet.hosts["web-2:9742"]
    registry = first.columns.registry
    for n in range(21_000):
        registry.endpoint("server", f'{{"instance":"x","http_route":"/{n}"}}')
    reading = reader.read(10.0)
    assert reading.columns.registry is not registry
    found = by_name(reading)
    assert len(found) == len(fleet.rows)
    assert found["web-2:9742", "server", "/users/{id}"].stale
    assert found["web-2:9742", "server", "/users/{id}"].requests == 2001


def test_figures_without_rows_are_those_of_rows() -> None:
    reading = reader_of(FakeClient(small())).read(10.0)
    rows = rows_of(reading)
    of_row = {
        "requests": lambda row: row.requests,
        "rps": lambda row: row.rps,
        "errors": lambda row: row.errors,
        "unanswered": lambda row: row.unanswered,
        "window_requests": lambda row: row.window_requests,
        "window_errors": lambda row: row.window_errors,
        "error_share": lambda row: -1.0 if row.error_share is None else row.error_share,
        "2xx": lambda row: row.status_class(2),
        "5xx": lambda row: row.status_class(5),
        "p99": lambda row: row.latency.p99_ns if row.latency.count else -1.0,
        "request_bytes": lambda row: row.request_bytes,
    }
    for figure, pick in of_row.items():
        values = rows.values(figure)
        assert values is not None
        assert list(values) == pytest.approx(list(map(pick, rows))), figure
    assert rows.values("max") == [-1.0] * len(rows)


def test_a_reading_changes_nothing_of_the_one_before() -> None:
    fleet = small()
    reader = reader_of(FakeClient(fleet))
    before = rows_of(reader.read(10.0))
    counts = [row.requests for row in before]
    fleet.rows = [grown(row, 7) for row in fleet.rows]
    fleet.rows.append(Row(replace(fleet.rows[0].key, path="/new"), {200: 1}))
    after = rows_of(reader.read(10.0))
    assert [before.passing(at).requests for at in range(len(before))] == counts
    assert len(after) == len(before) + 1
