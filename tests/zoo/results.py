"""What a run of the zoo leaves behind, and the comparison that fills it."""

from __future__ import annotations

import dataclasses
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from httptop.model import EndpointStats, Side
from tests.live.live import Watch, rows_of
from tests.zoo.running import OWN, Responses

RESULTS: Final = OWN / "results.json"
_SETTLE_S: Final = 3.0


@dataclass
class Cell:
    """One server under one client: the counts of each, and whether they agree."""

    server: str
    server_version: str
    client: str
    client_version: str
    requests: int = 0
    responses: dict[str, int] = dataclasses.field(default_factory=dict)
    server_side: str = "not compared"
    client_side: str = "not compared"
    io_uring: bool = False
    part: str = "servers"
    #: Requests that the client sent and did not wait for.
    left_over: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return dataclasses.asdict(self)

    def holds(self, responses: Responses) -> None:
        """Note what went through."""
        self.requests = responses.total()
        found: Counter[str] = Counter()
        for (_, _, status), count in responses.items():
            found[str(status) if status else "none"] += count
        self.responses = dict(sorted(found.items()))


def version_of(command: tuple[str, ...]) -> str:
    """Return the first line that a program says about its version."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return ""
    return ((done.stdout or done.stderr).strip().splitlines() or [""])[0]


def responses_of(rows: list[EndpointStats]) -> Responses:
    """Return what some rows of httptop's count, all methods, paths and statuses apart."""
    counted: Responses = Counter()
    for row in rows:
        for status, count in row.status.items():
            counted[row.key.method, row.key.path, status] += count
        if gone := row.unanswered + (row.in_flight or 0):
            counted[row.key.method, row.key.path, 0] += gone
    return counted


def compare(
    watch: Watch,
    path: str,
    side: Side,
    wanted: Responses,
    process: str = "",
    without: str = "",
) -> str:
    """Return ``equal``, or how httptop's rows differ from what the other one counted.

    ``process`` and ``without`` tell the two processes of a proxy and what is behind it apart.
    """
    deadline = time.monotonic() + _SETTLE_S
    while True:
        rows = [
            row
            for row in rows_of(watch.step(), path, side)
            if process in ("", row.key.process) and row.key.process != without
        ]
        counted = responses_of(rows)
        if counted == wanted:
            return "equal"
        if time.monotonic() > deadline:
            return f"httptop more: {_show(counted - wanted)}; less: {_show(wanted - counted)}"
        time.sleep(0.01)


def _show(responses: Responses) -> str:
    return ", ".join(
        f"{count} × {method} {path} {status or 'none'}"
        for (method, path, status), count in sorted(responses.items())
    )
