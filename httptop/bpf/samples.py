"""Read samples from the ring buffer, with the ring buffer code of BCC's own small library."""

from __future__ import annotations

import ctypes
import socket
from typing import Final

from httptop.bpf.find_bcc import find_library
from httptop.bpf.layout import LINE_HEAD, SAMPLE
from httptop.readings import RawSample

LIBRARY: Final = "libbcc_bpf.so.0"

_CALLBACK: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class SampleReader:
    """Consumes the ring buffer of samples."""

    def __init__(self, map_fd: int) -> None:
        self._library = ctypes.CDLL(str(find_library(name=LIBRARY) or LIBRARY), use_errno=True)
        self._library.bpf_new_ringbuf.restype = ctypes.c_void_p
        self._library.bpf_new_ringbuf.argtypes = [ctypes.c_int, _CALLBACK, ctypes.c_void_p]
        self._library.bpf_consume_ringbuf.argtypes = [ctypes.c_void_p]
        self._library.bpf_free_ringbuf.argtypes = [ctypes.c_void_p]
        self._records: list[bytes] = []
        self._most: int | None = None
        self._callback = _CALLBACK(self._keep)  # must live as long as the ring
        self._ring = self._library.bpf_new_ringbuf(map_fd, self._callback, None)
        if not self._ring:
            raise OSError(ctypes.get_errno(), "cannot map the ring buffer of samples")

    def _keep(self, _context: int | None, data: int, size: int) -> int:
        if size >= SAMPLE.size:
            self._records.append(ctypes.string_at(data, SAMPLE.size))
        return -1 if len(self._records) == self._most else 0  # below 0: enough

    def read(self, most: int | None = None) -> list[RawSample]:
        """Return the samples that have come since the last call, at most so many."""
        self._most = most
        self._library.bpf_consume_ringbuf(self._ring)
        records, self._records = self._records, []
        return [_decode(record) for record in records]

    def close(self) -> None:
        """Unmap the ring; idempotent."""
        if self._ring:
            self._library.bpf_free_ringbuf(self._ring)
            self._ring = None


def _decode(record: bytes) -> RawSample:
    (
        start_ns, latency_ns, request_bytes, endpoint, pid, status, line_len, answer_len, family,
        port, cut, _, _, address, line, answer,
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
        answer[:answer_len],
        _peer(family, address, port),
    )


def _peer(family: int, address: bytes, port: int) -> str | None:
    if family == socket.AF_INET:
        return f"{socket.inet_ntop(socket.AF_INET, address[:4])}:{port}"
    if family == socket.AF_INET6:
        text = socket.inet_ntop(socket.AF_INET6, address)
        return f"{text[7:]}:{port}" if text.startswith("::ffff:") else f"[{text}]:{port}"
    return None
