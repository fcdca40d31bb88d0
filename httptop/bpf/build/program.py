"""Load one program into the kernel, through its verifier."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from httptop.bpf.build.compiler import LoadError
from httptop.bpf.build.linker import (
    Linked,
    function_records,
    types_of,
    with_kernel_functions,
)
from httptop.linux import bpf_syscall

#: Types of programs, as the kernel numbers them.
SOCKET_FILTER, TRACEPOINT, RAW_TRACEPOINT = 1, 5, 17
#: The start of a verifier's log: such a file is replaced, and no other.
_LOG_HEAD: Final = "httptop: the verifier's log of"
_NO_CALLS: Final[Mapping[int, int]] = {}


def load(program: Linked, name: str, kind: int, calls: Mapping[int, int] = _NO_CALLS) -> int:
    """Load one program and return its descriptor.

    ``calls``: type ids of kernel functions by placeholder, as variants.calls_of() returns them.
    Raises LoadError with the end of the verifier's log; all of it goes to the file named by
    HTTPTOP_VERIFIER_LOG, if set, by the rules for files that httptop writes.
    """
    code = with_kernel_functions(program.code, calls)
    buffer = (ctypes.c_char * len(code)).from_buffer(code)
    arguments = (kind, ctypes.addressof(buffer), len(code) // 8, name)
    with contextlib.ExitStack() as closing:
        types = None
        if len(program.functions) > 1:
            types = bpf_syscall.btf_load(types_of(program))
            closing.callback(os.close, types)
        records = function_records(program) if types is not None else b""
        try:
            return bpf_syscall.prog_load(*arguments, btf_fd=types, functions=records)
        except OSError as error:
            first = error
        log = ctypes.create_string_buffer(16 << 20)
        try:
            return bpf_syscall.prog_load(*arguments, log=log, btf_fd=types, functions=records)
        except OSError:
            said = log.value.decode("utf-8", "replace").strip()
            words = " | ".join(said.splitlines()[-6:])
            if path := os.environ.get("HTTPTOP_VERIFIER_LOG"):
                words += _logged(said, name, Path(path))
            raise LoadError(
                f"the kernel refused {name}: {os.strerror(first.errno or errno.EINVAL)}: {words}"
            ) from first


def _logged(said: str, name: str, path: Path) -> str:
    """Write the verifier's log to a file; return what to tell if that fails."""
    from httptop.linux.files import FileError, create, invoking_user

    try:
        descriptor = create(path, invoking_user(os.environ), ours=_is_log)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{_LOG_HEAD} {name}\n{said}\n")
    except FileError as error:
        return f" | HTTPTOP_VERIFIER_LOG: {error}"
    except OSError as error:
        return f" | HTTPTOP_VERIFIER_LOG: {path}: {error.strerror}"
    return ""


def _is_log(start: bytes) -> bool:
    return start.startswith(_LOG_HEAD.encode())
