"""Compile and load the probes in a separate, short-lived process.

BCC loads all of LLVM (120 MB resident). So ``python -m httptop.bpf.build.loader`` runs as a child
that sends the descriptors of maps and programs over a Unix socket and exits. Nothing is pinned: a
program stays attached only as long as the parent holds its link.

The child's standard input is one JSON object (:class:`httptop.bpf.build.child.Plan`). Its reply is
one JSON object, sent with the descriptors it names, in that order. Before, it says what it does.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from httptop.bpf.abi import (
    COMM_LEN,
    END,
    NUMBER_SEARCH,
    READY,
    SUBJECT,
    takes_record,
    tracepoint_of,
)
from httptop.bpf.build.compiler import LoadError, cached_image, image
from httptop.bpf.build.filling import POOLS, fill, fill_tables
from httptop.bpf.build.layout import layout_of_kernel
from httptop.bpf.build.learned import pid_level
from httptop.bpf.build.linker import Linked
from httptop.bpf.build.object_file import Image, Loaded
from httptop.bpf.build.placeholders import CALLBACKS, COMPARING, IN_SET, SHARED, linked
from httptop.bpf.build.program import load
from httptop.bpf.build.sizes import entries_of
from httptop.bpf.build.variants import (
    SUMS,
    Variant,
    calls_of,
    can_see_ready,
    compiled_with,
    defines_of,
    ends_with,
    kernel_release,
    kind_of,
    may_hand_on,
    next_programs,
    programs_of,
    variants,
)
from httptop.linux import bpf_syscall, perf_event
from httptop.linux.btf import BtfError, Kernel
from httptop.linux.capabilities import end_with_parent
from httptop.optional_modules import leave_out

_NONE_APART: Final[Mapping[str, int]] = {}
#: From this kernel on, global functions may be called while preemption is turned off.
_CALLS_WITHOUT_PREEMPTION: Final = (6, 15)


#: Tracepoints that need not be attached where the constant is 0.
BLIND: Final = {"READS": "sock_recv_length", "WRITES": "sock_send_length"}

#: The program that user space runs to find released sockets (sweep.py).
SWEEP: Final = "sweep"

#: The program that user space runs for each connection, to have it let go of cells (give_back.py).
LET_GO: Final = "let_go"
#: The program that user space runs to give a party's number back (parties.py).
END_PARTY: Final = "end_party"

#: Maps whose descriptors user space gets.
MAPS: Final = (
    "conns", "swept_conns", "endpoints", "responses", "cells", "pages", "losses",
    "samples", "other_protocols", "free_cells", "free_pages", "queue", "controls", "rules",
    "rule_shapes", "rule_words", "cell_uses", "rows", "row_times", "side_sums",
    "bucket_groups", "read_octaves", "read_rests", "window_log", "log_rows", "sums_state",
    "tenants", "shares", "free_shares", "known_lines", "known_kinds", "parties", "party_keys",
    "party_counts", "free_parties",
)  # fmt: skip


def layout(plan: Mapping[str, Any]) -> Kernel:
    """Return the layout of the kernel's structs, from the plan's cache if it is there.

    Raises LoadError.
    """
    try:
        return layout_of_kernel(_cache_of(plan))
    except BtfError as error:
        raise LoadError(f"no kernel type information (BTF): {error}") from error


def load_all(
    plan: dict[str, Any], kernel: Kernel, doing: Callable[[str], None] = lambda _: None
) -> tuple[dict[str, Any], list[int]]:
    """Load everything; return the reply and the descriptors it names; raise LoadError.

    Uses the best variant that this kernel accepts. ``doing`` is told what begins (STEPS of
    child.py).
    """
    refused: dict[str, str] = {}
    plan = _masked(_placed(plan, kernel))
    for variant in _variants_of(plan, kernel):
        try:
            return _load_with(plan, kernel, variant, refused, doing)
        except LoadError as error:
            refused[str(variant)] = str(error)
    reasons = "; ".join(dict.fromkeys(refused.values()))
    raise LoadError(reasons or "the kernel has none of the tracepoints that httptop can use")


def compiled(
    plan: dict[str, Any],
    kernel: Kernel,
    variant: Variant,
    doing: Callable[[str], None] = lambda _: None,
) -> Image:
    """Return all compiled functions of a variant; raise LoadError."""
    return image(
        *_sources(plan, kernel, variant),
        compiling=lambda kept: doing("compile_once" if kept else "compile"),
    )


def is_compiled(plan: dict[str, Any], kernel: Kernel) -> bool:
    """Return whether the plan's cache has what :func:`load_all` loads, or tries first."""
    plan = _placed(plan, kernel)
    first = _variants_of(plan, kernel)[:1]
    return all(cached_image(*_sources(plan, kernel, variant)) for variant in first)


def _placed(plan: dict[str, Any], kernel: Kernel) -> dict[str, Any]:
    """Return the plan with how deep the process id namespace is that it asks for, if it does.

    Raises LoadError.
    """
    if not plan["constants"].get("PID_NAMESPACE"):
        return plan
    try:
        level = pid_level(kernel.offsets)
    except (OSError, KeyError) as error:
        raise LoadError(f"process ids of this namespace cannot be found: {error}") from error
    return {**plan, "constants": {**plan["constants"], "PID_NAMESPACE": level}}


def _masked(plan: dict[str, Any]) -> dict[str, Any]:
    """Return the plan with a mask for addresses, which nobody but this process ever has."""
    mask = int.from_bytes(os.urandom(8))
    return {**plan, "constants": {**plan["constants"], "KEY_MASK": mask}}


def _variants_of(plan: Mapping[str, Any], kernel: Kernel) -> list[Variant]:
    return variants(kernel, front=plan.get("front"), loops=plan.get("loops", True))


def _sources(
    plan: Mapping[str, Any], kernel: Kernel, variant: Variant
) -> tuple[dict[str, int], tuple[str, ...], Path | None]:
    """Return the arguments of :func:`image`."""
    defines = defines_of(plan, kernel, variant)
    ready = (READY,) if "SEES_READY" in defines else ()
    steps = (*next_programs(variant).values(), *(CALLBACKS if variant.loops else ()))
    seen = (*compiled_with(variant, defines), *ends_with(defines))
    called = (*SHARED, *COMPARING) if "FILTER" in defines else SHARED
    names = (*POOLS, *steps, *seen, SWEEP, *SUMS, LET_GO, END_PARTY, *ready, *called)
    return defines, names, _cache_of(plan)


def _cache_of(plan: Mapping[str, Any]) -> Path | None:
    return Path(plan["cache"]) if plan.get("cache") else None


def with_maps(image: Image, plan: dict[str, Any]) -> Loaded:
    """Create the maps of an image, with all in them that must be there before it is loaded."""
    tables = plan.get("tables", {})
    filtered = bool(plan["defines"].get("FILTER"))
    entries = entries_of(plan["sizes"], namespace="own_namespace" in tables, filtered=filtered)
    entries |= {name: table["entries"] for name, table in tables.items()}
    longest = {
        name: max((len(value) // 2 for _, value in table["values"]), default=0)
        for name, table in tables.items()
    }
    probes = Loaded(image, entries, longest)
    fill(probes, plan)
    fill_tables(probes, tables)
    return probes


def program_of(
    name: str,
    code_of: Callable[[str], bytes],
    plan: Mapping[str, Any],
    apart: Mapping[str, int] = _NONE_APART,
) -> Linked:
    """Return a program of a plan with all that is linked into it; raise KeyError.

    ``code_of`` returns the instructions of a compiled function; ``apart`` is as of
    :func:`looked_at_apart`.
    """
    functions = {name: bytes.fromhex(code) for name, code in plan["functions"].items()}
    return linked(name, code_of, {**plan["sizes"], **plan["constants"]}, functions, apart)


def looked_at_apart(probes: Loaded, variant: Variant) -> dict[str, int]:
    """Return the functions that the verifier may look at by themselves, once for a program.

    With each the length of what its argument points to. Where programs turn preemption off, older
    kernels let them call none.
    """
    if not may_hand_on(variant) and kernel_release() < _CALLS_WITHOUT_PREEMPTION:
        return {}
    shapes = probes.shapes
    return {
        "find_response": shapes["responses"].key_len,
        "record_times": shapes["conns"].value_len,
        IN_SET: NUMBER_SEARCH.size,
        "names_met": COMM_LEN,
        "truths_of": SUBJECT.size,
    }


def _load_with(
    plan: dict[str, Any],
    kernel: Kernel,
    variant: Variant,
    refused: dict[str, str],
    doing: Callable[[str], None],
) -> tuple[dict[str, Any], list[int]]:
    refused = dict(refused)
    front = variant.front
    # Waits can be measured only if reads and writes are both seen.
    both = all(plan["constants"][seen] for seen in BLIND)
    waits = plan.get("waits", True) and both and can_see_ready(kernel, front)
    programs_image = compiled(plan, kernel, variant, doing)
    doing("load")
    probes, calls = with_maps(programs_image, plan), calls_of(kernel)

    apart = looked_at_apart(probes, variant)

    def loaded(name: str) -> int:
        program = program_of(name, probes.instructions, plan, apart)
        return load(program, name, kind_of(name, variant), calls)

    # The verifier takes up to a second for a program, so load them in parallel.
    steps = next_programs(variant)
    blind = {name for seen, name in BLIND.items() if not plan["constants"][seen]}
    attached = [name for name in programs_of(front) if tracepoint_of(name) not in blind]
    needed = (*steps.values(), *attached, *SUMS, LET_GO, END_PARTY)
    with ThreadPoolExecutor() as pool:
        programs = dict(zip(needed, pool.map(loaded, needed), strict=True))
    for number, name in steps.items():
        value = struct.pack("<I", programs[name])
        bpf_syscall.map_update(probes.maps["next_program"], struct.pack("<I", number), value)
    ends = ends_with(defines_of(plan, kernel, variant))
    try:
        for name in (*ends, SWEEP):
            programs[name] = loaded(name)
        attached = [*ends, *attached]
    except LoadError as error:
        refused[END] = str(error)
    for name in (READY,) if waits else ():  # attached only during windows (ticks.py)
        try:
            programs[name] = loaded(name)
        except LoadError as error:
            refused[name] = str(error)
    some = ["only_cgroups", "next_program"]
    some += ["own_pids"] if "own_namespace" in plan["tables"] else []
    maps = {name: probes.maps[name] for name in (*MAPS, *some) if name in probes.maps}
    reply = {
        "front": front,
        "loops": variant.loops,
        "maps": list(maps),
        "programs": list(programs),
        "attach": attached,
        "events": {
            name: perf_event.number_of(tracepoint_of(name))
            for name in attached
            if takes_record(name)
        },
        "refused": refused,
    }
    return reply, [*maps.values(), *programs.values()]


def main() -> int:
    """Load one plan from standard input; reply on the socket whose number is the only argument."""
    end_with_parent()
    leave_out()
    reply: dict[str, Any]
    descriptors: list[int] = []
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        waiting = select.poll()
        waiting.register(channel, 0)
        if waiting.poll(0):
            return 0  # the parent ended before
        with open(os.devnull, "w") as quiet:
            keep = os.dup(2)
            os.dup2(quiet.fileno(), 2)  # hides the output of clang and libbpf; errors are replied
            try:
                text = sys.stdin.read()
                if not text:
                    return 0  # the parent needs no probes after all
                plan = json.loads(text)

                def doing(step: str) -> None:
                    with contextlib.suppress(BrokenPipeError):
                        channel.send(json.dumps({"doing": step}).encode())

                reply, descriptors = load_all(plan, layout(plan), doing)
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
