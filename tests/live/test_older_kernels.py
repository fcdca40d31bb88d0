"""What older kernels ask of programs, asked here: they are compiled for them, and not run.

Before Linux 6.5 or so the verifier takes a loop only where the edge back to its head is a jump; an
instruction that is none may not fall into the head of a loop that it is part of.
"""

from __future__ import annotations

import json
import struct
from typing import Final

import pytest

from httptop.bpf.build import loader
from httptop.bpf.plan import plan_of
from httptop.config.scope import Scope, limited
from httptop.config.settings import DEFAULTS
from httptop.linux import btf

pytestmark = pytest.mark.ebpf

_JUMPS: Final = (5, 6)
_ALWAYS, _CALL, _EXIT = 0x0, 0x8, 0x9
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
    kernel = btf.describe_kernel()
    plan = plan_of(DEFAULTS, limited(text) if text else Scope(), 2)
    variant = loader.Variant("syscalls", loops=False, casts=False)
    image = loader.compiled(json.loads(plan.to_json()) | {"cache": ""}, kernel, variant)
    found = {name: falls_into_a_loop(code) for name, code in image.programs.items()}
    assert found == dict.fromkeys(image.programs)
