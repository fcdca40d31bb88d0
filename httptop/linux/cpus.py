"""The CPUs of this host, by their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_CPUS: Final = Path("/sys/devices/system/cpu")


def online_cpus() -> set[int]:
    """Return the numbers of the CPUs that are online."""
    return parse_cpus((_CPUS / "online").read_text("ascii", "replace"))


def possible_cpus() -> int:
    """Return one more than the highest CPU number that the kernel may ever use."""
    return max(parse_cpus((_CPUS / "possible").read_text("ascii", "replace"))) + 1


def possible_cpu_count() -> int:
    """Return how many CPUs the kernel may ever use: so many values have maps by CPU."""
    return len(parse_cpus((_CPUS / "possible").read_text("ascii", "replace")))


def parse_cpus(text: str) -> set[int]:
    """Return the numbers in the kernel's list format: ``0-3,8``."""
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first:
            found.update(range(int(first), int(last or first) + 1))
    return found
