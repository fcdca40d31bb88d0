"""Reports of a fleet: rates over time are those of its hosts, whose counts begin when they like."""

from __future__ import annotations

from typing import cast

import pytest

from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS
from httptop.config.settings import Fleet as FleetSettings
from httptop.fleet.address import parse_source
from httptop.fleet.client import Client
from httptop.fleet.feed import FleetFeed
from httptop.report.html import to_html
from tests.fleet.fake import FakeClient, small
from tests.report.of import report_of


def test_what_hosts_counted_before_is_not_of_the_report() -> None:
    fleet = small()
    feed = FleetFeed(
        parse_source("prometheus:http://x"),
        FleetSettings(),
        Scope(),
        DEFAULTS,
        client=cast("Client", FakeClient(fleet)),
    )
    first = feed.read()
    fleet.now += 15
    report = report_of(first, feed.read())
    assert sum(one.sides["server"].requests for one in report.stretches) == pytest.approx(
        15 * 30.7, rel=0.02
    )
    page = "".join(to_html(report))
    assert "<dt>mean rate</dt><dd>-/s</dd>" in page
    assert "3,023" in page
