"""What older kernels ask of programs, asked here: they are compiled for them, and not run.

Before Linux 6.5 or so the verifier takes a loop only where the edge back to its head is a jump; an
instruction that is none may not fall into the head of a loop that it is part of.

Before Linux 6.13 a program has one stack of 512 bytes with all functions that it calls, each of
which takes a multiple of 32. Newer kernels give each function its own, and refuse nothing of it.
"""

from __future__ import annotations

import json
import struct
from typing import Final

import pytest

from httptop.bpf.build import loader, variants
from httptop.bpf.build.linker import Linked
from httptop.bpf.build.placeholders import CALLBACKS, FUNCTIONS
from httptop.bpf.plan import plan_of
from httptop.config.scope import Scope, limited
from httptop.config.settings import DEFAULTS
from tests.live.pool import cached

pytestmark = pytest.mark.ebpf

_JUMPS: Final = (5, 6)
_ALWAYS, _CALL, _EXIT = 0x0, 0x8, 0x9
STACK_LEN: Final = 512
_FRAME_STEP: Final = 32
_FRAME: Final = 10  # the register that holds the end of a function's frame
_LOAD, _STORES, _CALCULATIONS = 1, (2, 3), (4, 7)
_MOVE, _ADD = 0xBF, 0x07
_LOAD_WIDE, _FUNCTION = 0x18, 4
_CALL_FUNCTION, _OWN = 0x85, 1
#: In a filter: every field, with all the forms of its values.
ALL_FIELDS: Final = (
    "(pid = 5-9,77,100-4000 or user = 1,2,3,4 or container ~ b*,c) and comm ~ a*b,c,d?,*e "
    "and port >= 1024 and side = client "
    "and (peer = 10.0.0.0/8,192.168.1.1,fe80::/10 or socket = tcp or connection = accepted) "
    "and (host ~ *.org,b.com,[::1] or method = PUT,POST,OTHER or status < 300) and "
    "(latency = 1s-2s,5s,7s or request_size = 7,9,1KiB-1MiB or size < 100)"
)
SCOPES: Final = (
    "",
    "pid = 1-5 and user = root and comm ~ a*b and port = 80 and peer = 10.0.0.0/8"
    " and (host ~ *.example.org or status = 5xx or size > 10)",
)


def falls_into_a_loop(code: bytes) -> int | None:
    """Return the first instruction that the kernel's check_cfg() would refuse; None: none."""
    count = len(code) // 8
    edges: list[list[tuple[int, bool]]] = []  # where to, whether a loop may be closed so
    for at in range(count):
        opcode, _, offset = struct.unpack_from("<BBh", code, 8 * at)
        kind, operation = opcode & 7, opcode >> 4
        if kind not in _JUMPS or operation == _CALL:
            edges.append([(at + 1, False)])
        elif operation == _EXIT:
            edges.append([])
        elif operation == _ALWAYS:
            edges.append([(at + offset + 1, True)])
        else:
            edges.append([(at + 1, True), (at + offset + 1, True)])
    open_, done = 1, 2
    state = [0] * (count + 1)
    stack = [(0, iter(edges[0]))]
    state[0] = open_
    while stack:
        at, rest = stack[-1]
        for to, may_loop in rest:
            if state[to] == open_ and not may_loop:
                return at
            if not state[to]:
                state[to] = open_
                stack.append((to, iter(edges[to])))
                break
        else:
            state[at] = done
            stack.pop()
    return None


@pytest.mark.parametrize("text", SCOPES)
def test_loops_are_closed_by_jumps(text: str) -> None:
    plan = json.loads(cached(plan_of(DEFAULTS, limited(text) if text else Scope(), 2)).to_json())
    variant = variants.Variant("syscalls", loops=False, casts=False)
    image = loader.compiled(plan, loader.layout(plan), variant)
    found = {name: falls_into_a_loop(code) for name, code in image.programs.items()}
    assert found == dict.fromkeys(image.programs)


def frame_of(code: bytes) -> int:
    """Return how much of its frame a function uses: how far below the frame's end it reaches."""
    lowest, at, frames = 0, 0, {_FRAME}
    while at < len(code) // 8:
        opcode, registers, offset, number = struct.unpack_from("<BBhi", code, 8 * at)
        to, source = registers & 15, registers >> 4
        kind = opcode & 7
        if kind == _LOAD:
            lowest = min(lowest, offset if source == _FRAME else 0)
            frames.discard(to)
        elif kind in _STORES:
            lowest = min(lowest, offset if to == _FRAME else 0)
        elif opcode == _MOVE and source == _FRAME:
            frames.add(to)
        elif kind in _CALCULATIONS:
            if opcode == _ADD and to in frames:
                lowest = min(lowest, number)
            frames.discard(to)
        at += 2 if opcode == _LOAD_WIDE else 1
    return -lowest


def deepest(program: Linked) -> int:
    """Return how much stack those functions of a program take, at most, that call each other."""
    ends = (*program.functions[1:], len(program.code) // 8)
    frames, called = [], []
    for first, end in zip(program.functions, ends, strict=True):
        frame = frame_of(program.code[8 * first : 8 * end])
        frames.append(-(-max(frame, 1) // _FRAME_STEP) * _FRAME_STEP)
        found = set()
        for at in range(first, end):
            opcode, registers, distance = struct.unpack_from("<BB2xi", program.code, 8 * at)
            refers = {_LOAD_WIDE: _FUNCTION, _CALL_FUNCTION: _OWN}.get(opcode)
            if refers is not None and registers >> 4 == refers:
                found.add(program.functions.index(at + 1 + distance))
        called.append(found)

    def depth(number: int) -> int:
        return frames[number] + max(map(depth, called[number]), default=0)

    return depth(0)


@pytest.mark.parametrize(
    ("text", "contained"),
    [
        ("", False),
        (ALL_FIELDS, False),
        ("", True),
        ("pid = 7 and container = web and size > 1", True),
    ],
    ids=["no filter", "all fields", "in a container", "in a container, by container"],
)
@pytest.mark.parametrize(("front", "casts"), [("syscalls", False), ("sockets", True)])
def test_the_stack_is_large_enough(front: str, casts: bool, text: str, contained: bool) -> None:
    namespace = 4026532178 if contained else None
    given = plan_of(DEFAULTS, limited(text) if text else Scope(), 2, namespace)
    plan = json.loads(cached(given).to_json())
    kernel = loader.layout(plan)
    if casts and "bpf_rdonly_cast" not in kernel.functions:
        pytest.skip("before Linux 6.2")
    variant = variants.Variant(front, loops=True, casts=casts)
    if "container" in text:
        plan["constants"] |= {"GROUPS_1": 1}  # as on a host that has version 1
    image = loader.compiled(plan, kernel, variant)
    names = image.programs.keys() - {*CALLBACKS, *FUNCTIONS}
    depths = {
        name: deepest(loader.program_of(name, image.programs.__getitem__, plan)) for name in names
    }
    assert max(depths.values()) > STACK_LEN // 4
    assert {name: depth for name, depth in depths.items() if depth > STACK_LEN} == {}
