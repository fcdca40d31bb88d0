"""Compile the probes with BCC's clang, or use what an earlier run compiled.

BCC loads all of LLVM (120 MB resident) and takes three seconds, so this runs in the short-lived
loader process only. No other module imports bcc.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from httptop import __version__
from httptop.bpf.build.cache import Cache, key_of
from httptop.bpf.build.find_bcc import find_bcc, find_library
from httptop.bpf.build.object_file import Image, image_of

HERE: Final = Path(__file__).parents[1] / "c"
_STUBS: Final = HERE.with_name("stubs")

# A jump table would be data, which BCC does not load. BCC optimizes what clang hands over, so
# LLVM's passes and debug information in clang are a fifth of the time, for the same programs.
FLAGS: Final = (
    "-O2", "-g0", "-Xclang", "-disable-llvm-passes", "-fno-jump-tables",
    "-Wno-macro-redefined", "-Wno-pragma-once-outside-header",
)  # fmt: skip


_INCLUDE: Final = re.compile(r'^#include "([^"\n]+)".*$', re.MULTILINE)


class LoadError(Exception):
    """The probes cannot be loaded here; the message tells the user why."""


def source(name: str = "probes.c") -> str:
    """Return one of our C sources as a single text.

    BCC rewrites map accesses in the main file only, so clang cannot include our headers itself.
    """
    return paste(f'#include "{name}"\n')


def paste(text: str) -> str:
    """Return a C text in which each header's first include is replaced by its contents.

    Later includes of the same header are removed.
    """
    seen = set()

    def include(match: re.Match[str]) -> str:
        name = match[1]
        if name in seen:
            return ""
        seen.add(name)
        header = (HERE / name).read_text(encoding="utf-8").replace("#pragma once\n", "")
        return _INCLUDE.sub(include, header)

    return _INCLUDE.sub(include, text)


def import_bcc() -> Any:
    """Return the distribution's BCC module; raise LoadError if it is not installed."""
    directory = find_bcc()
    if directory is None:
        raise LoadError("BCC is not installed")
    os.environ["BCC_KERNEL_SOURCE"] = str(_STUBS)
    sys.path.append(str(directory))
    try:
        import bcc
    finally:
        sys.path.remove(str(directory))
    return bcc


def compile_module(text: str, defines: dict[str, int]) -> Any:
    """Compile with BCC's clang against our own header stubs; return the bcc.BPF object."""
    bcc = import_bcc()
    flags = [f"-D{name}={value}" for name, value in sorted(defines.items())]
    try:
        return bcc.BPF(text=text.encode(), cflags=[*flags, *FLAGS])
    except Exception as error:
        raise LoadError(f"the probes do not compile: {error}") from error


def instructions_of(module: Any, name: str) -> bytes:
    """Return the instructions of a compiled function; raise LoadError."""
    from bcc import lib

    start = lib.bpf_function_start(module.module, name.encode())
    size = lib.bpf_function_size(module.module, name.encode())
    if not start or not size:
        raise LoadError(f"{name} is not among the compiled programs")
    return ctypes.string_at(start, size)


def image(
    defines: dict[str, int],
    names: tuple[str, ...],
    cache: Path | None = None,
    *,
    compiling: Callable[[bool], None] = lambda _: None,
) -> Image:
    """Return the compiled programs ``names``, from the cache if it has them; raise LoadError.

    ``compiling`` is called before they are compiled, with whether the cache will have them then.
    """
    if (kept := cached_image(defines, names, cache)) is not None:
        return kept
    compiling(Cache(cache).keeps())
    module = compile_module(source(), defines)
    compiled = image_of({name: instructions_of(module, name) for name in names})
    Cache(cache).write(_key(defines, names), compiled.to_bytes())
    return compiled


def cached_image(
    defines: dict[str, int], names: tuple[str, ...], cache: Path | None
) -> Image | None:
    """Return what :func:`image` would return without compiling; None if it would compile."""
    data = Cache(cache).read(_key(defines, names))
    if data is not None:
        with contextlib.suppress(ValueError):
            return Image.from_bytes(data)
    return None


def _key(defines: dict[str, int], names: tuple[str, ...]) -> str:
    library = find_library()
    found = library.stat() if library is not None else None
    made_by = [str(library), found and (found.st_ino, found.st_size, found.st_mtime_ns)]
    stubs = (path.read_bytes() for path in sorted(_STUBS.rglob("*")) if path.is_file())
    said = json.dumps([__version__, made_by, defines, names, FLAGS], sort_keys=True)
    return key_of([said.encode(), source().encode(), *stubs])
