"""Write the requests in flight as plain JSON, and check every type when reading them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from httptop.capture.fields import CaptureError, Json
from httptop.capture.fields import Fields as F
from httptop.model import MOST_IN_FLIGHT, EndpointKey, RequestInFlight


def in_flight_json(
    requests: Sequence[RequestInFlight] | None, number_of: Callable[[EndpointKey], int]
) -> Json:
    """Return requests as lists of key's number, age, pid, peer and its process; None: unasked."""
    if requests is None:
        return None
    return [
        [number_of(one.key), one.age_ns, one.pid, one.peer, one.peer_process, one.peer_pid]
        for one in requests
    ]


def read_in_flight(
    value: Json, key_of: Callable[[Json], EndpointKey]
) -> tuple[RequestInFlight, ...]:
    """Return what :func:`in_flight_json` wrote; ``key_of`` returns the key of a number."""
    entries = F.as_list(value)
    if len(entries) > MOST_IN_FLIGHT:
        raise CaptureError("has too many requests in flight")
    read = []
    for entry in entries:
        cells = F.as_list(entry)
        if len(cells) == 4:  # older captures lack the process at the other end
            cells = [*cells, "", None]
        number, age_ns, pid, peer, process, peer_pid = F.as_list(cells, 6)
        read.append(
            RequestInFlight(
                key_of(number),
                F.as_number(age_ns),
                None if pid is None else F.as_count(pid),
                F.as_text(peer),
                F.as_text(process),
                None if peer_pid is None else F.as_count(peer_pid),
            )
        )
    return tuple(read)
