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

from httptop.bpf.build import compiler, loader
from httptop.bpf.plan import plan_of
from httptop.config.scope import Scope, limited
from httptop.config.settings import DEFAULTS
from httptop.linux import bpf_syscall
from httptop.linux.cpus import possible_cpus

_RAW_TRACEPOINT: Final = 17
_ALL, _FIGURES = 2, 4  # how much the verifier is to say
_LOG_LEN: Final = 256 << 20


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.programs", description=__doc__)
    parser.add_argument("--filter", default="", metavar="EXPR", help="with this filter of the run")
    parser.add_argument("--front", choices=loader.FRONTS, help="default: the best of this kernel")
    parser.add_argument("--calls", action="store_true", help="without plain loads, as before 6.2")
    parser.add_argument("--source", type=Path, metavar="FILE", help="write the C as it is compiled")
    parser.add_argument(
        "--log", nargs=2, metavar=("PROGRAM", "FILE"), help="write the verifier's log of a program"
    )
    return parser.parse_args()


def said(code: bytearray, name: str, level: int) -> tuple[str, str]:
    """Return what the verifier says of a program, and why it is refused, if it is."""
    log = ctypes.create_string_buffer(_LOG_LEN)
    buffer = (ctypes.c_char * len(code)).from_buffer(code)
    given = (_RAW_TRACEPOINT, ctypes.addressof(buffer), len(code) // 8, name)
    refused = ""
    try:
        os.close(bpf_syscall.prog_load(*given, log=log, log_level=level))
    except OSError as error:
        refused = f"refused: {error.strerror}"
    return log.value.decode("utf-8", "replace"), refused


def row(name: str, code: bytearray) -> str:
    """Load a program; return its line of the table."""
    log, refused = said(code, name, _FIGURES)
    processed = re.search(r"processed (\d+) insns .* peak_states (\d+)", log)
    stack = re.search(r"stack depth ([\d+]+)", log)
    verified, states = processed.groups() if processed else ("", "")
    depth = stack[1] if stack else ""
    return f"{name:<22}{len(code) // 8:>12}{verified:>12}{states:>8}{depth:>8}  {refused}".rstrip()


def main() -> None:
    """Compile, load each program once, print the table."""
    asked = arguments()
    plan = plan_of(DEFAULTS, limited(asked.filter) if asked.filter else Scope(), possible_cpus())
    kernel = loader.prepare()
    front = asked.front or next(
        name for name, programs in loader.FRONTS.items() if set(programs) <= kernel.tracepoints
    )
    types = {} if asked.calls else loader.casts_of(kernel)
    given = json.loads(plan.to_json())
    if asked.source:
        macros = loader.defines_of(given["defines"], kernel, front, types)
        lines = (f"#define {name} {value}\n" for name, value in macros.items())
        asked.source.write_text("".join(lines) + compiler.source(conditions=given["conditions"]))
    image = loader.compiled(given, kernel, front, types)
    loaded = loader.with_maps(image, given)
    print(f"{'program':<22}{'instructions':>12}{'verified':>12}{'states':>8}{'stack':>8}")
    for name in image.programs:
        code = loader.with_cast(loaded.instructions(name), kernel.cast_id or 0)
        print(row(name, code))
    if asked.log:
        name, path = asked.log
        code = loader.with_cast(loaded.instructions(name), kernel.cast_id or 0)
        Path(path).write_text(said(code, name, _ALL)[0])


if __name__ == "__main__":
    main()
