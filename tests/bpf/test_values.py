"""The values of a filter, looked up as the kernel does, mean what the filter means."""

from __future__ import annotations

import ipaddress
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.bpf.filter.conditions import Conditions, conditions_of
from httptop.bpf.filter.number_sets import normalised, packed, placed
from httptop.bpf.filter.values import Values
from httptop.config.scope import limited
from httptop.filters import Compare, Expression, comparisons
from httptop.filters.values import parse_value
from tests.bpf.tables import in_set, names_met, peers_met


def of(*parts: Expression) -> Conditions:
    return conditions_of(parts)


def one(name: str, operator: str, *texts: str) -> Compare:
    return Compare(name, operator, tuple(parse_value(name, operator, t, False) for t in texts))


SPANS = st.tuples(st.integers(0, 40), st.integers(0, 5)).map(lambda two: (two[0], sum(two)))


@given(st.lists(SPANS, max_size=12))
def test_ranges_are_in_order_with_gaps_between(ranges: list[tuple[int, int]]) -> None:
    found = normalised(ranges)
    assert {n for low, high in found for n in range(low, high + 1)} == {
        n for low, high in ranges for n in range(low, high + 1)
    }
    assert all(high + 1 < low for (_, high), (low, _) in itertools.pairwise(found))


@given(st.lists(st.lists(SPANS, min_size=1, max_size=9), min_size=1, max_size=4))
def test_numbers_are_found_in_their_own_set(sets: list[list[tuple[int, int]]]) -> None:
    found = [normalised(ranges) for ranges in sets]
    data = packed(found)
    for place, ranges in zip(placed(found), sets, strict=True):
        for value in range(50):
            met = any(low <= value <= high for low, high in ranges)
            assert in_set(data, place.first, place.half, value) == met
            if place.only is not None:
                assert (place.only[0] <= value <= place.only[1]) == met


@pytest.mark.parametrize(
    ("text", "met", "missed"),
    [
        ("pid = 7,9", {7, 9}, {0, 6, 8, 10, 2**32 - 1}),
        ("pid < 7", {0, 1, 6}, {7, 8}),
        ("pid <= 7", {1, 7}, {8}),
        ("pid > 7", {8, 2**32 - 1}, {7, 0}),
        ("pid >= 7", {7, 2**32 - 1}, {6}),
        ("pid = 5000000000", set(), {0, 5000000000 - 2**32, 2**32 - 1}),
        ("user = 65534,0", {0, 65534}, {1}),
        ("port = 80,8000-8999", {80, 8000, 8999}, {0, 79, 9000}),
        ("port < 80", {1, 79}, {0, 80}),  # of a Unix socket there is none
        ("port != 80", {80}, {0, 79, 81}),  # the C negates
        ("side = client", {1}, {0}),
        ("socket = unix", {1}, {0}),
        ("socket = tcp", {0}, {1}),
        ("connection = accepted", {1}, {0}),
        ("host = a or method = GET,PUT", {1, 4}, {0, 2, 3}),
        ("host = a or method ~ P*", {3, 4, 9}, {0, 1}),
        ("host = a or method ~ X*", set(), set(range(10))),
        ("port = 1 or status = unknown", {0}, {1, 200}),
        ("port = 1 or status = 5xx", {500, 599}, {0, 499, 600}),
        ("port = 1 or status < 400", {1, 399}, {0, 400}),  # unknown is below nothing
        ("latency >= 1ms", {10**6, 2**61}, {10**6 - 1, 0}),
        ("latency = 1us-2us,5us", {1000, 2000, 5000}, {999, 2001, 5001}),
        ("size > 0", {1, 2**61}, {0}),
        ("request_size <= 10", {0, 10}, {11}),
    ],
)
def test_operators_and_values_are_sets(text: str, met: set[int], missed: set[int]) -> None:
    values = Values()
    for leaf in (leaf for part in limited(text).kernel for leaf in comparisons(part)):
        values.add(leaf)
    place = placed(values.sets)[-1]  # the field looked at is the last one
    ranges = packed(values.sets)
    found = {n for n in met | missed if in_set(ranges, place.first, place.half, n)}
    assert found == met


def test_names_that_are_compared_whole() -> None:
    conditions = of(
        one("comm", "=", "nginx", "a*b", "x" * 15, "y" * 16), one("comm", "~", "nginx", "ng*")
    )
    for name, bits in ((b"nginx", 0b11), (b"a*b", 0b01), (b"x" * 15, 0b01), (b"ng", 0)):
        assert names_met(conditions, name) == bits
    assert len(conditions.tables["filter_names"].values) == 3  # no name has 16 characters


NETWORKS = st.one_of(
    st.builds(
        lambda number, length: f"{ipaddress.IPv4Address(number << 24 | number)}/{length}",
        st.integers(0, 7),
        st.sampled_from([0, 5, 6, 7, 8, 31, 32]),
    ),
    st.builds(
        lambda number, length: f"{ipaddress.IPv6Address(number << 120 | number)}/{length}",
        st.integers(0, 7),
        st.sampled_from([0, 5, 6, 7, 8, 96, 127, 128]),
    ),
)
ADDRESSES = [
    str(kind(number << shift | low))
    for kind, shift in ((ipaddress.IPv4Address, 24), (ipaddress.IPv6Address, 120))
    for number in range(8)
    for low in (number, number ^ 1, 9)
]


@given(st.lists(st.lists(NETWORKS, min_size=1, max_size=4), min_size=1, max_size=4))
def test_an_address_meets_every_network_that_it_lies_in(networks: list[list[str]]) -> None:
    conditions = of(*(one("peer", "=", *some) for some in networks))
    for address in ADDRESSES:
        met = peers_met(conditions, address)
        for number, some in enumerate(networks):
            inside = any(
                ipaddress.ip_address(address) in ipaddress.ip_network(text, strict=False)
                for text in some
            )
            assert met >> number & 1 == inside
