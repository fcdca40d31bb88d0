"""Boot Linux kernels of several ages and check there that httptop counts right.

``make test-kernels`` runs it as root; docs/robustness.md says what it is for. It needs 2 GB of disk
for each release, a network the first time, and debootstrap, git and QEMU, which apt-get installs.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.kernels import machine
from tests.kernels.checks import CHECKS, Check, Outcome, judged, log_faults, shown
from tests.kernels.trees import CHECKOUT, RELEASES, Tree, prepare

ROOT: Final = Path(__file__).parents[2]
#: Where results are, in a tree.
RESULTS: Final = "results"
_SCRIPT: Final = "guest.sh"
#: For the start and the end of a machine, in seconds.
_STARTS_S: Final = 300
#: What the host must have, by the packages that bring it.
_TOOLS: Final = {"debootstrap": "debootstrap", "git": "git", "qemu-system-x86": machine.QEMU}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return 0 if all is right, 1 if not, 2 if it cannot be."""
    asked = _parser().parse_args(arguments)
    checks = [check for check in CHECKS if check.name in asked.checks.split(",")]
    if asked.command is not None:
        checks = [Check("command", f"sh -c {shlex.quote(asked.command)}", 1200, shown)]
    if missing := _missing():
        print(f"==> installing {' '.join(missing)}", flush=True)
        with contextlib.suppress(OSError):
            install = ("apt-get", "-q", "-y", "install", "--no-install-recommends", *missing)
            subprocess.run(install, check=False)
    if missing := _missing():
        print(f"This needs {' and '.join(missing)}: please install it.", file=sys.stderr)
        return 2
    right = True
    lines = []
    for release in asked.releases:
        began = time.monotonic()
        try:
            tree = prepare(asked.work.resolve(), release, asked.checkout.resolve())
            outcomes = list(_performed(tree, checks, asked.runs, asked.append))
        except (subprocess.CalledProcessError, OSError, machine.Died) as error:
            print(f"{release}: {error}", file=sys.stderr)
            right = False
            continue
        right = right and not any(outcome.faults for outcome in outcomes)
        lines += [f"{release:<10}{tree.version:<22}{outcome}" for outcome in outcomes]
        print(f"==> {release} took {time.monotonic() - began:.0f} s", flush=True)
    print(f"\n{'release':<10}{'kernel':<22}{Outcome.HEAD}")
    print("\n".join(lines))
    return 0 if right else 1


def _missing() -> list[str]:
    return [package for package, tool in _TOOLS.items() if shutil.which(tool) is None]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.kernels", description=__doc__)
    names = ",".join(check.name for check in CHECKS)
    parser.add_argument(
        "releases", nargs="*", default=RELEASES, metavar="RELEASE",
        help=f"Debian releases, whose kernels are booted ({' '.join(RELEASES)})",
    )  # fmt: skip
    parser.add_argument("--runs", type=int, default=3, help="how often each check runs (3)")
    parser.add_argument("--checks", default=names, help=f"which of {names} run (all)")
    parser.add_argument(
        "--command",
        help="run this there in place of the checks, in the checkout, and print its output",
    )
    parser.add_argument(
        "--work", type=Path, default=ROOT / ".kernels", help="where trees and results are kept"
    )
    parser.add_argument(
        "--checkout", type=Path, default=ROOT, help="test this checkout instead of this one"
    )
    parser.add_argument(
        "--append", default="", help="more for the kernel's command line, such as preempt=full"
    )
    return parser


def _performed(tree: Tree, checks: Sequence[Check], runs: int, append: str) -> Iterator[Outcome]:
    """Boot the tree, run the checks there, print and yield what came of each."""
    results = tree.root / RESULTS
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir()
    (tree.root / _SCRIPT).write_text(guest_script(checks, runs))
    archive = results / "initramfs"
    archive.write_bytes(machine.initramfs(tree.root / "bin/busybox", tree.modules, f"/{_SCRIPT}"))
    limit_s = _STARTS_S + runs * sum(check.limit_s for check in checks)
    print(f"==> {tree.root.name}: Linux {tree.version}", flush=True)
    for line in machine.boot(tree.root, tree.kernel, archive, limit_s, append=append):
        print(f"    {line}", flush=True)
    for run in range(1, runs + 1):
        for check in checks:
            yield _told(judged(check, run, results))
    log = results / "dmesg"
    if faults := log_faults(log.read_text()) if log.exists() else ["the machine ended before"]:
        yield _told(Outcome("kernel log", 0, 0, "", faults))


def _told(outcome: Outcome) -> Outcome:
    for fault in outcome.faults:
        print(f"    {outcome.check} {outcome.run}: {fault}")
    return outcome


def guest_script(checks: Sequence[Check], runs: int) -> str:
    """Return the script that runs the checks and keeps the output, status and time of each."""
    lines = [
        machine.PREPARE,
        f"cd /{CHECKOUT}",
        'echo "up after $(cut -d. -f1 /proc/uptime) s;'
        ' preemption: $(cat /sys/kernel/debug/sched/preempt 2>/dev/null || echo as built)"',
    ]
    for run in range(1, runs + 1):
        for check in checks:
            out = f"/{RESULTS}/{check.name}.{run}"
            lines += [
                f"echo '{check.name}, run {run}'",
                "began=$(cut -d. -f1 /proc/uptime)",
                f"timeout {check.limit_s} {check.command} >{out}.out 2>{out}.err </dev/null",
                f"echo $? $(($(cut -d. -f1 /proc/uptime) - began)) >{out}.status",
            ]
    return "\n".join([*lines, f"dmesg >/{RESULTS}/dmesg", machine.POWER_OFF])


if __name__ == "__main__":
    sys.exit(main())
