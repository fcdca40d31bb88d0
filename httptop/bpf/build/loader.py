"""Compile and load the probes in a separate, short-lived process.

BCC loads all of LLVM (120 MB resident). So ``python -m httptop.bpf.build.loader`` runs as a child
that sends the descriptors of maps and programs over a Unix socket and exits. Nothing is pinned: a
program stays attached only as long as the parent holds its link.

The child's standard input is one JSON object (:class:`httptop.bpf.build.child.Plan`). Its reply is
one JSON object, sent with the descriptors it names, in that order.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import socket
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from httptop.bpf.abi import (
    BYTE_CLASS,
    ENDPOINT_KEY,
    FIRST_FREE_CELL,
    OVERFLOW_ENDPOINTS,
    OVERFLOW_RESPONSES,
    READY,
    RESPONSE_KEY,
)
from httptop.bpf.build.compiler import LoadError, image
from httptop.bpf.build.object_file import Image, Loaded
from httptop.http.path_template import CLASSES, DIGIT, HEX, JOINT, LOWER, UPPER
from httptop.linux import bpf_syscall
from httptop.linux.btf import BtfError, Kernel, describe_kernel

_SOCKET_FILTER, _RAW_TRACEPOINT = 1, 17

#: Placeholder for a call of bpf_rdonly_cast (kernel_structs.h); load() puts in its type id.
CAST_CALL: Final = 0x70000001
_CAST_MARK: Final = struct.pack("<I", CAST_CALL)
_CALL, _KERNEL_FUNCTION = 0x85, 2

#: The programs reached by tail call, in the order of their NEXT_ numbers (cursor.h).
CHAIN: Final = (
    "parse_request", "place_request", "parse_response", "first_bytes", "sample_response",
    "defer_bytes", "abandon_requests",
)  # fmt: skip

#: Fronts: sets of tracepoints that see bytes pass, best first; each has a program of its name.
FRONTS: Final = {
    "sockets": ("sock_recv_length", "sock_send_length"),
    "syscalls": ("sys_exit",),
}

#: Tracepoints that need not be attached if the macro excludes their direction.
BLIND: Final = {"NO_READS": "sock_recv_length", "NO_WRITES": "sock_send_length"}

#: The program, and the raw tracepoint, that sees TCP connections end.
END: Final = "inet_sock_set_state"

#: The programs that fill the pools of cells and of pages; run once.
_POOLS: Final = ("fill_cells", "fill_pages")

#: The program that user space runs to find released sockets (sweep.py).
SWEEP: Final = "sweep"

#: The program that user space runs to process deferred bytes (backlog.py).
TAKE_UP: Final = "take_up"

#: Maps whose descriptors user space gets.
MAPS: Final = (
    "conns", "swept_conns", "endpoints", "responses", "processes", "cells", "pages", "losses",
    "samples", "other_protocols", "pieces", "free_cells", "free_pages", "queue", "controls",
    "rules", "rule_shapes", "rule_words",
)  # fmt: skip


def with_cast(instructions: bytes, cast_id: int) -> bytearray:
    """Return a program whose CAST_CALLs call bpf_rdonly_cast, which has this type id."""
    code = bytearray(instructions)
    for at in range(0, len(code), 8):
        if code[at] == _CALL and code[at + 4 : at + 8] == _CAST_MARK:
            code[at + 1] = _KERNEL_FUNCTION << 4
            code[at + 4 : at + 8] = struct.pack("<I", cast_id)
    return code


def load(
    instructions: bytes,
    name: str,
    kind: int,
    *,
    cast_id: int = 0,
) -> int:
    """Load one program and return its descriptor.

    ``cast_id``: the type id of bpf_rdonly_cast, 0 if the kernel has none. Raises LoadError with the
    end of the verifier's log; all of it goes to the file named by HTTPTOP_VERIFIER_LOG, if set.
    """
    code = with_cast(instructions, cast_id)
    buffer = (ctypes.c_char * len(code)).from_buffer(code)
    arguments = (kind, ctypes.addressof(buffer), len(code) // 8, name)
    try:
        return bpf_syscall.prog_load(*arguments)
    except OSError as first:
        log = ctypes.create_string_buffer(16 << 20)
        try:
            return bpf_syscall.prog_load(*arguments, log=log)
        except OSError:
            said = log.value.decode("utf-8", "replace").strip()
            if path := os.environ.get("HTTPTOP_VERIFIER_LOG"):
                Path(path).write_text(said, encoding="utf-8")
            words = " | ".join(said.splitlines()[-6:])
            raise LoadError(
                f"the kernel refused {name}: {os.strerror(first.errno or errno.EINVAL)}: {words}"
            ) from first


def fill_classes(map_fd: int) -> None:
    """Fill a map with each byte's classes in a path and what it adds to their counts."""
    for code, bits in enumerate(CLASSES):
        counted = (bits & DIGIT, bits & (LOWER | UPPER), bits & HEX, code == 0x2D)
        other = not bits & (DIGIT | LOWER | UPPER | JOINT)
        add = sum(1 << 12 * at for at, yes in enumerate((*counted, other)) if yes)
        bpf_syscall.map_update(map_fd, struct.pack("<I", code), BYTE_CLASS.pack(add, bits))


def _fill(probes: Loaded, plan: dict[str, Any]) -> None:
    """Fill the maps that the programs need before the first call is seen."""
    fill_classes(probes.maps["classes"])
    last_cell, last_page = plan["defines"]["MAX_CELLS"] - 1, plan["defines"]["MAX_PAGES"]
    for pool, first in enumerate((last_cell, last_page)):
        at, value = struct.pack("<I", pool), struct.pack("<I", first)
        bpf_syscall.map_update(probes.maps["pool_next"], at, value)
    cells = plan["defines"]["MAX_CELLS"] - FIRST_FREE_CELL
    for name, number in zip(_POOLS, (cells, plan["defines"]["MAX_PAGES"]), strict=True):
        fd = load(probes.instructions(name), name, _SOCKET_FILTER)
        bpf_syscall.run_program(fd, bytes(64), repeat=number)
        os.close(fd)
    for cell, side in OVERFLOW_ENDPOINTS.items():
        key = ENDPOINT_KEY.pack(b"~other", side, 0, 1, 0, 0, b"~other")
        bpf_syscall.map_update(probes.maps["endpoints"], key, struct.pack("<I", cell))
    for cell, endpoint in OVERFLOW_RESPONSES.items():
        key = RESPONSE_KEY.pack(endpoint, 0, 0)
        bpf_syscall.map_update(probes.maps["responses"], key, struct.pack("<I", cell))


def _fill_tables(probes: Loaded, tables: dict[str, Any]) -> None:
    """Put the values of a filter into the maps that its programs use, and freeze these."""
    for name in tables.keys() & probes.maps.keys():
        descriptor, length = probes.maps[name], probes.shapes[name].value_len
        for key, value in tables[name]["values"]:
            padded = bytes.fromhex(value).ljust(length, b"\0")
            bpf_syscall.map_update(descriptor, bytes.fromhex(key), padded)
        bpf_syscall.map_freeze(descriptor)


def prepare() -> Kernel:
    """Read the kernel's types, which every plan needs; raise LoadError."""
    try:
        return describe_kernel()
    except BtfError as error:
        raise LoadError(f"no kernel type information (BTF): {error}") from error


def defines_of(
    sizes: dict[str, int], kernel: Kernel, front: str, types: dict[str, int]
) -> dict[str, int]:
    """Return the macros that the headers need: sizes, the kernel's layout, numbers of programs.

    ``types`` are those of :func:`casts_of`; if empty, kernel memory is read by helper calls.
    """
    defines = {**sizes, **kernel.offsets, **types, f"FRONT_{front.upper()}": 1}
    defines |= {f"NEXT_{name.upper()}": number for number, name in enumerate(CHAIN)}
    return defines | ({"SEES_READY": 1} if _sees_ready(sizes, kernel, front) else {})


def casts_of(kernel: Kernel) -> dict[str, int]:
    """Return the macros for reads by plain loads; empty if the kernel has no bpf_rdonly_cast."""
    return {} if kernel.cast_id is None else {**kernel.types, "CAST_CALL": CAST_CALL}


def load_all(plan: dict[str, Any], kernel: Kernel) -> tuple[dict[str, Any], list[int]]:
    """Load everything; return the reply and the descriptors it names; raise LoadError.

    Uses the cheapest variant that this kernel accepts; all are equally exact. Tracepoints of
    sockets are preferred to those of system calls, plain loads to helper calls.
    """
    casts = casts_of(kernel)
    refused: dict[str, str] = {}
    for front, programs in FRONTS.items():
        if plan.get("front") not in (None, front) or not set(programs) <= kernel.tracepoints:
            continue
        for types in (casts, {}) if casts else ({},):
            try:
                return _load_with(plan, kernel, front, types, refused)
            except LoadError as error:
                refused[f"{front}{', plain loads' if types else ''}"] = str(error)
    reasons = "; ".join(dict.fromkeys(refused.values()))
    raise LoadError(reasons or "the kernel has none of the tracepoints that httptop can use")


def compiled(plan: dict[str, Any], kernel: Kernel, front: str, types: dict[str, int]) -> Image:
    """Return all compiled programs of a front; raise LoadError."""
    defines = defines_of(plan["defines"], kernel, front, types)
    ready = (READY,) if "SEES_READY" in defines else ()
    names = (*_POOLS, *CHAIN, TAKE_UP, *FRONTS[front], END, SWEEP, *ready)
    cache = Path(plan["cache"]) if plan.get("cache") else None
    return image(defines, names, plan.get("conditions", ""), cache)


def with_maps(image: Image, plan: dict[str, Any]) -> Loaded:
    """Create the maps of an image, with all in them that must be there before it is loaded."""
    tables = plan.get("tables", {})
    probes = Loaded(image, {name: table["entries"] for name, table in tables.items()})
    _fill(probes, plan)
    _fill_tables(probes, tables)
    return probes


def _load_with(
    plan: dict[str, Any],
    kernel: Kernel,
    front: str,
    types: dict[str, int],
    refused: dict[str, str],
) -> tuple[dict[str, Any], list[int]]:
    refused = dict(refused)
    passed = (*CHAIN, TAKE_UP, *FRONTS[front])
    waits = plan.get("waits", True) and _sees_ready(plan["defines"], kernel, front)
    probes = with_maps(compiled(plan, kernel, front, types), plan)

    def loaded(name: str) -> int:
        code = probes.instructions(name)
        return load(code, name, _RAW_TRACEPOINT, cast_id=kernel.cast_id or 0)

    # The verifier takes up to a tenth of a second for each program, so load them in parallel.
    with ThreadPoolExecutor() as pool:
        programs = dict(zip(passed, pool.map(loaded, passed), strict=True))
    for number, name in enumerate(CHAIN):
        value = struct.pack("<I", programs[name])
        bpf_syscall.map_update(probes.maps["next_program"], struct.pack("<I", number), value)
    blind = {name for limit, name in BLIND.items() if limit in plan["defines"]}
    attached = [name for name in FRONTS[front] if name not in blind]
    try:
        for name in (END, SWEEP):
            programs[name] = loaded(name)
        attached.insert(0, END)
    except LoadError as error:
        refused[END] = str(error)
    for name in (READY,) if waits else ():  # attached only during windows (ticks.py)
        try:
            programs[name] = loaded(name)
        except LoadError as error:
            refused[name] = str(error)
    some = ("only_cgroups",) if "only_cgroups" in probes.maps else ()
    maps = {name: probes.maps[name] for name in (*MAPS, *some, "next_program")}
    reply = {
        "front": front,
        "maps": list(maps),
        "programs": list(programs),
        "attach": attached,
        "refused": refused,
    }
    return reply, [*maps.values(), *programs.values()]


def _sees_ready(defines: dict[str, int], kernel: Kernel, front: str) -> bool:
    """Return whether waits can be measured: only if reads and writes are both seen."""
    both = not BLIND.keys() & defines.keys()
    return front == "sockets" and READY in kernel.tracepoints and both


def main() -> int:
    """Load one plan from standard input; reply on the socket whose number is the only argument."""
    reply: dict[str, Any]
    descriptors: list[int] = []
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        with open(os.devnull, "w") as quiet:
            keep = os.dup(2)
            os.dup2(quiet.fileno(), 2)  # hides the output of clang and libbpf; errors are replied
            try:
                kernel = prepare()
                text = sys.stdin.read()
                if not text:
                    return 0  # the parent needs no probes after all
                reply, descriptors = load_all(json.loads(text), kernel)
            except LoadError as error:
                reply = {"error": str(error)}
            except OSError as error:
                reply = {"error": f"{error.strerror} (errno {error.errno})"}
            finally:
                os.dup2(keep, 2)
        with contextlib.suppress(BrokenPipeError):
            socket.send_fds(channel, [json.dumps(reply).encode()], descriptors)
    return 0


if __name__ == "__main__":
    code = main()
    # Skip the tear-down of BCC and LLVM, which takes 50 ms and has no effect.
    sys.stdout.flush()
    os._exit(code)
