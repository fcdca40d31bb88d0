"""Call the few commands of bpf(2) that httptop needs, directly and without a library.

The layouts are those of ``union bpf_attr`` (include/uapi/linux/bpf.h), which only grows. Every
function raises OSError with the kernel's errno. The module imports very little, so that the helper,
which uses it, stays small.
"""

from __future__ import annotations

import ctypes
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# No Final here: importing typing would double what the helper imports.
_MACHINE = os.uname().machine
_NUMBER = {"x86_64": 321}.get(_MACHINE)

_MAP_CREATE, _MAP_LOOKUP, _MAP_UPDATE, _MAP_DELETE, _MAP_NEXT_KEY = range(5)
_PROG_LOAD = 5
_PROG_TEST_RUN = 10
_OBJ_GET_INFO = 15
_BTF_LOAD = 18
_PROG_GET_FD_BY_ID = 13
_MAP_GET_FD_BY_ID = 14
_RAW_TRACEPOINT_OPEN = 17
_MAP_FREEZE = 22
_MAP_LOOKUP_BATCH = 24
_MAP_UPDATE_BATCH = 26
_ENABLE_STATS = 32

#: A kind of map whose values belong to tasks, and a flag of maps that it needs.
TASK_STORAGE, NO_PREALLOC = 29, 1

#: A flag of descriptors of maps.
_FOR_READING = 1 << 3

_ATTR_LEN = 144
_FUNC_INFO_LEN = 8

_libc = ctypes.CDLL(None, use_errno=True)


def bpf(command: int, attr: bytearray) -> int:
    """Call bpf(2) and return its result; the kernel reads and writes ``attr``."""
    if _NUMBER is None:
        raise OSError(38, f"httptop does not know the number of bpf(2) on {_MACHINE}")
    if len(attr) < _ATTR_LEN:
        attr.extend(bytes(_ATTR_LEN - len(attr)))
    buffer = (ctypes.c_char * len(attr)).from_buffer(attr)
    result = _libc.syscall(_NUMBER, command, ctypes.byref(buffer), len(attr))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(result)


def prog_load(
    kind: int,
    instructions_at: int,
    instructions: int,
    name: str,
    *,
    log: ctypes.Array[ctypes.c_char] | None = None,
    log_level: int = 1,
    btf_fd: int | None = None,
    functions: bytes = b"",
) -> int:
    """Load a program from instructions at an address; return its descriptor.

    ``instructions`` is their number. The verifier writes to ``log``; ``log_level``: 1 for
    everything it examined, 4 for its statistics only. ``functions``: struct bpf_func_info for each
    function of the program, with types of ``btf_fd``.
    """
    licence = ctypes.create_string_buffer(b"GPL")
    attr = bytearray(_ATTR_LEN)
    log_at = (log_level, len(log), ctypes.addressof(log)) if log is not None else (0, 0, 0)
    struct.pack_into(
        "<IIQQIIQ", attr, 0, kind, instructions, instructions_at, ctypes.addressof(licence), *log_at
    )
    attr[48:63] = name.encode()[:15].ljust(15, b"\0")
    records = ctypes.create_string_buffer(functions, len(functions) or 1)
    if btf_fd is not None:
        count = len(functions) // _FUNC_INFO_LEN
        struct.pack_into(
            "<IIQI", attr, 72, btf_fd, _FUNC_INFO_LEN, ctypes.addressof(records), count
        )
    return bpf(_PROG_LOAD, attr)


def btf_load(blob: bytes) -> int:
    """Give the kernel types that programs may refer to; return their descriptor."""
    types = ctypes.create_string_buffer(blob, len(blob))
    descriptor = bpf(
        _BTF_LOAD, bytearray(struct.pack("<QQI", ctypes.addressof(types), 0, len(blob)))
    )
    os.set_inheritable(descriptor, False)
    return descriptor


def raw_tracepoint_open(prog_fd: int, name: str) -> int:
    """Attach a program to a tracepoint; return the link's descriptor."""
    text = ctypes.create_string_buffer(name.encode())
    attr = bytearray(struct.pack("<QI", ctypes.addressof(text), prog_fd))
    return bpf(_RAW_TRACEPOINT_OPEN, attr)


def run_program(prog_fd: int, data: bytes, repeat: int = 1) -> int:
    """Run a program on ``data``, ``repeat`` times; return its last return value."""
    buffer = ctypes.create_string_buffer(data, len(data))
    attr = bytearray(
        struct.pack("<IIIIQQII", prog_fd, 0, len(data), 0, ctypes.addressof(buffer), 0, repeat, 0)
    )
    bpf(_PROG_TEST_RUN, attr)
    return int(struct.unpack_from("<I", attr, 4)[0])


def run_raw_tracepoint(prog_fd: int, *arguments: int) -> int:
    """Run a raw tracepoint program once with these arguments; return its return value."""
    context = ctypes.create_string_buffer(struct.pack(f"<{len(arguments)}Q", *arguments))
    attr = bytearray(_ATTR_LEN)
    struct.pack_into("<I", attr, 0, prog_fd)
    struct.pack_into("<IIQQ", attr, 40, 8 * len(arguments), 0, ctypes.addressof(context), 0)
    bpf(_PROG_TEST_RUN, attr)
    return int(struct.unpack_from("<i", attr, 4)[0])


def map_create(
    name: str,
    kind: int,
    key_len: int,
    value_len: int,
    entries: int,
    flags: int,
    types: tuple[int, int, int] | None = None,
) -> int:
    """Create a map; return its descriptor, which programs started later do not inherit.

    ``types``: a descriptor of types, and in it the numbers of the key's and of the value's.
    """
    attr = bytearray(struct.pack("<5I", kind, key_len, value_len, entries, flags))
    attr += bytes(8) + name.encode()[:15].ljust(16, b"\0")
    if types is not None:
        attr += struct.pack("<4I", 0, *types)
    descriptor = bpf(_MAP_CREATE, attr)
    os.set_inheritable(descriptor, False)
    return descriptor


def map_info(map_fd: int) -> tuple[str, int, int, int, int, int]:
    """Return a map's name, kind, key length, value length, number of entries and flags."""
    info = _info(map_fd, 80)
    kind, _, key_len, value_len, entries, flags, name = struct.unpack_from("<6I16s", info)
    return name.partition(b"\0")[0].decode(), kind, key_len, value_len, entries, flags


def _info(descriptor: int, length: int) -> bytes:
    """Return the first bytes of what the kernel tells of a map or program."""
    info = ctypes.create_string_buffer(length)
    bpf(_OBJ_GET_INFO, bytearray(struct.pack("<IIQ", descriptor, length, ctypes.addressof(info))))
    return info.raw


def number_of(descriptor: int) -> int:
    """Return the number by which the kernel knows a map or program."""
    return int(struct.unpack_from("<I", _info(descriptor, 8), 4)[0])


def map_for_reading(map_fd: int) -> int:
    """Return another descriptor of a map, which cannot write it; needs CAP_SYS_ADMIN."""
    return map_by_number(number_of(map_fd))


def map_by_number(number: int) -> int:
    """Return a descriptor of the map with that number, for reading; needs CAP_SYS_ADMIN."""
    descriptor = bpf(_MAP_GET_FD_BY_ID, bytearray(struct.pack("<III", number, 0, _FOR_READING)))
    os.set_inheritable(descriptor, False)
    return descriptor


def map_lookup(map_fd: int, key: bytes, value_len: int) -> bytes | None:
    """Return the value of ``key``, of a queue its next value; None if there is none."""
    key_buffer = ctypes.create_string_buffer(key, len(key))
    key_at = ctypes.addressof(key_buffer) if key else 0  # a queue has no keys
    value = ctypes.create_string_buffer(value_len)
    attr = bytearray(struct.pack("<IIQQQ", map_fd, 0, key_at, ctypes.addressof(value), 0))
    try:
        bpf(_MAP_LOOKUP, attr)
    except FileNotFoundError:
        return None
    return value.raw


def map_update(map_fd: int, key: bytes, value: bytes, flags: int = 0) -> None:
    """Set ``key`` to ``value``; of a queue, which has no keys, append it."""
    key_buffer = ctypes.create_string_buffer(key, len(key))
    value_buffer = ctypes.create_string_buffer(value, len(value))
    bpf(
        _MAP_UPDATE,
        bytearray(
            struct.pack(
                "<IIQQQ",
                map_fd,
                0,
                ctypes.addressof(key_buffer) if key else 0,
                ctypes.addressof(value_buffer),
                flags,
            )
        ),
    )


def map_update_array(map_fd: int, entries: int, values: bytes) -> None:
    """Set the first entries of an array to these values, one after the other in one call."""
    keys = (ctypes.c_uint32 * entries)(*range(entries))
    held = ctypes.create_string_buffer(values, len(values))
    keys_at, values_at = ctypes.addressof(keys), ctypes.addressof(held)
    attr = struct.pack("<QQQQIIQQ", 0, 0, keys_at, values_at, entries, map_fd, 0, 0)
    bpf(_MAP_UPDATE_BATCH, bytearray(attr))


def map_freeze(map_fd: int) -> None:
    """Have nobody write to a map any more by way of the system call."""
    bpf(_MAP_FREEZE, bytearray(struct.pack("<I", map_fd)))


def map_delete(map_fd: int, key: bytes) -> None:
    """Delete an entry of a map, if it exists."""
    held = ctypes.create_string_buffer(key, len(key))
    attr = bytearray(struct.pack("<IIQQQ", map_fd, 0, ctypes.addressof(held), 0, 0))
    try:
        bpf(_MAP_DELETE, attr)
    except FileNotFoundError:
        return


def map_keys(map_fd: int, key_len: int) -> Iterator[bytes]:
    """Yield the keys of a map, which must not change meanwhile."""
    now, following = bytes(0), ctypes.create_string_buffer(key_len)
    while True:
        held = ctypes.create_string_buffer(now, key_len)
        at = ctypes.addressof(held) if now else 0  # none: the first
        attr = struct.pack("<IIQQQ", map_fd, 0, at, ctypes.addressof(following), 0)
        try:
            bpf(_MAP_NEXT_KEY, bytearray(attr))
        except FileNotFoundError:
            return
        now = following.raw
        yield now


class BatchReader:
    """Reads a map's whole contents, many entries in each call, into buffers that it keeps."""

    def __init__(self, map_fd: int, key_len: int, value_len: int, batch: int = 4096) -> None:
        self._map_fd, self._key_len, self._value_len, self._batch = (
            map_fd,
            key_len,
            value_len,
            batch,
        )
        self._keys = ctypes.create_string_buffer(batch * key_len)
        self._values = ctypes.create_string_buffer(batch * value_len)
        self._cursor = ctypes.create_string_buffer(max(8, key_len))

    def read(self, limit: int | None = None) -> tuple[bytes, bytes]:
        """Return all keys and all values, each concatenated; of an array only ``limit`` entries."""
        keys, values = bytearray(), bytearray()
        for some_keys, some_values in self.batches(limit):
            keys += some_keys
            values += some_values
        return bytes(keys), bytes(values)

    def batches(self, limit: int | None = None) -> Iterator[tuple[memoryview, memoryview]]:
        """Yield the same piece by piece; each lasts until the next."""
        started = done = False
        while not done and (limit is None or limit > 0):
            count = self._batch if limit is None else min(self._batch, limit)
            at = ctypes.addressof(self._cursor)
            attr = bytearray(
                struct.pack(
                    "<QQQQIIQQ",
                    at if started else 0,
                    at,
                    ctypes.addressof(self._keys),
                    ctypes.addressof(self._values),
                    count,
                    self._map_fd,
                    0,
                    0,
                )
            )
            try:
                bpf(_MAP_LOOKUP_BATCH, attr)
            except FileNotFoundError:  # ENOENT: this was the last batch
                done = True
            except OSError as error:
                if error.errno != 28 or count >= 1 << 20:  # ENOSPC: a bucket holds more entries
                    raise
                # Nothing has been read, and the cursor is where it was.
                self._batch = count * 2
                self._keys = ctypes.create_string_buffer(self._batch * self._key_len)
                self._values = ctypes.create_string_buffer(self._batch * self._value_len)
                continue
            got = struct.unpack_from("<I", attr, 32)[0]
            started = True
            if limit is not None:
                limit -= got
            keys = memoryview(self._keys)[: got * self._key_len]
            yield keys, memoryview(self._values)[: got * self._value_len]


def prog_times(prog_fd: int) -> tuple[int, int, int]:
    """Return a program's (run time in ns, runs, missed runs).

    The first two grow only while :func:`enable_stats` has the kernel time programs.
    """
    run_ns, runs, missed = struct.unpack_from("<QQQ", _info(prog_fd, 232), 192)
    return run_ns, runs, missed


def prog_by_number(number: int) -> int:
    """Return a descriptor of the program with that number; needs CAP_SYS_ADMIN."""
    descriptor = bpf(_PROG_GET_FD_BY_ID, bytearray(struct.pack("<III", number, 0, 0)))
    os.set_inheritable(descriptor, False)
    return descriptor


def enable_stats() -> int:
    """Have the kernel time programs for as long as the returned descriptor is open."""
    return bpf(_ENABLE_STATS, bytearray(struct.pack("<I", 0)))
