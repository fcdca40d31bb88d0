"""The ways to see calls and to work through them, and what of the sources each is made of.

A kernel accepts some of these variants; the best one that it accepts is loaded
(bpf/build/loader.py).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from httptop.bpf.abi import END, LATER, READY, takes_record, tracepoint_of
from httptop.bpf.build.placeholders import macros
from httptop.bpf.build.program import RAW_TRACEPOINT, SOCKET_FILTER, TRACEPOINT
from httptop.linux import perf_event
from httptop.linux.btf import Kernel

#: Placeholders for calls of kernel functions, by macro (kernel_structs.h).
_KERNEL_CALLS: Final = {
    "bpf_rdonly_cast": ("CAST_CALL", 0x70000001),
    "bpf_preempt_disable": ("PREEMPT_DISABLE_CALL", 0x70000002),
    "bpf_preempt_enable": ("PREEMPT_ENABLE_CALL", 0x70000003),
}

#: From this kernel on, a program at a tracepoint can be preempted.
PREEMPTIBLE_KERNEL: Final = (7, 0)

#: The steps of a call, in the order of their STEP_ numbers, which begin with 1 (steps.h).
STEPS: Final = (
    "read_message", "place_request", "first_bytes", "sample_response",
    "abandon_requests", "change_owner", "catch_up", "regain_sync",
    "proxy_header",
    "keep_head",
)  # fmt: skip

#: The program that takes all steps of a call, and its number (steps.h).
_ALL_STEPS: Final = "all_steps", 1

#: Fronts: ways to see bytes pass, best first, with the first program for each tracepoint. The first
#: two are for kernels that can preempt programs: others stand in for theirs (hooks.h).
FRONTS: Final = {
    "records": ("sock_recv_record", "sock_send_record"),
    "triples": ("sock_recv_length", "sock_send_length"),
    "sockets": ("sock_recv_length", "sock_send_length"),
    "syscalls": ("sys_exit",),
}

STOOD_IN_FOR: Final = ("records", "triples")

#: The programs that user space runs to add up what cells count, and to blank cells (row_sums.py).
SUMS: Final = ("add_to_rows", "replay_window", "summarize_rows", "reclaim_cells")


def calls_of(kernel: Kernel) -> dict[int, int]:
    """Return the type ids of the kernel functions that programs may call, by placeholder."""
    return {_KERNEL_CALLS[name][1]: number for name, number in kernel.functions.items()}


class Variant(NamedTuple):
    """A way to do the same, of which a kernel accepts some; all are equally exact."""

    front: str
    loops: bool  # calls are worked through by bpf_loop (Linux 5.17), otherwise by tail calls
    casts: bool  # kernel memory is read by plain loads (Linux 6.2), otherwise by helper calls

    def __str__(self) -> str:
        extras = ("loops", self.loops), ("plain loads", self.casts)
        return ", ".join([self.front, *(name for name, used in extras if used)])


def kind_of(name: str, variant: Variant) -> int:
    """Return the type that a program is loaded as.

    Where there is no bpf_loop, those that add up run turn by turn, which the kernel repeats only
    for programs that see packets. Where there is, it had better not: it holds back the packets of a
    CPU for as long as such a program runs.
    """
    if name in SUMS and not variant.loops:
        return SOCKET_FILTER
    return TRACEPOINT if takes_record(name) else RAW_TRACEPOINT


def variants(kernel: Kernel, *, front: str | None = None, loops: bool = True) -> list[Variant]:
    """Return what to try on a kernel, the best first; ``front`` and ``loops`` limit the choice.

    Tracepoints of sockets are preferred to those of system calls. Unless it is asked for, a front
    for kernels that can preempt programs is chosen on these only.
    """
    casts = "bpf_rdonly_cast" in kernel.functions
    ways = [(True, True)] * casts + [(True, False), (False, False)]
    unfit = ("sockets",) if kernel_release() >= PREEMPTIBLE_KERNEL else STOOD_IN_FOR
    return [
        Variant(name, *way)
        for name in FRONTS
        if (name not in unfit if front is None else name == front) and _is_possible(name, kernel)
        for way in ways
        if (loops or not way[0])
        and (way[0] or name not in STOOD_IN_FOR)  # they can hand no call on to each other
    ]


def _is_possible(front: str, kernel: Kernel) -> bool:
    tracepoints = {tracepoint_of(name) for name in FRONTS[front]}
    if front == "records" and (
        "OFF_RECORD_SK" not in kernel.offsets
        or not all(map(perf_event.usable_number_of, tracepoints))
    ):
        return False
    return tracepoints <= kernel.tracepoints


def defines_of(plan: Mapping[str, Any], kernel: Kernel, variant: Variant) -> dict[str, int]:
    """Return the macros that the headers need: the kernel's layout, numbers of what is linked."""
    front = "triples" if variant.front in STOOD_IN_FOR else variant.front
    defines = {**plan["defines"], **kernel.offsets, f"FRONT_{front.upper()}": 1}
    defines |= macros(loops=variant.loops)
    defines |= {f"STEP_{name.upper()}": number for number, name in enumerate(STEPS, 1)}
    calls = [] if variant.casts else ["bpf_rdonly_cast"]
    if variant.casts:
        defines |= kernel.types
    if variant.loops and may_hand_on(variant):
        defines |= {"STEPS_APART": 1, "ALL_STEPS": _ALL_STEPS[1]}
    if may_hand_on(variant):
        calls += ["bpf_preempt_disable", "bpf_preempt_enable"]
    usable = kernel.functions.keys() - set(calls)
    defines |= dict(_KERNEL_CALLS[name] for name in usable)
    return defines | ({"SEES_READY": 1} if can_see_ready(kernel, variant.front) else {})


def programs_of(front: str) -> list[str]:
    """Return the programs that see bytes pass, in the order of attaching (hooks.h)."""
    later = LATER if front in STOOD_IN_FOR else ()
    return [
        program
        for first in FRONTS[front]
        for program in (first, *(tracepoint_of(first) + suffix for suffix in later))
    ]


def compiled_with(variant: Variant, defines: Mapping[str, int]) -> list[str]:
    """Return the programs that see bytes pass, of all fronts that are compiled as one."""
    fronts = [variant.front]
    if variant.front in STOOD_IN_FOR:
        fronts = [one for one in STOOD_IN_FOR if one == "triples" or "OFF_RECORD_SK" in defines]
    return list(dict.fromkeys(name for one in fronts for name in programs_of(one)))


def ends_with(defines: Mapping[str, int]) -> list[str]:
    """Return the programs that see TCP connections end, in the order of attaching (close.h)."""
    later = LATER if "PREEMPT_DISABLE_CALL" in defines else ()
    return [END, *(END + suffix for suffix in later)]


def may_hand_on(variant: Variant) -> bool:
    """Return whether programs leave preemption as it is, and so may make tail calls."""
    return kernel_release() < PREEMPTIBLE_KERNEL and variant.front not in STOOD_IN_FOR


def next_programs(variant: Variant) -> dict[int, str]:
    """Return the programs that calls are handed on to, by number."""
    if not variant.loops:
        return {number: f"{step}_program" for number, step in enumerate(STEPS, 1)}
    name, number = _ALL_STEPS
    return {number: name} if may_hand_on(variant) else {}


def kernel_release() -> tuple[int, int]:
    """Return the running kernel's major and minor version."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def can_see_ready(kernel: Kernel, front: str) -> bool:
    """Return whether it can be seen when sockets become readable, and used with a front."""
    return front != "syscalls" and READY in kernel.tracepoints
