"""Read the maps beside the counters: what cells are for, other protocols, losses."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator

from httptop.bpf import abi
from httptop.bpf.own_pids import OwnPids
from httptop.collect.measure import Measure
from httptop.collect.source import Losses, RawEndpoint, RawResponse
from httptop.linux import bpf_syscall


class MapReader:
    """Reads maps whole, in batches.

    For the collector's thread alone; every method raises :class:`OSError` if the kernel refuses.
    """

    def __init__(self, maps: dict[str, int], shards: int, own_pids: OwnPids) -> None:
        self._maps, self._shards = maps, shards
        self._endpoint_reader = bpf_syscall.BatchReader(
            maps["endpoints"], abi.ENDPOINT_KEY.size, 4, 1024
        )
        self._response_reader = bpf_syscall.BatchReader(
            maps["responses"], abi.RESPONSE_KEY.size, 4, 1024
        )
        self._other_reader = bpf_syscall.BatchReader(
            maps["other_protocols"], abi.OTHER_PROTOCOL_KEY.size, 8, 256
        )
        self._own_pids = own_pids

    def names(
        self, cells: Collection[int]
    ) -> tuple[dict[int, RawEndpoint], dict[int, RawResponse]]:
        """Return what cells count: those of requests, those of responses; see Source."""
        wanted = set(cells)
        responses = {}
        endpoint_keys = self._endpoint_reader.read()
        for cell, key in _of_cells(wanted, *self._response_reader.read(), abi.RESPONSE_KEY.size):
            endpoint, status, measure = abi.RESPONSE_KEY.unpack(key)
            responses[cell] = RawResponse(endpoint, status, Measure(abi.MEASURES[measure]))
        wanted.update(response.endpoint for response in responses.values())
        found = _of_cells(wanted, *endpoint_keys, abi.ENDPOINT_KEY.size)
        return {cell: _endpoint(key) for cell, key in found}, responses

    def other_protocols(self) -> list[tuple[int, str, int]]:
        """Return (pid, protocol, connections since start whose first bytes were of it).

        Processes without an id here are left out.
        """
        keys, values = self._other_reader.read()
        known = list(abi.OTHER_PROTOCOL_KEY.iter_unpack(keys))
        own = self._own_pids.of_each({pid for pid, _ in known})
        return [
            (own[pid], abi.OTHER_PROTOCOLS[kind], count)
            for (pid, kind), (count,) in zip(known, struct.iter_unpack("<Q", values), strict=True)
            if pid in own
        ]

    def losses(self) -> tuple[Losses, int]:
        """Return what was missed since start, and how often a program stood in for another.

        Missed calls are those that the programs know of (abi.h); the kernel may have skipped
        the programs for others (hooks.h).
        """
        _, values = bpf_syscall.BatchReader(
            self._maps["losses"], 4, abi.LOSSES.size, self._shards
        ).read(self._shards)
        sums = [sum(column) for column in zip(*abi.LOSSES.iter_unpack(values), strict=True)]
        *counted, stood_in = sums
        return Losses(*counted), stood_in


def _of_cells(
    wanted: Collection[int], keys: bytes, values: bytes, length: int
) -> Iterator[tuple[int, bytes]]:
    """Yield (cell, key) of those wanted; ``values`` are the numbers of the keys' cells."""
    for at, (cell,) in enumerate(struct.iter_unpack("<I", values)):
        if cell in wanted:
            yield cell, keys[at * length : (at + 1) * length]


def _endpoint(key: bytes) -> RawEndpoint:
    comm, side, method, version, marks, uid, port, path = abi.ENDPOINT_KEY.unpack(key)
    return RawEndpoint(
        side & 1,
        comm.split(b"\0")[0],
        version,
        abi.METHODS[method] if method < len(abi.METHODS) else "OTHER",
        path.rstrip(b"\0"),
        bool(marks & abi.KEY_TRUNCATED),
        None if uid == abi.NOBODY else uid,
        bool(marks & abi.KEY_OWN),
        port,
    )
