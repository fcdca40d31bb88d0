"""What the frames of a capture of schema 2 hold: msgpack, of the model's own types.

A snapshot is a part, or several if it is large; the first one has all of it but the rows:

- ``snapshot`` is a :class:`~httptop.model.Snapshot` by the names of its fields, without rows,
  single requests, and trends. A reader ignores what it does not know; what a capture lacks has its
  default.
- A trend is how many values went at its front, and those that were added.
- ``keys`` are those of rows that had none yet; they count from 0 on since the last whole snapshot.
- ``order`` has the numbers of all rows in their order, four bytes each; it is left out where it is
  that of the snapshot before.
- ``rows`` has those that have changed, each with the number of its key, the difference of its
  trend, and its values, if these have changed: a list, in the order that the line for people names.
- ``recent`` has the serials of the single requests; ``requests`` those that are new.

An index has the moments of the snapshots since the index before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, replace
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any, Final, NamedTuple, TypeVar, get_type_hints

import msgspec
from msgspec import Meta

from httptop.capture.checked import checked
from httptop.capture.frames import CHANGES, MORE, WHOLE, FrameReader, Head
from httptop.capture.problems import CaptureError, CutOff
from httptop.collect.parties import Split
from httptop.model import (
    MOST_IN_FLIGHT,
    SIDES,
    EndpointKey,
    EndpointStats,
    Snapshot,
    Transaction,
)

#: The most rows of a snapshot, and values of trends and bytes in a snapshot: what the most
#: endpoints that can be counted would take, and half as much again.
MOST_ROWS: Final = 1 << 16
_MOST_TREND_VALUES: Final = 6_000_000
_LARGEST_SNAPSHOT: Final = 256 << 20
_MOST_REQUESTS: Final = 1 << 15

#: The fields of a row that are among its values.
ROW: Final = tuple(
    field.name
    for field in fields(EndpointStats)
    if field.name not in ("key", "trend_ns", "partial")
)
values_of: Final = attrgetter(*ROW)
_REQUIRED: Final = {
    field.name for field in fields(EndpointStats) if field.default is MISSING
} & set(ROW)


class Tick(msgspec.Struct, omit_defaults=True):
    """A snapshot but its rows."""

    snapshot: Snapshot
    dropped: dict[str, int] = {}
    recent: Annotated[list[int], Meta(max_length=_MOST_REQUESTS)] = []
    order: bytes | None = None
    in_flight_after_s: float = 0.0


class Row(msgspec.Struct, array_like=True):
    """A row that has changed."""

    number: int
    dropped: int
    added: list[float | None]
    values: bytes | None = None


class Part(msgspec.Struct, omit_defaults=True):
    """All or a part of a snapshot."""

    tick: Tick | None = None
    keys: Annotated[list[EndpointKey], Meta(max_length=MOST_ROWS)] = []
    requests: Annotated[list[Transaction], Meta(max_length=_MOST_REQUESTS)] = []
    rows: Annotated[list[Row], Meta(max_length=MOST_ROWS)] = []
    more: bool = False


class Moment(msgspec.Struct, array_like=True, frozen=True):
    """A snapshot in an index."""

    taken_at: float
    uptime_s: float
    offset: int  # of its first frame, from the start of the capture on
    rates: tuple[float, float]  # requests a second of the sides, in the order of SIDES


class Index(msgspec.Struct):
    """The snapshots since the index before; the first of them is a whole one."""

    number: int  # of the first one, from 0 on
    moments: Annotated[list[Moment], Meta(max_length=4096)]


class Unit(NamedTuple):
    """The parts of a snapshot."""

    whole: bool
    names: tuple[str, ...]  # of rows' values
    parts: Sequence[Part]
    tick: Tick

    @property
    def taken_at(self) -> float:
        """The Unix time of the snapshot, seconds; not checked."""
        return self.tick.snapshot.taken_at


def _plain(value: Any) -> Any:
    """Return what msgpack has instead of a value: of mappings that are made on demand."""
    if isinstance(value, Split):
        return value.all()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be recorded")


encode: Final = msgspec.msgpack.Encoder(enc_hook=_plain).encode
_parts: Final = msgspec.msgpack.Decoder(Part)
_offsets: Final = msgspec.msgpack.Decoder(int)
_indices: Final = msgspec.msgpack.Decoder(Index)
_Kind = TypeVar("_Kind")


def moment_of(snapshot: Snapshot, offset: int) -> Moment:
    """Return what an index has of a snapshot."""
    one, other = (snapshot.total(side).rps for side in SIDES)
    return Moment(snapshot.taken_at, snapshot.uptime_s, offset, (one, other))


def decoded(decoder: msgspec.msgpack.Decoder[_Kind], content: bytes) -> _Kind:
    """Return what msgpack has; raise :class:`CaptureError`."""
    try:
        return decoder.decode(content)
    except MemoryError:
        raise CaptureError("has a snapshot that does not fit into memory") from None
    except (msgspec.MsgspecError, ValueError, RecursionError, TypeError) as error:
        raise CaptureError(f"is damaged: {str(error)[:200]}") from None


def offset_of(content: bytes) -> int:
    """Return where the frame that ends a file says that it stands; raise :class:`CaptureError`."""
    return decoded(_offsets, content)


def index_of(content: bytes) -> Index:
    """Return the index that a frame holds; raise :class:`CaptureError`."""
    return decoded(_indices, content)


@lru_cache(8)
def row_decoder(names: tuple[str, ...]) -> RowDecoder:
    """Return what decodes the rows of a capture; making it takes milliseconds."""
    return RowDecoder(names)


class RowDecoder:
    """Decodes the values of a row, in the order of the names that a capture has."""

    def __init__(self, names: Sequence[str]) -> None:
        """Names that are not known are passed over; raise :class:`CaptureError` if some lack."""
        hints = get_type_hints(EndpointStats)
        known = [name for name in ROW if name in names]
        if lacking := sorted(_REQUIRED - set(names)):
            raise CaptureError(f"lacks {lacking[0]!r} of its rows")
        members = [
            (name, hints[name])
            if name in known and name not in names[:place]
            else (f"unknown_{place}", msgspec.Raw)
            for place, name in enumerate(names)
        ]
        kind = msgspec.defstruct("Values", members, array_like=True, gc=False)
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._known, self._values = known, attrgetter(*known)

    def row(
        self, key: EndpointKey, trend_ns: tuple[float | None, ...], values: bytes
    ) -> EndpointStats:
        """Return a row; its values are not checked, raise :class:`CaptureError` for their types."""
        found = decoded(self._decoder, values)
        named = dict(zip(self._known, self._values(found), strict=True))
        return EndpointStats(key=key, trend_ns=trend_ns, **named)


class PartReader:
    """Reads the parts of snapshots, one snapshot after the other; can be forked."""

    def __init__(self, frames: FrameReader) -> None:
        self.frames = frames

    def fork(self) -> PartReader:
        """Return a reader that goes on from here, too."""
        return PartReader(self.frames.fork())

    def unit(self) -> Unit | None:
        """Return the next snapshot's parts; None: there is no other.

        Raises :class:`CutOff` if the file ends within it, :class:`CaptureError` if it is damaged.
        """
        head = self._head()
        while head is not None and head.kind not in (WHOLE, CHANGES):
            if head.kind == MORE:
                raise CaptureError("is damaged: a snapshot lacks its start")
            head = self._head()
        if head is None:
            return None
        start, names = head, self.frames.names
        first = self._part(head)
        if first.tick is None:
            raise CaptureError("is damaged: a snapshot lacks its start")
        parts, size, rows, values = [first], head.content_bytes, len(first.rows), _trends(first)
        while parts[-1].more:
            head = self._head()
            if head is None:
                raise CutOff("is cut off")
            if head.kind != MORE:
                raise CaptureError("is damaged: a snapshot lacks its end")
            part = self._part(head)
            parts.append(part)
            size += head.content_bytes
            rows += len(part.rows) + len(part.keys) + len(part.requests)
            values += _trends(part)
            if size > _LARGEST_SNAPSHOT or rows > 2 * MOST_ROWS or values > _MOST_TREND_VALUES:
                raise CaptureError("has a snapshot that is too large")
        return Unit(start.kind == WHOLE, names, parts, _checked(first.tick))

    def _head(self) -> Head | None:
        return self.frames.head()

    def _part(self, head: Head) -> Part:
        return decoded(_parts, self.frames.content(head))


def _checked(tick: Tick) -> Tick:
    found = tick.snapshot
    if found.in_flight is not None and len(found.in_flight) > MOST_IN_FLIGHT:
        raise CaptureError("has too many requests in flight")
    tick.snapshot = checked(
        replace(
            found,
            endpoints=(),
            recent=(),
            early=False,
            in_flight_for_screen=False,
            looked_at=None,
            filtered=None,
            kept_s=0.0,
        )
    )
    return tick


def _trends(part: Part) -> int:
    return sum(len(row.added) for row in part.rows)
