"""The trace that a request belongs to, from its field ``traceparent`` (W3C Trace Context)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from httptop.http.field_lines import fields_of
from httptop.model import Transaction

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NAME: Final = "traceparent"
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A trace, and the span in it that a request belongs to."""

    trace_id: bytes  # 16 bytes
    parent_id: bytes  # 8 bytes: the span that the request was sent for
    flags: int

    @property
    def sampled(self) -> bool:
        """Whether whoever sent the request records this trace."""
        return bool(self.flags & _SAMPLED)


def context_of(head: Iterable[str]) -> TraceContext | None:
    """Return the context in the lines of a header section; None: it has none, or no valid one."""
    lines = [line for line in head if line[: len(_NAME)].lower() == _NAME]  # most have none
    values = [value.strip() for name, value in fields_of(lines) if len(name) == len(_NAME)]
    found = _TRACEPARENT.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    # Later versions may add to what version 0 has; ff is no version, zeros are no ids.
    if version == "ff" or (version == "00" and more) or not trace_id.strip("0"):
        return None
    if not parent_id.strip("0"):
        return None
    return TraceContext(bytes.fromhex(trace_id), bytes.fromhex(parent_id), int(flags, 16))


#: A request, and the trace that it belongs to, if that is known.
Traced = tuple[Transaction, TraceContext | None]


def traced(requests: Iterable[Transaction]) -> list[Traced]:
    """Return requests with their contexts, without those whose trace nobody records.

    Of a request whose header section was not kept nobody knows which trace it belongs to.
    """
    found = ((request, context_of(request.request_head)) for request in requests)
    return [(request, context) for request, context in found if context is None or context.sampled]
