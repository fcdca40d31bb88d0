"""Read the maps beside the counters: what cells are for, other protocols, losses."""

from __future__ import annotations

import struct
from collections.abc import Collection

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
        keys, values = self._endpoint_reader.read()
        endpoint_keys = _by_cell(keys, values, abi.ENDPOINT_KEY.size)
        keys, values = self._response_reader.read()
        response_keys = _by_cell(keys, values, abi.RESPONSE_KEY.size)
        responses = {}
        for cell in cells & response_keys.keys():
            endpoint, status, measure = abi.RESPONSE_KEY.unpack(response_keys[cell])
            responses[cell] = RawResponse(endpoint, status, Measure(abi.MEASURES[measure]))
        wanted = {*cells, *(response.endpoint for response in responses.values())}
        endpoints = {cell: _endpoint(endpoint_keys[cell]) for cell in wanted & endpoint_keys.keys()}
        return endpoints, responses

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

        Missed calls are those that the programs dismissed (others.h); the kernel may have skipped
        the programs for others (hooks.h).
        """
        _, values = bpf_syscall.BatchReader(
            self._maps["losses"], 4, abi.LOSSES.size, self._shards
        ).read(self._shards)
        sums = [sum(column) for column in zip(*abi.LOSSES.iter_unpack(values), strict=True)]
        *counted, dismissed, stood_in = sums
        return Losses(*counted)._replace(missed_calls=dismissed), stood_in


def _by_cell(keys: bytes, values: bytes, length: int) -> dict[int, memoryview]:
    """Return the key of each cell; ``values`` are their numbers."""
    view = memoryview(keys)
    ends = range(length, len(keys) + 1, length)
    cells = struct.unpack(f"<{len(values) // 4}I", values)
    return {cell: view[end - length : end] for cell, end in zip(cells, ends, strict=True)}


def _endpoint(key: memoryview) -> RawEndpoint:
    comm, side, method, version, marks, uid, path = abi.ENDPOINT_KEY.unpack(key)
    return RawEndpoint(
        side & 1,
        comm.split(b"\0")[0],
        version,
        abi.METHODS[method] if method < len(abi.METHODS) else "OTHER",
        path.rstrip(b"\0"),
        bool(marks & abi.KEY_TRUNCATED),
        None if uid == abi.NOBODY else uid,
        bool(marks & abi.KEY_OWN),
    )
