"""Records of samples, as user space reads them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from httptop.bpf.abi import HEAD_LEN, LINE_LEN, RESPONSE_LEN, SAMPLE
from httptop.bpf.own_pids import OwnPids
from httptop.bpf.samples import SampleReader
from httptop.collect.source import RawSample


def decode(record: bytes) -> RawSample:
    """Return a record as it is read from the ring buffer."""
    reader = object.__new__(SampleReader)
    reader._own_pids = OwnPids({})
    return reader._decode(memoryview(record))


def record(head_len: int, head: bytes) -> bytes:
    fields = (1, 2, 3, 4, 5, 200, 3, 4, 2, 80, 0, head_len, 0, b"\x7f\0\0\1", b"GET", b"HTTP")
    return SAMPLE.pack(*fields) + head


def test_a_record_holds_its_request() -> None:
    sample = decode(record(5, b"GET /"))
    assert (sample.line, sample.response, sample.head) == (b"GET", b"HTTP", b"GET /")
    assert sample.peer == "127.0.0.1:80"


def test_a_record_without_a_request() -> None:
    assert decode(record(0, b"")).head == b""


def test_no_more_is_read_than_there_is() -> None:
    assert decode(record(HEAD_LEN, b"GET /")).head == b"GET /"
    assert decode(record(3, b"GET /")).head == b"GET"


@given(st.binary(min_size=SAMPLE.size, max_size=SAMPLE.size + 2 * HEAD_LEN))
def test_any_record_is_read(data: bytes) -> None:
    sample = decode(data)
    assert len(sample.line) <= LINE_LEN
    assert len(sample.response) <= RESPONSE_LEN
    assert len(sample.head) <= len(data) - SAMPLE.size
