"""Read samples from their ring buffer."""

from __future__ import annotations

import socket

from httptop.bpf.abi import LINE_HEAD, SAMPLE
from httptop.bpf.own_pids import OwnPids
from httptop.collect.source import RawSample
from httptop.linux.ring_buffer import RingBuffer


class SampleReader:
    """Consumes the ring buffer of samples."""

    def __init__(self, map_fd: int, own_pids: OwnPids) -> None:
        """Map the ring buffer; raises :class:`OSError`."""
        self._ring = RingBuffer.of_map(map_fd)
        self._own_pids = own_pids

    def read(self, most: int | None = None) -> list[RawSample]:
        """Return the samples since the last call, at most ``most`` (None: all)."""
        samples: list[RawSample] = []
        self._ring.consume(lambda record: samples.append(self._decode(record)), most)
        return samples

    def _decode(self, record: memoryview) -> RawSample:
        (
            start_ns, latency_ns, request_bytes, endpoint, pid, status, line_len, response_len,
            family, port, cut, head_len, _, address, line, response,
        ) = SAMPLE.unpack_from(record)  # fmt: skip
        return RawSample(
            start_ns,
            latency_ns,
            request_bytes,
            endpoint,
            self._own_pids.of(pid),
            status,
            line[: min(LINE_HEAD, line_len)] if cut else line[:line_len],
            bool(cut),
            response[:response_len],
            _peer(family, address, port),
            bytes(record[SAMPLE.size : SAMPLE.size + head_len]),
        )

    def close(self) -> None:
        """Unmap the ring; idempotent."""
        self._ring.close()


def _peer(family: int, address: bytes, port: int) -> str | None:
    if family == socket.AF_INET:
        return f"{socket.inet_ntop(socket.AF_INET, address[:4])}:{port}"
    if family == socket.AF_INET6:
        text = socket.inet_ntop(socket.AF_INET6, address)
        return f"{text[7:]}:{port}" if text.startswith("::ffff:") else f"[{text}]:{port}"
    return None
