"""What is run under each kernel, and how its output is judged."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from tests.kernels import demo

SNAPSHOTS: Final = 20
#: What the kernel writes to its log when something is wrong with it.
_TROUBLE: Final = re.compile(r"\b(BUG|WARNING|Oops|Call Trace|RCU .*stall|hung_task|soft lockup)\b")

#: How the self-test begins the reason of a case that need not agree yet.
_KNOWN: Final = "    known: "

#: Figures for the table, and faults: sentences.
Judged = tuple[str, list[str]]


@dataclass(frozen=True, slots=True)
class Check:
    """A command in the checkout, under one of the kernels."""

    name: str
    command: str
    limit_s: int  # emulation is some fifty times slower than the host, which may be busy
    judge: Callable[[str], Judged]  # of its standard output


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run of a check."""

    HEAD: ClassVar[str] = f"{'check':<12}{'run':<5}{'s':>4}  result"

    check: str
    run: int
    seconds: int
    figures: str
    faults: Sequence[str]

    def __str__(self) -> str:
        """Return the line under :attr:`HEAD`."""
        word = f"FAILED ({len(self.faults)})" if self.faults else "ok"
        return f"{self.check:<12}{self.run:<5}{self.seconds:>4}  {word}: {self.figures}"


def _demo(output: str) -> Judged:
    found = demo.judge(output.splitlines(), SNAPSHOTS)
    missed = ", ".join(f"{name} {count}" for name, count in found.health.items())
    return f"server {found.server_requests}, client {found.client_requests}; {missed}", found.faults


def _selftest(output: str) -> Judged:
    lines = [line for line in output.splitlines() if not line.startswith(_KNOWN)]
    faults = [line for line in lines if line.startswith("    ") or "FAILED" in line]
    return next((line for line in lines if " played in " in line), "no summary"), faults


def _pytest(output: str) -> Judged:
    lines = output.splitlines()
    faults = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return lines[-1] if lines else "", faults


def shown(output: str) -> Judged:
    """Show what a command of the user's says; its status is all that is judged."""
    print(output)
    return "", []


CHECKS: Final = (
    Check("demo", f".venv/bin/httptop --demo -b --format json -n {SNAPSHOTS}", 600, _demo),
    Check("selftest", ".venv/bin/httptop --selftest", 600, _selftest),
    Check("wire", "scripts/test -q tests/live/test_wire.py", 1500, _pytest),
)


def judged(check: Check, run: int, results: Path) -> Outcome:
    """Judge the run of a check by the files that it left in ``results``."""

    def text(suffix: str) -> str:
        file = results / f"{check.name}.{run}.{suffix}"
        return file.read_text(errors="replace") if file.exists() else ""

    status, seconds = (text("status").split() or ["none", "0"])[:2]
    figures, faults = check.judge(text("out"))
    if status != "0":
        said = text("err").strip().rpartition("\n")[2]
        faults = [*faults, f"ended with status {status}: {said}"]
    return Outcome(check.name, run, int(seconds), figures, faults)


def log_faults(log: str) -> list[str]:
    """Return the lines of the kernel's log that tell of trouble."""
    return [line for line in log.splitlines() if _TROUBLE.search(line)]
