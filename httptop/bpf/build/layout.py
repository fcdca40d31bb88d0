"""The layout of the running kernel's structs: from its BTF, or as an earlier start found it there.

To walk through the kernel's BTF takes 50 ms of CPU, and the answer stays the same until the next
boot. So it is kept in the cache of compiled probes, under the boot's id, the kernel's build id, the
size of the BTF, and our own text that asks the question.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

from httptop.bpf.build import assembler, learned
from httptop.bpf.build.cache import Cache, key_of
from httptop.bpf.build.learned import learn
from httptop.linux import btf
from httptop.linux.btf import Kernel

_SUFFIX: Final = ".layout"
#: Offsets are below a megabyte, type ids in 32 bits.
_LARGEST_OFFSET: Final = 1 << 20
_LARGEST_ID: Final = (1 << 32) - 1
#: Our own text that asks: another text, another answer.
_QUESTIONS: Final = (btf, learned, assembler)
_IDENTITY: Final = ("proc/sys/kernel/random/boot_id", "sys/kernel/notes")


def layout_of_kernel(
    directory: Path | None,
    describe: Callable[[], Kernel] = lambda: learn(btf.describe_kernel()),
    root: Path = Path("/"),
) -> Kernel:
    """Return the layout, from the cache in ``directory`` if it has it; raise BtfError.

    ``describe`` reads the kernel's BTF. Paths are relative to ``root``.
    """
    cache, key = Cache(directory, _SUFFIX), _key(root)
    if key is not None and (data := cache.read(key)) is not None:
        with contextlib.suppress(ValueError):
            return from_bytes(data)
    kernel = describe()
    if key is not None:
        cache.write(key, to_bytes(kernel))
    return kernel


def to_bytes(kernel: Kernel) -> bytes:
    """Return a layout as the contents of a file."""
    tracepoints = sorted(kernel.tracepoints)
    return json.dumps({**kernel._asdict(), "tracepoints": tracepoints}).encode()


def from_bytes(data: bytes) -> Kernel:
    """Return the layout in a file's contents; raise :class:`ValueError` if they are none."""
    try:
        found = json.loads(data)
        if found.keys() != set(Kernel._fields):
            raise ValueError("other fields")
        offsets = _numbers(found["offsets"], _LARGEST_OFFSET)
        tracepoints = frozenset(found["tracepoints"])
        types = _numbers(found["types"], _LARGEST_ID)
        functions = _numbers(found["functions"], _LARGEST_ID, btf.FUNCTIONS)
        if not offsets or not tracepoints <= set(btf.TRACEPOINTS):
            raise ValueError("no offsets, or unknown tracepoints")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not the layout of a kernel: {error}") from None
    return Kernel(offsets, tracepoints, types, functions)


def _numbers(
    found: dict[str, Any], largest: int, names: Collection[str] | None = None
) -> dict[str, int]:
    """Check that these are numbers under names of macros, or of ``names``, and return them."""
    for name, number in found.items():
        known = name.isidentifier() and name.isupper() if names is None else name in names
        if not known or type(number) is not int or not 0 <= number <= largest:
            raise ValueError(f"{name}: {number}")
    return found


def _key(root: Path) -> str | None:
    """Return the name under which this boot's layout is kept; None if the boot has no id."""
    try:
        boot, notes = ((root / path).read_bytes() for path in _IDENTITY)
        size = (root / "sys/kernel/btf/vmlinux").stat().st_size
        questions = [Path(str(module.__file__)).read_bytes() for module in _QUESTIONS]
    except OSError:
        return None
    return key_of([boot, notes, str(size).encode(), *questions])
