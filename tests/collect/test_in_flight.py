"""The requests in flight: who has the other end of a connection."""

from __future__ import annotations

from typing import Any

import pytest

from httptop.collect.in_flight import in_flight_of
from httptop.collect.source import RawInFlight
from httptop.model import MOST_IN_FLIGHT, UNIX_PEER, EndpointKey, RequestInFlight
from tests.factory import key

SERVER, CLIENT = key("/hang", process="shop"), key("/hang", process="curl", side="client")
OTHER = key("/hang", process="wget", side="client")
KEYS = {1: SERVER, 2: CLIENT, 3: key("/other", process="curl", side="client"), 4: OTHER}
SERVES = RawInFlight(1, 2_000, 10, "127.0.0.1", (80, 40_000))
CALLS = RawInFlight(2, 1_000, 20, "127.0.0.1", (80, 40_000))


def found(*raw: RawInFlight) -> tuple[RequestInFlight, ...]:
    keys: dict[int, EndpointKey] = KEYS
    return in_flight_of(raw, 3e9, lambda cell: cell, keys.get).requests


def test_both_ends_are_known_to_each_other() -> None:
    client, server = found(SERVES, CALLS)
    assert (server.key.process, server.peer_process, server.peer_pid) == ("shop", "curl", 20)
    assert (client.key.process, client.peer_process, client.peer_pid) == ("curl", "shop", 10)


@pytest.mark.parametrize(
    ("serves", "calls"),
    [
        ({"peer": "::1"}, {"peer": "::1"}),
        ({"peer": "127.0.0.9"}, {"peer": "127.0.0.1"}),
        ({"peer": "192.0.2.1"}, {"peer": "192.0.2.1"}),  # its own address
        ({}, {"start_ns": 40_000_000}),  # the send was seen late
    ],
)
def test_ends_on_this_host(serves: dict[str, Any], calls: dict[str, Any]) -> None:
    one, other = SERVES._replace(**serves), CALLS._replace(**calls)
    assert all(each.peer_pid for each in found(one, other))


@pytest.mark.parametrize(
    ("serves", "calls"),
    [
        ({}, {"ports": (80, 40_001)}),
        ({}, {"ports": None}),
        ({"ports": None, "peer": UNIX_PEER}, {"ports": None, "peer": UNIX_PEER}),
        ({"peer": "192.0.2.7"}, {}),  # a client of another host
        ({}, {"endpoint": 3}),  # another request
        ({}, {"endpoint": 1}),  # two servers
        ({}, {"start_ns": 99_000_000}),  # it was read before
    ],
)
def test_nothing_is_guessed(serves: dict[str, Any], calls: dict[str, Any]) -> None:
    one, other = SERVES._replace(**serves), CALLS._replace(**calls)
    assert {(each.peer_process, each.peer_pid) for each in found(one, other)} == {("", None)}


def test_two_that_answer_to_it_are_none() -> None:
    """As in two containers, each with a loopback interface of its own."""
    server = found(SERVES, CALLS, CALLS._replace(endpoint=4, pid=21))[-1]
    assert (server.key, server.peer_process) == (SERVER, "")


def test_a_process_without_an_id_here_has_a_name() -> None:
    server = found(SERVES, CALLS._replace(pid=0))[-1]
    assert (server.peer_process, server.peer_pid) == ("curl", None)


def test_the_oldest_are_held_and_that_there_are_more_is_known() -> None:
    raw = [SERVES._replace(start_ns=n, ports=None) for n in range(MOST_IN_FLIGHT + 1)]
    for some, cut in ((raw, True), (raw[1:], False)):
        held = in_flight_of(some, 3e9, lambda cell: cell, KEYS.get)
        assert (len(held.requests), held.cut) == (MOST_IN_FLIGHT, cut)
        assert held.requests[0].age_ns == 3e9 - some[0].start_ns
