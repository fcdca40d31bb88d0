"""Read ring buffers, with the ring buffer code of BCC's own small library."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Final

from httptop.bpf.build.find_bcc import find_library

LIBRARY: Final = "libbcc_bpf.so.0"

_CALLBACK: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class Ring:
    """Consumes a ring buffer."""

    def __init__(self, map_fd: int, take: Callable[[int, int], bool]) -> None:
        """Map the ring buffer; raises :class:`OSError`.

        ``take`` gets each record's address, valid during the call, and its size in bytes. It
        returns whether to continue with the next record.
        """
        self._library = ctypes.CDLL(str(find_library(name=LIBRARY) or LIBRARY), use_errno=True)
        self._library.bpf_new_ringbuf.restype = ctypes.c_void_p
        self._library.bpf_new_ringbuf.argtypes = [ctypes.c_int, _CALLBACK, ctypes.c_void_p]
        self._library.bpf_consume_ringbuf.argtypes = [ctypes.c_void_p]
        self._library.bpf_free_ringbuf.argtypes = [ctypes.c_void_p]
        self._take = take
        self._error: BaseException | None = None
        self._callback = _CALLBACK(self._one)  # must live as long as the ring
        self._ring = self._library.bpf_new_ringbuf(map_fd, self._callback, None)
        if not self._ring:
            raise OSError(ctypes.get_errno(), "cannot map a ring buffer")

    def _one(self, _context: int | None, data: int, size: int) -> int:
        try:
            return 0 if self._take(data, size) else -1
        except BaseException as error:  # noqa: BLE001 - it cannot pass through the C code
            self._error = error
            return -1

    def consume(self) -> None:
        """Pass the present records to ``take`` until it returns False; raise what it raises."""
        self._library.bpf_consume_ringbuf(self._ring)
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def close(self) -> None:
        """Unmap the ring; idempotent."""
        if self._ring:
            self._library.bpf_free_ringbuf(self._ring)
            self._ring = None
