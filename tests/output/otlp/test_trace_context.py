"""Which trace a request belongs to."""

from __future__ import annotations

import pytest

from httptop.output.otlp.trace_context import TraceContext, context_of, traced
from tests.factory import request

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
VALID = f"00-{TRACE}-{PARENT}-01"


def test_trace_parent_and_flags() -> None:
    found = context_of(("Host: a", f"Traceparent: \t{VALID} "))
    assert found == TraceContext(bytes.fromhex(TRACE), bytes.fromhex(PARENT), 1)
    assert found.sampled


@pytest.mark.parametrize("version", ["01", "cc", "fe"])
def test_a_later_version_may_have_more(version: str) -> None:
    found = context_of((f"traceparent: {version}-{TRACE}-{PARENT}-03-more",))
    assert found is not None
    assert found.flags == 3


@pytest.mark.parametrize(
    "value",
    [
        "",
        "***",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}",
        f"{VALID}, {VALID}",
    ],
)
def test_what_is_not_valid_is_as_if_it_was_not_there(value: str) -> None:
    assert context_of((f"traceparent: {value}",)) is None


def test_one_that_came_twice_says_nothing() -> None:
    assert context_of((f"traceparent: {VALID}", f"traceparent: {VALID}")) is None


def test_what_nobody_records_is_left_out() -> None:
    recorded = request(1, request_head=(f"traceparent: {VALID}",))
    not_recorded = request(2, request_head=(f"traceparent: 00-{TRACE}-{PARENT}-00",))
    unknown = request(3)
    assert [one for one, _ in traced([recorded, not_recorded, unknown])] == [recorded, unknown]
