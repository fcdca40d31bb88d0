"""Processes as /proc shows them, and this machine."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from bench.parsing import parse_map_info


def cpu_ns(*pids: int) -> int:
    """Return the CPU time of processes, all their living threads, in nanoseconds."""
    total = 0
    for pid in pids:
        for task in _entries(f"/proc/{pid}/task"):
            total += int((_text(f"/proc/{pid}/task/{task}/schedstat") or "0").split()[0])
    return total


def tree(root: int) -> list[int]:
    """Return a process and all its living descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in _entries("/proc"):
        if entry.isdigit() and (stat := _text(f"/proc/{entry}/stat")):
            children[int(stat.rpartition(")")[2].split()[1])].append(int(entry))
    found, rest = [], [root]
    while rest:
        found.append(rest.pop())
        rest += children[found[-1]]
    return found


def rss_bytes(pids: Iterable[int], *, peak: bool = False) -> int:
    """Return the sum of the processes' resident memory, now or each one's peak."""
    field = "VmHWM" if peak else "VmRSS"
    total = 0
    for pid in pids:
        if found := re.search(rf"{field}:\s+(\d+)", _text(f"/proc/{pid}/status")):
            total += int(found[1])
    return total * 1024


def pss_bytes(pids: Iterable[int]) -> int:
    """Return the same with a page that several processes map divided among these."""
    total = 0
    for pid in pids:
        if found := re.search(r"^Pss:\s+(\d+)", _text(f"/proc/{pid}/smaps_rollup"), re.MULTILINE):
            total += int(found[1])
    return total * 1024


def bpf_map_bytes(pids: Iterable[int]) -> int:
    """Return the memory of all BPF maps that the processes hold, each once; no part of RSS."""
    maps: dict[int, int] = {}
    for pid in pids:
        for entry in _entries(f"/proc/{pid}/fdinfo"):
            if found := parse_map_info(_text(f"/proc/{pid}/fdinfo/{entry}")):
                maps[found[0]] = found[1]
    return sum(maps.values())


def machine_s() -> tuple[float, float, float]:
    """Return (busy, stolen by the hypervisor, total) CPU seconds of the machine since boot."""
    user, nice, system, idle, wait, irq, soft, steal = map(
        int, _text("/proc/stat").splitlines()[0].split()[1:9]
    )
    busy = user + nice + system + irq + soft
    tick = os.sysconf("SC_CLK_TCK")
    return busy / tick, steal / tick, (busy + idle + wait + steal) / tick


def describe_machine() -> dict[str, object]:
    """Return what the figures depend on."""
    info = _text("/proc/cpuinfo")
    model = re.search(r"^model name\s*:\s*(.*)$", info, re.MULTILINE)
    return {
        "cpu": model[1].strip() if model else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "virtual": "hypervisor" in info,
        "memory_mb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
        "kernel": platform.release(),
        "bcc": _bcc_version(),
        "python": platform.python_version(),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _bcc_version() -> str:
    from httptop.bpf.build.find_bcc import find_bcc

    directory = find_bcc()
    if directory is None:
        return "none"
    text = _text(str(Path(directory) / "bcc" / "version.py"))
    found = re.search(r"""__version__\s*=\s*['"]([^'"]+)""", text)
    return found[1] if found else "unknown"


def _entries(directory: str) -> list[str]:
    with contextlib.suppress(OSError):
        return os.listdir(directory)
    return []


def _text(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text(errors="replace")
    return ""
