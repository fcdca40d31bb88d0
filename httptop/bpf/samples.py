"""Read samples from their ring buffer."""

from __future__ import annotations

import ctypes
import socket

from httptop.bpf.abi import LINE_HEAD, SAMPLE
from httptop.bpf.ring import Ring
from httptop.collect.source import RawSample


class SampleReader:
    """Consumes the ring buffer of samples."""

    def __init__(self, map_fd: int) -> None:
        self._records: list[bytes] = []
        self._most: int | None = None
        self._ring = Ring(map_fd, self._keep)

    def _keep(self, data: int, size: int) -> bool:
        if size >= SAMPLE.size:
            self._records.append(ctypes.string_at(data, SAMPLE.size))
        return len(self._records) != self._most

    def read(self, most: int | None = None) -> list[RawSample]:
        """Return the samples since the last call, at most ``most`` (None: all)."""
        self._most = most
        self._ring.consume()
        records, self._records = self._records, []
        return [_decode(record) for record in records]

    def close(self) -> None:
        """Unmap the ring; idempotent."""
        self._ring.close()


def _decode(record: bytes) -> RawSample:
    (
        start_ns, latency_ns, request_bytes, endpoint, pid, status, line_len, response_len, family,
        port, cut, _, _, address, line, response,
    ) = SAMPLE.unpack(record)  # fmt: skip
    return RawSample(
        start_ns,
        latency_ns,
        request_bytes,
        endpoint,
        pid,
        status,
        line[: min(LINE_HEAD, line_len)] if cut else line[:line_len],
        bool(cut),
        response[:response_len],
        _peer(family, address, port),
    )


def _peer(family: int, address: bytes, port: int) -> str | None:
    if family == socket.AF_INET:
        return f"{socket.inet_ntop(socket.AF_INET, address[:4])}:{port}"
    if family == socket.AF_INET6:
        text = socket.inet_ntop(socket.AF_INET6, address)
        return f"{text[7:]}:{port}" if text.startswith("::ffff:") else f"[{text}]:{port}"
    return None
