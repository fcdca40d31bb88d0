"""A head that is kept is shown with its own request only, whatever has become of its place."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

import pytest

from httptop.bpf.abi import HEAD_LEN
from httptop.collect.source import RawSample
from tests.bpf import paths
from tests.bpf.host import RECVFROM, WRITE, Host, Socket
from tests.bpf.interpreter.maps import ArrayMap, RingMap
from tests.bpf.test_samples import decode

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("paths")]

#: struct head: of, number, start_ns, length, bytes (maps.h).
_HEAD: Final = struct.Struct(f"<4Q{HEAD_LEN}s")
_REQUEST: Final = paths.LONG_REQUEST % 7


@pytest.fixture(scope="module")
def host() -> Host:
    return paths.make_host()


def _heads(host: Host) -> bytearray:
    found = host.machine.maps["heads"]
    assert isinstance(found, ArrayMap)
    return found.values.data


def _sampled(host: Host) -> RawSample | None:
    """Return the latest sample, as it is read."""
    ring = host.machine.maps["samples"]
    assert isinstance(ring, RingMap)
    if not ring.records:
        return None
    record = ring.records[-1]
    ring.records.clear()
    return decode(record)


def _ask(host: Host) -> Socket:
    """Send a request whose head is kept, once the bucket is full again."""
    host.machine.now_ns += 10**10
    _heads(host)[:] = bytes(len(_heads(host)))
    socket = host.connect()
    host.call(socket, RECVFROM, _REQUEST)
    return socket


def _answer(host: Host, socket: Socket) -> RawSample:
    host.call(socket, WRITE, paths.HEAD + paths.BODY)
    sample = _sampled(host)
    assert sample is not None
    assert sample.line == _REQUEST.split(b"\r\n")[0] + b"\r\n"
    return sample


def test_a_head_is_kept_whole(host: Host) -> None:
    assert _answer(host, _ask(host)).head == _REQUEST


def _kept(host: Host) -> int:
    """Return where the one head that is kept is."""
    found = [
        at
        for at in range(0, len(_heads(host)) - _HEAD.size + 1, _HEAD.size)
        if _HEAD.unpack_from(_heads(host), at)[0]
    ]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("member", "change"),
    [(0, lambda _: 0), (0, lambda sk: sk + 64), (1, lambda n: n + 1), (2, lambda ns: ns + 1)],
    ids=["being written", "another connection", "another request", "another time"],
)
def test_a_place_that_is_anothers_now_is_not_read(
    host: Host, member: int, change: Callable[[int], int]
) -> None:
    socket = _ask(host)
    at = _kept(host)
    values = list(_HEAD.unpack_from(_heads(host), at))
    values[member] = change(values[member])
    _HEAD.pack_into(_heads(host), at, *values)
    assert _answer(host, socket).head == b""


def test_each_head_has_a_place_of_its_own(host: Host) -> None:
    first = _ask(host)
    others = [host.connect() for _ in range(20)]
    for number, socket in enumerate(others):
        host.call(socket, RECVFROM, paths.LONG_REQUEST % number)
    assert _answer(host, first).head == _REQUEST


def test_what_has_been_overwritten_is_absent(host: Host) -> None:
    first = _ask(host)
    for number in range(300):
        host.machine.now_ns += 10**9
        host.call(host.connect(), RECVFROM, paths.LONG_REQUEST % number)
    assert _answer(host, first).head == b""
