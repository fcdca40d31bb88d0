"""A fleet to be drawn: a snapshot that a reader has made of a made-up server's answers."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS
from httptop.config.settings import Fleet as FleetSettings
from httptop.fleet.address import parse_source
from httptop.fleet.client import Client
from httptop.fleet.feed import FleetFeed
from httptop.model import Snapshot
from tests.factory import OVERHEAD
from tests.fleet.fake import NOW, FakeClient, Fleet, Row, key

_ROUTES = ("/", "/api/orders/{id}", "/api/users/{id}", "/login", "/static/*")


def fleet() -> Snapshot:
    """Return the snapshot of a tick of four hosts, of which one is down since the tick before."""
    hosts = [f"web-{at}.example:9742" for at in range(1, 4)] + ["db-1.example:9742"]
    rows = [
        Row(
            key(host, path),
            {200: 1000 * at + 70 * n, **({503: 4 * at} if n == 2 else {})},
            {200: 20.0 * at + n, **({503: 1.0 * at} if n == 2 else {})},
            request_bytes=300_000,
            response_bytes=4_000_000 * at,
            in_flight=n,
            buckets=(20.0 * at, 4.0, n, 0.1 * n, 0.0, 0.0),
            seconds=0.05 * at,
        )
        for at, host in enumerate(hosts, start=1)
        for n, path in enumerate(_ROUTES)
    ]
    own = {host: {"httptop_cpu_ratio": 0.012} for host in hosts}
    own[hosts[0]]["httptop_missed_calls_total"] = 12.0
    made = Fleet(rows, dict.fromkeys(hosts, NOW - 4), own=own)
    feed = FleetFeed(
        parse_source("prometheus:http://prometheus:9090"),
        FleetSettings(),
        Scope(),
        replace(DEFAULTS, general=replace(DEFAULTS.general, window_s=10.0)),
        pace_s=1.0,
        client=cast("Client", FakeClient(made)),
        clock=lambda: 0.0,
    )
    feed.read()
    made.now += 15
    made.hosts = dict.fromkeys(hosts[:3], made.now - 4)
    return replace(feed.read(), overhead=OVERHEAD)
