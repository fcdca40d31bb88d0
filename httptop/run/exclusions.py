"""Flags that exclude each other, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from httptop.errors import UsageError


class Exclusion(NamedTuple):
    """Two flags of which a run can have one."""

    one: str
    other: str
    why: str = ""  # where it does not go without saying


EXCLUSIONS: Final = (
    Exclusion("--replay", "--demo"),
    Exclusion("--replay", "--record"),
    Exclusion(
        "--replay",
        "--prometheus",
        "Prometheus asks how things are now, and a capture is of another time",
    ),
    Exclusion("--replay", "--otlp", "what is counted on this host now is pushed"),
    Exclusion("--from", "--replay"),
    Exclusion("--from", "--demo"),
    Exclusion("--from", "--prometheus", "what they show is in a Prometheus already"),
    Exclusion("--from", "--otlp", "what is counted on this host now is pushed"),
    Exclusion("--from", "--log", "metrics have no single requests"),
)


def check_exclusions(given: Mapping[str, bool]) -> None:
    """Raise :class:`UsageError` if two flags are given that exclude each other."""
    for one, other, why in EXCLUSIONS:
        if given[one] and given[other]:
            reason = f": {why}" if why else ""
            raise UsageError(f"{one} and {other} exclude each other{reason}")
