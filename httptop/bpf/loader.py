"""Compile, load and attach the probes, in a process of its own that ends right after.

BCC brings all of LLVM (120 MB resident). So ``python -m httptop.bpf.loader`` does that work in a
short-lived child and sends the descriptors of maps, programs and links over a Unix socket; what
keeps a program attached is its link's descriptor, so nothing is pinned and nothing survives the
process that holds it. This module is the only one that imports bcc.

The child's standard input is one JSON object (:class:`httptop.bpf.probes.Plan`); its answer is
one JSON object, with the descriptors it names attached in that order.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import re
import socket
import struct
import sys
from pathlib import Path
from typing import Any, Final

from httptop.bpf import syscalls
from httptop.bpf.btf import BtfError, Kernel, describe_kernel
from httptop.bpf.find_bcc import find_bcc
from httptop.bpf.layout import ENDPOINT_KEY, FIRST_FREE_CELL, OVERFLOW_ANSWERS, OVERFLOW_ENDPOINTS
from httptop.paths import CLASSES, DIGIT, HEX, JOINT, LOWER, UPPER

HERE: Final = Path(__file__).parent

_SOCKET_FILTER, _RAW_TRACEPOINT, _TRACING = 1, 17, 26
_TRACE_RAW_TP: Final = 23

#: A call of this number stands for bpf_rdonly_cast (kernel.h); load() puts its type id there.
CAST_CALL: Final = 0x70000001
_CAST_MARK: Final = struct.pack("<I", CAST_CALL)
_CALL, _KERNEL_FUNCTION = 0x85, 2

#: The programs reached by tail call, in the order of the NEXT_ numbers of probes.c.
CHAIN: Final = ("parse_request", "place_request", "parse_answer", "replace_conn")

#: Maps whose descriptors user space wants.
MAPS: Final = (
    "conns", "unix_conns", "endpoints", "answers", "users", "cells", "pages", "losses", "samples",
    "free_cells", "free_pages", "queue",
)  # fmt: skip


class LoadError(Exception):
    """The probes cannot be had here; the text says why and is for people."""


def source(name: str = "probes.c") -> str:
    """Return a C source with our own headers written into it.

    BCC rewrites map accesses in the main file only, so includes of ours are resolved here.
    """

    def include(match: re.Match[str]) -> str:
        return source(match.group(1))

    text = (HERE / name).read_text(encoding="utf-8").replace("#pragma once\n", "")
    return re.sub(r'^#include "([a-z0-9_]+\.h)"$', include, text, flags=re.MULTILINE)


def compile_module(text: str, defines: dict[str, int]) -> Any:
    """Compile with BCC's clang against our own header stubs; return the bcc.BPF object."""
    directory = find_bcc()
    if directory is None:
        raise LoadError("BCC is not installed")
    os.environ["BCC_KERNEL_SOURCE"] = str(HERE / "stubs")
    sys.path.append(str(directory))
    try:
        import bcc
    finally:
        sys.path.remove(str(directory))
    flags = [f"-D{name}={value}" for name, value in sorted(defines.items())]
    flags += ["-O2", "-Wno-macro-redefined", "-Wno-pragma-once-outside-header"]
    try:
        return bcc.BPF(text=text, cflags=flags)
    except Exception as error:  # noqa: BLE001 - bcc raises bare Exception, and names the cause
        raise LoadError(f"the probes do not compile: {error}") from error


def load(
    module: Any, name: str, kind: int, *, attach_type: int = 0, btf_id: int = 0, cast_id: int = 0
) -> int:
    """Load one compiled function; on refusal raise LoadError with the verifier's last words."""
    from bcc import lib

    start = lib.bpf_function_start(module.module, name.encode())
    size = lib.bpf_function_size(module.module, name.encode())
    if not start or not size:
        raise LoadError(f"{name} is not among the compiled programs")
    instructions = bytearray(ctypes.string_at(start, size))
    for at in range(0, size, 8):
        if instructions[at] == _CALL and instructions[at + 4 : at + 8] == _CAST_MARK:
            instructions[at + 1] = _KERNEL_FUNCTION << 4
            instructions[at + 4 : at + 8] = struct.pack("<I", cast_id)
    buffer = (ctypes.c_char * size).from_buffer(instructions)
    arguments = (kind, ctypes.addressof(buffer), size // 8, name)
    try:
        return syscalls.prog_load(*arguments, attach_type=attach_type, btf_id=btf_id)
    except OSError as first:
        log = ctypes.create_string_buffer(16 << 20)
        try:
            return syscalls.prog_load(*arguments, attach_type=attach_type, btf_id=btf_id, log=log)
        except OSError:
            said = log.value.decode("utf-8", "replace").strip()
            if path := os.environ.get("HTTPTOP_VERIFIER_LOG"):
                Path(path).write_text(said, encoding="utf-8")
            words = " | ".join(said.splitlines()[-6:])
            raise LoadError(
                f"the kernel refused {name}: {os.strerror(first.errno or errno.EINVAL)}: {words}"
            ) from first


def _fill(module: Any, plan: dict[str, Any]) -> None:
    """Put into the maps what must be there before the first call is seen."""
    classes = module["classes"].map_fd
    for code, bits in enumerate(CLASSES):
        counted = (bits & DIGIT, bits & (LOWER | UPPER), bits & HEX, code == 0x2D)
        other = not bits & (DIGIT | LOWER | UPPER | JOINT)
        add = sum(1 << 12 * at for at, yes in enumerate((*counted, other)) if yes)
        syscalls.map_update(classes, struct.pack("<I", code), struct.pack("<QQ", add, bits))
    first = module["pool_next"]
    first[ctypes.c_int(0)] = ctypes.c_uint(FIRST_FREE_CELL)
    first[ctypes.c_int(1)] = ctypes.c_uint(1)
    cells = plan["defines"]["MAX_CELLS"] - FIRST_FREE_CELL
    for name, number in (("fill_cells", cells), ("fill_pages", plan["defines"]["MAX_PAGES"])):
        fd = load(module, name, _SOCKET_FILTER)
        syscalls.test_run(fd, bytes(64), repeat=number)
        os.close(fd)
    for cell, side in OVERFLOW_ENDPOINTS.items():
        key = ENDPOINT_KEY.pack(b"~other", side, 0, 1, 0, 0, b"~other")
        syscalls.map_update(module["endpoints"].map_fd, key, struct.pack("<I", cell))
    for cell, endpoint in OVERFLOW_ANSWERS.items():
        key = struct.pack("<II", endpoint, 0)
        syscalls.map_update(module["answers"].map_fd, key, struct.pack("<I", cell))
    for name, form in (("only_pids", "<I"), ("only_ports", "<H")):
        for value in plan.get(name, ()):
            syscalls.map_update(module[name].map_fd, struct.pack(form, value), b"\1")


def load_all(plan: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """Load and attach everything; return the answer and the descriptors it names."""
    try:
        kernel = describe_kernel()
    except BtfError as error:
        raise LoadError(f"no kernel type information (BTF): {error}") from error
    if kernel.cast_id is not None:
        try:
            return _load_with(plan, kernel, {**kernel.types, "CAST_CALL": CAST_CALL})
        except LoadError:
            pass  # the kernel has the function but not for us: slower without it, no less exact
    return _load_with(plan, kernel, {})


def _load_with(
    plan: dict[str, Any], kernel: Kernel, types: dict[str, int]
) -> tuple[dict[str, Any], list[int]]:
    module = compile_module(source(), {**plan["defines"], **kernel.offsets, **types})
    _fill(module, plan)

    programs: dict[str, int] = {}
    refused: dict[str, str] = {}
    typed = {
        "attach_type": _TRACE_RAW_TP,
        "btf_id": kernel.sys_exit_id,
        "cast_id": kernel.cast_id or 0,
    }
    for number, name in enumerate(CHAIN):
        programs[name] = load(module, name, _TRACING, **typed)
        module["next_program"][ctypes.c_int(number)] = ctypes.c_int(programs[name])
    programs["sys_exit"] = load(module, "sys_exit", _TRACING, **typed)
    links = {}
    for name, tracepoint in (("inet_sock_set_state", "inet_sock_set_state"), ("sys_exit", None)):
        try:
            if name not in programs:
                programs[name] = load(module, name, _RAW_TRACEPOINT)
            links[name] = syscalls.raw_tracepoint_open(programs[name], tracepoint)
        except (LoadError, OSError) as error:
            if name == "sys_exit":
                raise LoadError(f"cannot attach to system calls: {error}") from error
            refused[name] = str(error)
    maps = {name: module[name].map_fd for name in (*MAPS, "next_program")}
    answer = {
        "maps": list(maps),
        "programs": list(programs),
        "links": list(links),
        "refused": refused,
    }
    return answer, [*maps.values(), *programs.values(), *links.values()]


def main() -> int:
    """Serve one plan: standard input to the socket whose number is the only argument."""
    answer: dict[str, Any]
    descriptors: list[int] = []
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        plan = json.load(sys.stdin)
        with open(os.devnull, "w") as quiet:
            keep = os.dup(2)
            os.dup2(quiet.fileno(), 2)  # clang's and libbpf's own words; ours come in the answer
            try:
                answer, descriptors = load_all(plan)
            except LoadError as error:
                answer = {"error": str(error)}
            except OSError as error:
                answer = {"error": f"{error.strerror} (errno {error.errno})"}
            finally:
                os.dup2(keep, 2)
        with contextlib.suppress(BrokenPipeError):
            socket.send_fds(channel, [json.dumps(answer).encode()], descriptors)
    return 0


if __name__ == "__main__":
    code = main()
    # BCC's and LLVM's own tear-down takes 50 ms and changes nothing.
    sys.stdout.flush()
    os._exit(code)
