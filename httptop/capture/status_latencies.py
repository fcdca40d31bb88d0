"""Write a row's latencies by status as plain JSON, and check every type when reading them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from httptop.capture.fields import CaptureError, Json
from httptop.capture.fields import Fields as F
from httptop.model import StatusLatency

_MOST: Final = 1024  # codes and classes


def status_latencies_json(by_status: Mapping[int, StatusLatency] | None) -> Json:
    """Return them as ``[code, count, mean, p50, p99]`` lists; None: unknown."""
    if by_status is None:
        return None
    return [
        [code, one.count, one.mean_ns, one.p50_ns, one.p99_ns] for code, one in by_status.items()
    ]


def read_status_latencies(value: Json) -> dict[int, StatusLatency] | None:
    """Return what :func:`status_latencies_json` wrote."""
    if value is None:
        return None
    entries = F.as_list(value)
    if len(entries) > _MOST:
        raise CaptureError("has too many statuses of an endpoint")
    read: dict[int, StatusLatency] = {}
    for entry in entries:
        cells = F.as_list(entry, 5)
        read[F.as_count(cells[0])] = StatusLatency(
            count=F.as_count(cells[1]),
            mean_ns=F.as_number(cells[2]),
            p50_ns=None if cells[3] is None else F.as_number(cells[3]),
            p99_ns=None if cells[4] is None else F.as_number(cells[4]),
        )
    return read
