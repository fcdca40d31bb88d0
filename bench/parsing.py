"""What other programs print, as numbers."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

_MICROSECONDS: Final = {"us": 1.0, "ms": 1e3, "s": 1e6}


class ParseError(Exception):
    """A program printed something else than expected; the text holds its words."""


class Load(NamedTuple):
    """What a load generator says it did."""

    requests: int
    rps: float
    errors: int  # connections that failed and responses other than 2xx and 3xx
    p99_us: float = 0.0  # latency as wrk sees it, microseconds; 0: not said


def _wanted(pattern: str, text: str) -> re.Match[str]:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise ParseError(f"expected {pattern!r} in: {text[-600:]}")
    return found


def parse_wrk(text: str) -> Load:
    """Read what wrk prints at its end."""
    requests = int(_wanted(r"(\d+) requests in", text)[1])
    rps = float(_wanted(r"Requests/sec:\s+([\d.]+)", text)[1])
    errors = 0
    if bad := re.search(r"Non-2xx or 3xx responses: (\d+)", text):
        errors += int(bad[1])
    if bad := re.search(r"errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text):
        errors += sum(map(int, bad.groups()))
    p99 = re.search(r"^\s+99%\s+([\d.]+)(us|ms|s)$", text, re.MULTILINE)
    return Load(requests, rps, errors, float(p99[1]) * _MICROSECONDS[p99[2]] if p99 else 0.0)


def parse_ab(text: str) -> Load:
    """Read what ab prints at its end."""
    errors = int(_wanted(r"^Failed requests:\s+(\d+)", text)[1])
    if bad := re.search(r"^Non-2xx responses:\s+(\d+)", text, re.MULTILINE):
        errors += int(bad[1])
    return Load(
        int(_wanted(r"^Complete requests:\s+(\d+)", text)[1]),
        float(_wanted(r"^Requests per second:\s+([\d.]+)", text)[1]),
        errors,
    )


def parse_dd(text: str) -> float:
    """Return the seconds that dd took."""
    return float(_wanted(r"copied, ([\d.e+-]+) s", text)[1])


def parse_stub_status(text: str) -> int:
    """Return the requests that nginx has begun, the one for this page included."""
    return int(_wanted(r"^\s*\d+\s+\d+\s+(\d+)\s*$", text)[1])


def parse_map_info(text: str) -> tuple[int, int] | None:
    """Return (id, bytes locked) of the BPF map that a file of /proc/<pid>/fdinfo is about."""
    name = re.search(r"^map_id:\s+(\d+)", text, re.MULTILINE)
    locked = re.search(r"^memlock:\s+(\d+)", text, re.MULTILINE)
    return (int(name[1]), int(locked[1])) if name and locked else None


def requests_of(snapshot: dict[str, Any], side: str, path: str) -> int:
    """Return the requests of a JSON snapshot on one side of one path."""
    return sum(
        row["requests"]
        for row in snapshot["endpoints"]
        if row["side"] == side and row["path"] == path
    )


def answered_of(snapshot: dict[str, Any], side: str, path: str) -> int:
    """Return the requests on one side of one path that got a response."""
    return sum(
        sum(row["status"].values())
        for row in snapshot["endpoints"]
        if row["side"] == side and row["path"] == path
    )
