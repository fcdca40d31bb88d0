"""``python -m bench``, as root: measure for some minutes on loopback, print a table, write JSON."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import (
    bpf_time,
    collector_tick,
    exactness,
    filter_cost,
    fleet,
    outputs,
    parts,
    quantiles,
    recording,
    screen,
    startup,
    syscall_cost,
    tail,
    throughput,
    ui_tick,
    user_space,
)
from bench.context import Context
from bench.figures import Figure, table
from bench.proc import describe_machine, machine_s
from httptop.doctor import checks

#: A machine of which no more than this share is in use is quiet.
QUIET: Final = 0.06
RESULTS: Final = Path(__file__).parent / "results"

#: Name -> (measure, whether it loads probes).
MEASURES: Final[dict[str, tuple[Callable[[Context], list[Figure]], bool]]] = {
    "throughput": (throughput.measure, True),
    "whole": (throughput.measure_whole, True),
    "tail": (tail.measure, True),
    "syscalls": (syscall_cost.measure, True),
    "bpf": (bpf_time.measure, True),
    "parts": (parts.measure, True),
    "filters": (filter_cost.measure, True),
    "user": (user_space.measure, True),
    "outputs": (outputs.measure, True),
    "startup": (startup.measure, True),
    "counts": (exactness.measure, True),
    "ids": (exactness.measure_ids, True),
    "quantiles": (quantiles.measure, True),
    "ui": (ui_tick.measure, False),
    "screen": (screen.measure, False),
    "collector": (collector_tick.measure, True),
    "recording": (recording.measure, True),
    "fleet": (fleet.measure, False),
}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, eight minutes")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the JSON here as well")
    parser.add_argument(
        "--only",
        metavar="NAME[,NAME...]",
        default=",".join(MEASURES),
        help=f"of {', '.join(MEASURES)}",
    )
    found = parser.parse_args()
    found.only = found.only.split(",")
    if unknown := [name for name in found.only if name not in MEASURES]:
        parser.error(f"unknown measure: {', '.join(unknown)}")
    return found


def say(text: str) -> None:
    """Report on standard error what is being measured."""
    print(f"    {text} ...", file=sys.stderr, flush=True)


def main() -> int:
    """Run the measures asked for; return 1 if one failed, 77 if this host cannot be traced."""
    asked = arguments()
    if any(MEASURES[name][1] for name in asked.only):
        missing = [name for name in ("nginx", "wrk", "taskset", "dd") if not shutil.which(name)]
        reason = checks.refusal() or (f"not installed: {', '.join(missing)}" if missing else None)
        if reason is not None:
            print(f"bench: {reason}", file=sys.stderr)
            return 77
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))  # clean up on the way out
    began = time.monotonic()
    figures: list[Figure] = []
    failures: dict[str, str] = {}
    since = machine_s()
    with Context(asked.quick, say) as run:
        for name in asked.only:
            if (busy := await_quiet(20 if asked.quick else 90)) > QUIET:
                run.note(f"Just before {name}, other processes used {busy:.0%} of the machine.")
            try:
                figures += MEASURES[name][0](run)
            except Exception as error:  # noqa: BLE001 - the others still tell something
                failures[name] = f"{type(error).__name__}: {error}"
                traceback.print_exc()
    machine = describe_machine()
    stolen = _shares(since, machine_s())[1]
    notes = run.notes + _notes(machine, stolen, asked.quick)
    document = {
        "schema": 1,
        "machine": machine,
        "quick": asked.quick,
        "took_s": round(time.monotonic() - began, 1),
        "stolen": round(stolen, 4),
        "figures": [figure.to_dict() for figure in figures],
        "failures": failures,
        "notes": notes,
    }
    print(_report(machine, figures, failures, notes))
    for path in _write(document, asked.out):
        print(f"written: {path}")
    return 1 if failures else 0


def await_quiet(limit_s: float) -> float:
    """Wait until the machine is quiet, up to a limit; return the share of CPU in use, 0 to 1."""
    end = time.monotonic() + limit_s
    while True:
        before = machine_s()
        time.sleep(1.0)
        busy = sum(_shares(before, machine_s()))
        if busy <= QUIET or time.monotonic() > end:
            return busy


def _shares(before: tuple[float, float, float], after: tuple[float, float, float]) -> list[float]:
    """Return the shares of the machine's time that were busy and stolen, each 0 to 1."""
    busy, stolen, total = (b - a for a, b in zip(before, after, strict=True))
    return [busy / max(total, 1e-9), stolen / max(total, 1e-9)]


def _notes(machine: dict[str, object], stolen: float, quick: bool) -> list[str]:
    notes = []
    if machine["virtual"]:
        notes.append(
            "A virtual machine: its speed changes from second to second. Trust ratios, which are "
            "measured in turns within a second, more than absolute figures."
        )
    if stolen > 0.005:
        notes.append(f"The hypervisor took {stolen:.1%} of the CPU time during the run.")
    if len(os.sched_getaffinity(0)) < 3:
        notes.append(
            "There are only two CPUs: httptop and this bench share them with nginx and wrk."
        )
    if quick:
        notes.append("A quick run: few repetitions, wide quartiles.")
    return notes


def _report(
    machine: dict[str, object], figures: list[Figure], failures: dict[str, str], notes: list[str]
) -> str:
    head = (
        f"httptop bench, {machine['date']}\n{machine['cpu']}, {machine['cores']} cores"
        f"{' (virtual)' if machine['virtual'] else ''}, {machine['memory_mb']:,} MB;"
        f" Linux {machine['kernel']}, BCC {machine['bcc']}, Python {machine['python']}"
    )
    parts = [head, table(figures)]
    judged = [figure for figure in figures if figure.goal is not None]
    unmet = [f"  {figure.section}: {figure.name}" for figure in judged if not figure.met]
    parts.append(f"{len(judged) - len(unmet)} of {len(judged)} goals met.")
    if unmet:
        parts.append("Not met:\n" + "\n".join(unmet))
    parts += [f"FAILED {name}: {reason}" for name, reason in failures.items()]
    parts += [f"Note: {note}" for note in notes]
    return "\n\n".join(parts)


def _write(document: dict[str, object], out: Path | None) -> list[Path]:
    text = json.dumps(document, indent=1) + "\n"
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    RESULTS.mkdir(exist_ok=True)
    paths = [RESULTS / f"{stamp}.json"]
    if out is not None:
        paths.append(out)
    for path in paths:
        path.write_text(text, encoding="utf-8")
    return paths


if __name__ == "__main__":
    sys.exit(main())
