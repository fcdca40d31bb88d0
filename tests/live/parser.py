"""The kernel's own parser as a function: bytes in, verdict out, by way of BPF_PROG_TEST_RUN."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Final, NamedTuple

from httptop.bpf import abi
from httptop.bpf.build import compiler, filling
from httptop.bpf.build.placeholders import linked, macros
from httptop.bpf.build.program import load
from httptop.http import path_template
from httptop.linux import bpf_syscall

SOURCE: Final = Path(__file__).with_name("parser_under_test.c")
SCHED_CLS: Final = 3
WINDOW: Final = 768
DEFINES: Final = {"SHARDS": 1, **macros(loops=True)}
#: The numbers of a run that the parser asks for.
CONSTANTS: Final = {"ID_NUMBER": 1, "ID_HEX": 1, "ID_MIXED": 1}

_VERDICT: Final = struct.Struct(f"<Q8I8B{path_template.TEMPLATE_LEN}s")
_FIRST: Final = struct.pack("<I", 0)


class Verdict(NamedTuple):
    """What the kernel makes of some bytes; offsets count from the first byte, 0: not found."""

    body: int
    have: int
    line_end: int
    head_end: int
    has_length: int
    has_coding: int
    target: int
    path_end: int
    status: int
    method: str
    minor: int
    truncated: bool
    stop: bool
    valid: bool
    path: bytes


def build(text: str, defines: dict[str, int] = DEFINES) -> Any:
    """Compile a module and fill the map of character classes."""
    module = compiler.compile_module(text, defines)
    filling.fill_classes(module[b"classes"].map_fd)
    return module


def _load(module: Any, name: str) -> int:
    program = linked(name, lambda part: compiler.instructions_of(module, part), CONSTANTS, {})
    return load(program, name, SCHED_CLS)


class Parser:
    """One load, many runs."""

    def __init__(self) -> None:
        self._module = build(compiler.source(str(SOURCE)))
        self._head = _load(self._module, "judge_head")
        self._path = _load(self._module, "judge_path")
        self._verdicts = self._module[b"verdicts"].map_fd

    def _run(self, program: int, data: bytes, method: int) -> Verdict:
        assert 0 < len(data) <= WINDOW
        packet = struct.pack("<HB13x", len(data), method) + data
        assert bpf_syscall.run_program(program, packet) == 0, data
        value = bpf_syscall.map_lookup(self._verdicts, _FIRST, _VERDICT.size)
        assert value is not None
        (
            body, have, line_end, head_end, has_length, has_coding, target, path_end, status,
            number, minor, truncated, stop, valid, *_, path,
        ) = _VERDICT.unpack(value)  # fmt: skip
        name = abi.METHODS[number] if number < len(abi.METHODS) else "?"
        return Verdict(
            body, have, line_end, head_end, has_length, has_coding, target, path_end, status,
            name, minor, bool(truncated), bool(stop), bool(valid), path.rstrip(b"\0"),
        )  # fmt: skip

    def head(self, data: bytes) -> Verdict:
        """Judge the first bytes of a request or of a response."""
        return self._run(self._head, data, 0)

    def template(self, target: bytes, *, connect: bool = False) -> tuple[bytes, bool]:
        """Return the template of a target, and whether it was truncated."""
        verdict = self._run(
            self._path, target + b" ", abi.METHODS.index("CONNECT" if connect else "GET")
        )
        return verdict.path, verdict.truncated
