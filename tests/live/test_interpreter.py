"""The interpreter of BPF programs against the kernel, which runs the same instructions."""

from __future__ import annotations

import contextlib
import os
import random
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from httptop.bpf import abi
from httptop.bpf.build import compiler
from httptop.bpf.build.compiler import LoadError
from httptop.bpf.build.object_file import image_of
from httptop.bpf.build.placeholders import CALLBACKS, linked
from httptop.linux import bpf_syscall
from tests import vectors
from tests.bpf.interpreter.helpers import HELPERS
from tests.bpf.interpreter.machine import Machine
from tests.bpf.interpreter.maps import ArrayMap
from tests.live import reference
from tests.live.parser import CONSTANTS, WINDOW, Parser

pytestmark = pytest.mark.ebpf

_SKB_LOAD_BYTES = 26


def _callbacks(module: Any) -> list[str]:
    """Return the callbacks that the parser has, of those of the probes."""
    found = []
    for name in CALLBACKS:
        with contextlib.suppress(LoadError):
            compiler.instructions_of(module, name)
            found.append(name)
    return found


class Both:
    """The parser of heads and of targets, run by the kernel and by the interpreter."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        names = ("judge_head", "judge_path")
        module = parser._module
        functions = (*names, *_callbacks(module))
        image = image_of({name: compiler.instructions_of(module, name) for name in functions})
        programs = {
            name: linked(name, image.programs.__getitem__, CONSTANTS, {}).code for name in names
        }
        helpers = {**HELPERS, _SKB_LOAD_BYTES: self._load_bytes}
        self._machine = Machine(image.maps, programs, helpers, {})
        self._machine.maps["classes"].copy_from(module[b"classes"].map_fd)
        verdicts = self._machine.maps["verdicts"]
        assert isinstance(verdicts, ArrayMap)
        self._verdict = verdicts.values.data
        self._verdicts_fd = module[b"verdicts"].map_fd
        self._packet = b""

    def _load_bytes(
        self, machine: Machine, _: int, offset: int, to: int, length: int, __: int
    ) -> int:
        machine.memory.write(to, self._packet[offset : offset + length])
        return 0

    def head(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the verdicts on a head: the kernel's, the interpreter's."""
        self._parser.head(data)
        return self._verdicts("judge_head", data, 0)

    def target(self, data: bytes, *, connect: bool) -> tuple[bytes, bytes]:
        """Return the verdicts on a target: the kernel's, the interpreter's."""
        self._parser.template(data, connect=connect)
        method = abi.METHODS.index("CONNECT" if connect else "GET")
        return self._verdicts("judge_path", data + b" ", method)

    def _verdicts(self, name: str, data: bytes, method: int) -> tuple[bytes, bytes]:
        self._packet = struct.pack("<HB13x", len(data), method) + data
        self._machine.run(name)
        assert self._machine.result == 0
        found = bpf_syscall.map_lookup(self._verdicts_fd, bytes(4), len(self._verdict))
        assert found is not None
        return found, bytes(self._verdict)


@pytest.fixture
def both(parser: Parser) -> Iterator[Both]:
    """Both, on one CPU, since each CPU's scratch keeps what it held; both have seen this head."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    made = Both(parser)
    made.head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    yield made
    os.sched_setaffinity(0, cpus)


def test_they_agree_on_heads(both: Both) -> None:
    dice = random.Random(3)
    heads = [vector.data for vector in vectors.heads()]
    for data in (*heads, *(reference.mutated(dice, dice.choice(heads)) for _ in range(60))):
        kernel, interpreter = both.head(data[:WINDOW])
        assert kernel == interpreter, data


def test_they_agree_on_targets(both: Both) -> None:
    dice = random.Random(4)
    for vector in vectors.paths():
        kernel, interpreter = both.target(vector.target, connect=vector.connect)
        assert kernel == interpreter, vector
    for _ in range(100):
        target = reference.made_up_target(dice)[: WINDOW - 1]
        kernel, interpreter = both.target(target, connect=False)
        assert kernel == interpreter, target
