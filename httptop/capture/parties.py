"""Write what parties have of a row as plain JSON, and check every type when reading it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from httptop.capture.fields import CaptureError, Json
from httptop.capture.fields import Fields as F
from httptop.model import PartyStats

_MOST: Final = 1024
_Name = TypeVar("_Name", int, str)


def parties_json(parties: Mapping[_Name, PartyStats] | None) -> Json:
    """Return parties as ``[name, requests, errors, answered, mean, max]`` lists; None: unknown."""
    if parties is None:
        return None
    return [
        [name, one.requests, one.errors, one.answered, one.mean_ns, one.max_ns]
        for name, one in parties.items()
    ]


def read_parties(value: Json, name: Callable[[Json], _Name]) -> dict[_Name, PartyStats] | None:
    """Return what :func:`parties_json` wrote; ``name`` reads a name."""
    if value is None:
        return None
    entries = F.as_list(value)
    if len(entries) > _MOST:
        raise CaptureError("has too many parties to the requests of an endpoint")
    read: dict[_Name, PartyStats] = {}
    for entry in entries:
        cells = F.as_list(entry, 6)
        read[name(cells[0])] = PartyStats(
            requests=F.as_count(cells[1]),
            errors=F.as_count(cells[2]),
            answered=F.as_count(cells[3]),
            mean_ns=F.as_number(cells[4]),
            max_ns=F.as_number(cells[5]),
        )
    return read
