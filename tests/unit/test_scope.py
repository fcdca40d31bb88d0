"""The limits of a run: what is the kernel's, what the collector's, what is refused."""

from __future__ import annotations

import pytest

from httptop.config import build
from httptop.errors import UsageError
from httptop.literals import StatusRange
from httptop.scope import Scope, scope_of
from tests.unit.samples import key


def scope(**values: object) -> Scope:
    sections = {
        "expression": "filter.expression",
        "pids": "filter.process.pids",
        "names": "filter.process.names",
        "ports": "filter.network.ports",
        "methods": "filter.http.methods",
        "paths": "filter.http.paths",
        "status": "filter.http.status",
        "min_latency": "filter.http.min_latency",
        "side": "filter.events.side",
    }
    return scope_of(build({sections[name]: value for name, value in values.items()}).filter)


def test_no_limits_admit_everything() -> None:
    assert scope().everything
    assert scope().admits(key(), 0)
    assert scope().describe() == ()


def test_plain_limits() -> None:
    some = scope(names=("ngi*",), methods=("GET",), paths=("/users/*", "/b"), status=("4xx", "500"))
    assert some.by_status
    assert some.admits(key(), 404)
    assert some.admits(key("/b"), 500)
    assert not some.admits(key("/c"), 404)
    assert not some.admits(key(), 501)
    assert not some.admits(key(), 0)
    assert not some.admits(key(method="POST"), 404)
    assert not some.admits(key(process="python"), 404)
    assert some.admits_key(key())
    assert not some.admits_status(200)
    assert some.describe() == (
        "comm ~ ngi*",
        "method = GET",
        "path ~ /users/*,/b",
        "status = 400-499,500",
    )


def test_unknown_is_the_status_of_no_answer() -> None:
    assert scope(status=("unknown",)).statuses == (StatusRange(0, 0),)
    assert scope(status=("unknown",)).admits(key(), 0)


def test_side() -> None:
    client = scope(side="client")
    assert client.admits_key(key(side="client"))
    assert not client.admits_key(key())
    assert client.describe() == ("side = client",)


def test_an_expression_is_split() -> None:
    some = scope(
        expression="pid = 1-3 and port = 80 and latency >= 10ms and (comm = a or status = 404)",
        pids=(2, 3, 4),
    )
    assert some.pids == {2, 3}
    assert some.ports == {80}
    assert some.min_latency_ns == 10_000_000
    assert str(some.expression) == "comm = a or status = 404"
    assert some.by_status
    assert some.admits_key(key(process="b"))
    assert some.admits(key(process="b"), 404)
    assert not some.admits(key(process="b"), 200)
    assert some.admits(key(process="a"), 200)
    assert some.admits_status(200)


def test_more_than_is_one_nanosecond_above() -> None:
    assert scope(expression="latency > 10ms").min_latency_ns == 10_000_001


@pytest.mark.parametrize(
    ("expression", "part"),
    [
        ("host = a", "'host'"),
        ("comm = a and peer = 10.0.0.0/8", "'peer'"),
        ("size > 1KiB", "'size'"),
        ("container = x", "'container'"),
        ("in_flight > 1", "'in_flight'"),
        ("latency < 10ms", "'latency'"),
        ("latency >= 10ms or comm = a", "'latency'"),
        ("not pid = 1", "'pid'"),
        ("pid != 1", "'pid'"),
        ("pid > 1", "'pid'"),
        ("port = 80 or port = 81", "'port'"),
        ("port = 1-65535", "at most"),
        ("pid = 1 and pid = 2", "no pid is left"),
    ],
)
def test_refuses_what_cannot_be_counted_exactly(expression: str, part: str) -> None:
    with pytest.raises(UsageError, match="column") as caught:
        scope(expression=expression)
    assert part in str(caught.value)
