"""``python -m bench.programs``, as root: how large the programs are, and what the verifier says.

One row a program: its instructions, how many the verifier went through (at most a million), the
states it kept at once, the bytes of stack. docs/kernel-debugging.md tells what to do with them.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
from pathlib import Path
from typing import Final

from httptop.bpf.abi import takes_record
from httptop.bpf.build import compiler, loader, variants
from httptop.bpf.build.linker import (
    Linked,
    function_records,
    types_of,
    with_kernel_functions,
)
from httptop.bpf.build.placeholders import CALLBACKS, FUNCTIONS
from httptop.bpf.plan import plan_of
from httptop.config.scope import Scope, limited
from httptop.config.settings import DEFAULTS
from httptop.linux import bpf_syscall
from httptop.linux.cpus import possible_cpus

_TRACEPOINT, _RAW_TRACEPOINT = 5, 17
_ALL, _FIGURES = 2, 4  # how much the verifier is to say
_LOG_LEN: Final = 256 << 20


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.programs", description=__doc__)
    parser.add_argument("--filter", default="", metavar="EXPR", help="with this filter of the run")
    parser.add_argument("--front", choices=variants.FRONTS, help="default: the best of this kernel")
    parser.add_argument("--calls", action="store_true", help="without plain loads, as before 6.2")
    parser.add_argument("--tail-calls", action="store_true", help="without loops, as before 5.17")
    parser.add_argument("--source", type=Path, metavar="FILE", help="write the C as it is compiled")
    parser.add_argument(
        "--log", nargs=2, metavar=("PROGRAM", "FILE"), help="write the verifier's log of a program"
    )
    return parser.parse_args()


def said(program: Linked, code: bytearray, name: str, level: int) -> tuple[str, str]:
    """Return what the verifier says of a program, and why it is refused, if it is."""
    log = ctypes.create_string_buffer(_LOG_LEN)
    buffer = (ctypes.c_char * len(code)).from_buffer(code)
    kind = _TRACEPOINT if takes_record(name) else _RAW_TRACEPOINT
    given = (kind, ctypes.addressof(buffer), len(code) // 8, name)
    refused = ""
    types = bpf_syscall.btf_load(types_of(program))
    records = function_records(program)
    try:
        os.close(
            bpf_syscall.prog_load(*given, log=log, log_level=level, btf_fd=types, functions=records)
        )
    except OSError as error:
        refused = f"refused: {error.strerror}"
    os.close(types)
    return log.value.decode("utf-8", "replace"), refused


def row(program: Linked, code: bytearray, name: str) -> str:
    """Load a program; return its line of the table."""
    log, refused = said(program, code, name, _FIGURES)
    processed = re.search(r"processed (\d+) insns .* peak_states (\d+)", log)
    stack = re.search(r"stack depth ([\d+]+)", log)
    verified, states = processed.groups() if processed else ("", "")
    depth = stack[1] if stack else ""
    return f"{name:<22}{len(code) // 8:>12}{verified:>12}{states:>8}  {depth:<24}{refused}".rstrip()


def main() -> None:
    """Compile, load each program once, print the table."""
    asked = arguments()
    plan = plan_of(DEFAULTS, limited(asked.filter) if asked.filter else Scope(), possible_cpus())
    given = json.loads(plan.to_json())
    kernel = loader.layout(given)
    possible = variants.variants(kernel, front=asked.front, loops=not asked.tail_calls)
    variant = next(one for one in possible if not (asked.calls and one.casts))
    if asked.source:
        macros = variants.defines_of(given, kernel, variant)
        lines = (f"#define {name} {value}\n" for name, value in macros.items())
        asked.source.write_text("".join(lines) + compiler.source())
    image = loader.compiled(given, kernel, variant)
    loaded = loader.with_maps(image, given)
    apart = loader.looked_at_apart(loaded, variant)
    print(f"{'program':<22}{'instructions':>12}{'verified':>12}{'states':>8}  stack")

    def ready(name: str) -> tuple[Linked, bytearray, str]:
        program = loader.program_of(name, loaded.instructions, given, apart)
        return program, with_kernel_functions(program.code, variants.calls_of(kernel)), name

    for name in image.programs:
        if name not in (*CALLBACKS, *FUNCTIONS):
            print(row(*ready(name)))
    if asked.log:
        name, path = asked.log
        Path(path).write_text(said(*ready(name), _ALL)[0])


if __name__ == "__main__":
    main()
