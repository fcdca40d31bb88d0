"""The feed of a fleet: its pace, failures and the way back, what a snapshot says, its end."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS
from httptop.config.settings import Fleet as FleetSettings
from httptop.errors import HttptopError
from httptop.fleet.address import parse_source
from httptop.fleet.client import Client
from httptop.fleet.feed import FleetFeed
from httptop.fleet.problems import FleetError
from httptop.model import SIDES, Snapshot
from httptop.view.state import View, scene
from tests.fleet.fake import NOW, FakeClient, Fleet, Server, grown, small
from tests.patience import PATIENCE_S


class Run:
    """A feed that runs, and what it has published and told."""

    def __init__(self, client: FakeClient, pace_s: float = 0.01) -> None:
        self.client = client
        self.told: queue.Queue[str] = queue.Queue()
        self.published: queue.Queue[Snapshot] = queue.Queue()
        self.failures: list[BaseException] = []
        general = replace(DEFAULTS.general, tick_s=pace_s)
        self.feed = FleetFeed(
            parse_source("prometheus:http://prometheus:9090"),
            FleetSettings(),
            Scope(),
            replace(DEFAULTS, general=general),
            pace_s=pace_s,
            tell=self.told.put,
            client=cast("Client", client),
        )

    def start(self) -> None:
        self.feed.start(self.published.put, self.failures.append)

    def next(self) -> Snapshot:
        return self.published.get(timeout=PATIENCE_S)


@pytest.fixture
def run() -> Iterator[Run]:
    made = Run(FakeClient(small()))
    yield made
    made.feed.stop()
    assert not made.failures


def test_a_snapshot_is_of_all_hosts(run: Run) -> None:
    run.start()
    found = run.next()
    assert found.host == "http://prometheus:9090"
    assert found.taken_at == NOW - 1
    assert (found.window_s, found.covered_s) == (60.0, 60.0)
    assert [host.name for host in found.hosts] == ["db-1:9742", "web-1:9742", "web-2:9742"]
    assert found.health.lost_samples == 8
    for side in SIDES:
        rows = [row for row in found.endpoints if row.key.side == side]
        assert found.total(side).requests == sum(row.requests for row in rows)
    assert found.in_flight is None
    assert any("2.5 times apart" in note for note in found.notes)
    assert any("no figures any more of db-1:9742" in note for note in found.notes)


def test_trends_go_on_from_tick_to_tick(run: Run) -> None:
    run.start()
    run.next()
    run.client.fleet.now += 15
    run.client.fleet.rows = [grown(row, 5) for row in run.client.fleet.rows]
    while (found := run.next()).taken_at < NOW + 10:
        pass
    assert found.uptime_s == 15
    totals = found.total("server")
    assert len(totals.trend_rps) == len(totals.trend_p99_ns) == len(totals.trend_classes) >= 2
    assert totals.trend_rps[-1] == pytest.approx(totals.rps)
    assert sum(totals.trend_classes[-1]) == pytest.approx(totals.rps)
    trend = next(row.trend_ns for row in found.endpoints if row.key.path == "/slow")
    assert len(trend) == len(totals.trend_rps)
    assert trend[-1] is not None


def test_while_the_server_is_away_nothing_is_published(run: Run) -> None:
    run.start()
    run.next()
    run.client.fails = lambda _: FleetError("connection refused")
    told = run.told.get(timeout=PATIENCE_S)
    assert told == (
        "Prometheus at http://prometheus:9090: connection refused; it is asked again and again."
    )
    while not run.published.empty():
        run.published.get()
    run.client.fails = lambda _: None
    assert "answers again" in run.told.get(timeout=PATIENCE_S)
    run.next()
    assert run.told.empty()


def test_the_first_figures_have_to_come() -> None:
    run = Run(FakeClient(small()))
    run.client.fails = lambda _: FleetError("it answers 503: starting")
    failed: queue.Queue[BaseException] = queue.Queue()
    run.feed.start(run.published.put, failed.put)
    error = failed.get(timeout=PATIENCE_S)
    assert isinstance(error, HttptopError)
    assert str(error) == "Prometheus at http://prometheus:9090: it answers 503: starting"
    assert error.exit_status == 1
    assert run.feed.stop() is None


@pytest.mark.setting("fleet.timeout")
def test_a_tick_has_a_limit_of_time() -> None:
    with Server(small()) as server:
        release = threading.Event()

        def hang(*_: object) -> None:
            release.wait(PATIENCE_S)

        server.answers = hang
        address = parse_source(f"prometheus:{server.url}")
        feed = FleetFeed(address, FleetSettings(timeout_s=0.1), Scope(), DEFAULTS)
        failed: queue.Queue[BaseException] = queue.Queue()
        feed.start(lambda _: None, failed.put)
        assert "not answered within 0.1s" in str(failed.get(timeout=PATIENCE_S))
        feed.stop()
        release.set()


def test_counts_that_no_number_holds_are_told(run: Run) -> None:
    run.client.fleet.rows = [replace(row, counts={200: 2**62}) for row in small().rows] * 9
    with pytest.raises(FleetError, match="too large"):
        run.feed.read()


def test_the_last_snapshot_is_final(run: Run) -> None:
    run.start()
    run.next()
    last = run.feed.stop()
    assert last is not None
    assert last.final
    assert last.endpoints


def test_a_longer_window_is_asked_for(run: Run) -> None:
    run.start()
    run.next()
    run.feed.set_window(300.0)
    while (found := run.next()).window_s != 300.0:
        pass
    assert found.covered_s == 300.0
    run.feed.set_window(10.0)
    while (found := run.next()).window_s != 10.0:
        pass
    assert found.covered_s == 60.0  # four scrapes


@pytest.mark.parametrize(("scrape_s", "pause_s"), [(1.0, 1.0), (6.0, 3.0), (60.0, 5.0)])
def test_it_asks_as_often_as_there_may_be_something_new(scrape_s: float, pause_s: float) -> None:
    fleet = small()
    fleet.scrape_s = scrape_s
    feed = FleetFeed(
        parse_source("prometheus:http://prometheus"),
        FleetSettings(),
        Scope(),
        DEFAULTS,
        client=cast("Client", FakeClient(fleet)),
    )
    published: queue.Queue[Snapshot] = queue.Queue()
    feed.start(published.put, lambda _: None)
    assert published.get(timeout=PATIENCE_S).interval_s == pause_s
    feed.stop()


def test_without_metrics_it_says_so() -> None:
    run = Run(FakeClient(Fleet()))
    run.start()
    assert run.next().notes == (
        "Prometheus has no metrics of httptop: run httptop --prometheus on hosts, "
        "and have them scraped",
    )
    run.feed.stop()


@pytest.mark.parametrize(
    "view",
    [
        {"sort": "in_flight"},
        {"sort": "max"},
        {"sort": "change"},
        {"sort": "host", "descending": False},
        {"path_filter": "users"},
        {"idle_hidden": True},
        {"side": "client"},
    ],
)
def test_any_view_shows_a_fleet(run: Run, view: dict[str, Any]) -> None:
    run.start()
    shown = scene(run.next(), View(**view))
    assert shown.fleet
    assert shown.rows
    assert shown.told_apart_by == ("host",)
    assert all(row.key.host for row in shown.rows)
