"""Read the requests in flight from the kernel's connections; only where somebody asks for them."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Mapping
from itertools import compress
from typing import Final, NamedTuple

from httptop.bpf.own_pids import OwnPids
from httptop.bpf.parties import address_of
from httptop.collect.source import RawInFlight
from httptop.linux import bpf_syscall
from httptop.linux.stretches import give_way

#: What is read of a connection (struct conn): tgid, pending, start_ns, port, current, of `who` the
#: family and the address, and client_port. A request that is queued on one, and its key.
CONN: Final = struct.Struct("<48xIH10xQ54xH8xI284xI4x16sI")
QUEUED: Final = struct.Struct("<3QI4x")
QUEUE_KEY: Final = struct.Struct("<QQ")
_PENDING_AT: Final = struct.calcsize("<48xI")  # in CONN
#: Connections, or requests, that are read at a time.
_AT_ONCE: Final = 256


class _Of(NamedTuple):
    """Whose a connection is."""

    tgid: int
    family: int
    address: bytes
    ports: tuple[int, int]  # the server's and the client's


class InFlightReader:
    """Reads connections and the queues of pipelined requests.

    For the collector's thread alone; it takes no memory until something is read.
    """

    def __init__(self, maps: Mapping[str, int], own_pids: OwnPids) -> None:
        self._maps, self._own_pids = maps, own_pids
        self._read_ns = 0  # when something was read last

    def read(self) -> tuple[list[RawInFlight], int]:
        """Return the requests in flight, in no order, and when the last of them had been read.

        Raises :class:`OSError`.
        """
        found: list[tuple[int, int, _Of]] = []
        several: dict[int, _Of] = {}  # connections with more than one, by their keys
        size = bpf_syscall.map_info(self._maps["conns"])[3]
        for keys, conns in self._batches("conns", 8, size):
            # Most connections of a busy host have none: they cost a step of C each.
            counts = memoryview(conns).cast("H")[_PENDING_AT // 2 :: size // 2].tolist()
            for at in compress(range(len(counts)), counts):
                tgid, pending, start_ns, port, current, family, address, client_port = (
                    CONN.unpack_from(conns, at * size)
                )
                of = _Of(tgid, family, address, (port, client_port))
                found.append((current, start_ns, of))
                if pending > 1:
                    several[int.from_bytes(keys[at * 8 : at * 8 + 8], "little")] = of
        if several:
            for places, queue in self._batches("queue", QUEUE_KEY.size, QUEUED.size):
                entries = zip(QUEUE_KEY.iter_unpack(places), QUEUED.iter_unpack(queue), strict=True)
                for (conn, _), (start_ns, _, _, endpoint) in entries:
                    if (of_queue := several.get(conn)) is not None:
                        found.append((endpoint, start_ns, of_queue))
        read_ns = self._read_ns
        own = self._own_pids.of_each({of.tgid for _, _, of in found})
        requests = [
            RawInFlight(
                cell,
                start_ns,
                own.get(of.tgid, 0),
                address_of(of.family, of.address),
                of.ports if all(of.ports) else None,
            )
            for cell, start_ns, of in found
        ]
        return requests, read_ns

    def _batches(self, name: str, key_len: int, value_len: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values of a map, some at a time, each concatenated."""
        reader = bpf_syscall.BatchReader(self._maps[name], key_len, value_len, _AT_ONCE)
        for keys, values in reader.batches():
            self._read_ns = time.monotonic_ns()
            give_way()
            yield bytes(keys), bytes(values)
