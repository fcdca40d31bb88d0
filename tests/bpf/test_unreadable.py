"""What cannot be read for a moment, because the kernel moves the page, is read then."""

from __future__ import annotations

from typing import Final

import pytest

from httptop.bpf.abi import LOSSES
from tests.bpf import paths
from tests.bpf.host import RECVFROM, WRITE, WRITEV, Host
from tests.bpf.interpreter.maps import ArrayMap, RingMap

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("paths")]

#: Its place in struct losses (abi.h).
_LOST_PIECES: Final = 4
_REQUEST: Final = paths.REQUEST
_RESPONSE: Final = paths.HEAD + paths.BODY


@pytest.fixture(scope="module")
def host() -> Host:
    return paths.make_host()


def _lost(host: Host) -> int:
    """Return how many calls have been lost so far."""
    found = host.machine.maps["losses"]
    assert isinstance(found, ArrayMap)
    return sum(one[_LOST_PIECES] for one in LOSSES.iter_unpack(found.values.data))


def _sampled(host: Host) -> int:
    """Return how many samples have come since the last call."""
    ring = host.machine.maps["samples"]
    assert isinstance(ring, RingMap)
    found = len(ring.records)
    ring.records.clear()
    return found


@pytest.mark.parametrize("fails", [1, 2, 3, 50, 900])
@pytest.mark.parametrize(
    ("number", "pieces"), [(WRITE, ()), (WRITEV, (len(paths.HEAD), len(paths.BODY)))]
)
def test_it_is_read_as_soon_as_it_can_be(
    host: Host, fails: int, number: int, pieces: tuple[int, ...]
) -> None:
    before = _lost(host)
    socket = host.connect()
    for _ in range(3):  # on a new connection, on a known one
        host.machine.now_ns += 10**10  # a sample may be taken
        host.machine.unreadable = fails
        host.call(socket, RECVFROM, _REQUEST)
        host.machine.unreadable = fails
        host.call(socket, number, _RESPONSE, *pieces)
        assert host.machine.unreadable == 0
        assert _sampled(host) == 1
    assert _lost(host) == before


def test_what_can_never_be_read_is_counted(host: Host) -> None:
    before = _lost(host)
    socket = host.connect()
    host.machine.unreadable = 5000
    host.call(socket, RECVFROM, _REQUEST)
    assert _lost(host) == before + 1
    host.machine.unreadable = 0
    host.call(socket, RECVFROM, _REQUEST)
    host.machine.unreadable = 5000
    host.call(socket, WRITE, _RESPONSE)
    host.machine.unreadable = 0
    assert _lost(host) == before + 2
