"""The limits of a run: which the kernel applies, which the collector, which are refused."""

from __future__ import annotations

import pytest

from httptop.config.load import build
from httptop.config.scope import Scope, scope_of
from httptop.errors import UsageError
from tests.factory import key


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
    assert some.describe() == (
        "comm ~ ngi*",
        "method = GET",
        'path ~ "/users/*","/b"',
        "status = 4xx,500",
    )


def test_unknown_is_the_status_of_no_response() -> None:
    assert scope(status=("unknown",)).admits(key(), 0)
    assert not scope(status=("unknown",)).admits(key(), 200)


def test_side() -> None:
    client = scope(side="client")
    assert client.sides == {"client"}
    assert client.admits_key(key(side="client"))
    assert not client.admits_key(key())
    assert client.describe() == ("side = client",)


def test_an_expression_is_split() -> None:
    some = scope(
        expression="pid = 1-3 and port = 80 and latency >= 10ms and (comm = a or status = 404)",
        pids=(2, 3, 4),
    )
    assert some.described() == (
        ("pid = 2,3,4", True),
        ("pid = 1-3", True),
        ("port = 80", True),
        ("latency >= 10ms", True),
        ("comm = a or status = 404", False),
    )
    assert some.by_status
    assert some.admits_key(key(process="b"))
    assert some.admits(key(process="b"), 404)
    assert not some.admits(key(process="b"), 200)
    assert some.admits(key(process="a"), 200)


def test_a_process_name_is_asked_for_in_the_kernel_and_checked_again() -> None:
    some = scope(names=("ngi*",))
    assert some.described() == (("comm ~ ngi*", True),)
    assert not some.admits_key(key(process="python"))


@pytest.mark.parametrize(
    ("expression", "part"),
    [
        ("path = /a or pid = 1", "'path' and 'pid'"),
        ("not (path = /a and size > 1KiB)", "'path' and 'size'"),
        ("proto = 1.0 or host = a", "'proto' and 'host'"),
        ("in_flight > 1", "'in_flight'"),
        ("host ~ /a.c/", "no regular expression"),
    ],
)
def test_refuses_what_cannot_be_counted_exactly(expression: str, part: str) -> None:
    with pytest.raises(UsageError, match="column") as caught:
        scope(expression=expression)
    assert part in str(caught.value)
