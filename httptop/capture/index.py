"""Find the snapshots of a capture of schema 2, and the moments they are of, by its indices.

A capture that was finished ends in a frame that names the latest index, and each index names the
one before. Where that is missing, as after a crash or while it is written, or where one capture
follows another in the file, the heads of all frames are read instead: some bytes of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from httptop.capture.checked import number, numbers, time
from httptop.capture.frames import (
    CHANGES,
    END,
    INDEX,
    WHOLE,
    FrameReader,
    Head,
    ReadAt,
    head_at,
)
from httptop.capture.parts import Index, Moment, PartReader, index_of, moment_of, offset_of
from httptop.capture.problems import CaptureError

#: The most indices that are read; what comes later is found by reading on.
_MOST_INDICES: Final = 1 << 16
#: The most snapshots that no index has, and that are read for their moment.
_MOST_READ: Final = 1000
_LONGEST_END: Final = 256  # bytes of the last frame, with its head

GoesOn = Callable[[], bool]


class Indexed(NamedTuple):
    """A snapshot of a capture."""

    moment: Moment
    #: Reads this snapshot next, if it needs no other.
    whole: FrameReader | None


def indexed(frames: FrameReader, goes_on: GoesOn) -> Iterator[Indexed]:
    """Yield the snapshots of a capture in their order, as far as it can be read.

    ``frames`` is at the first one. ``goes_on`` is asked before each index; nothing is raised.
    """
    try:
        heads = _linked(frames, goes_on)
        if heads is None:
            yield from _scanned(frames.fork(), goes_on)
            return
        for head in heads:
            if not goes_on():
                return
            yield from _of(frames, checked_index(index_of(frames.content(head))))
    except CaptureError:
        return


def checked_index(index: Index) -> Index:
    """Return an index whose values are in range; raise :class:`CaptureError`."""
    number(index.number)
    before = -1
    for moment in index.moments:
        time(moment.taken_at)
        numbers((moment.uptime_s, moment.offset, *moment.rates))
        if moment.offset <= before:
            raise CaptureError("has a damaged index")
        before = moment.offset
    return index


def _of(frames: FrameReader, index: Index) -> Iterator[Indexed]:
    for at, moment in enumerate(index.moments):
        yield Indexed(moment, frames.at(frames.start + moment.offset) if at == 0 else None)


# From the end, by the links


def _linked(frames: FrameReader, goes_on: GoesOn) -> Sequence[Head] | None:
    """Return the heads of all indices; None: the file does not end as one that was finished."""
    try:
        head = _end(frames.read)
        if head is None or offset_of(frames.content(head)) != head.offset:
            return None
        found: list[Head] = []
        offset = head.latest_index
        while offset and goes_on() and len(found) < _MOST_INDICES:
            head = head_at(frames.read, offset)
            if head is None or head.kind != INDEX or head.latest_index >= offset:
                return None
            found.append(head)
            offset = head.latest_index
    except CaptureError:
        return None
    return found[::-1]


def _end(read: ReadAt) -> Head | None:
    """Return the head of the frame that ends a file; None: there is none."""
    size = size_of(read)
    start = max(0, size - _LONGEST_END)
    at = read(start, _LONGEST_END).rfind(END)
    head = head_at(read, start + at - 8) if at >= 8 else None
    return head if head is not None and head.kind == END and head.end == size else None


def size_of(read: ReadAt) -> int:
    """Return the size of a file, bytes."""
    step = 1
    while read(step, 1):
        step *= 2
    low, high = step // 2, step
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if read(middle, 1) else (low, middle)
    return low


# From the start, by the heads of all frames


def _scanned(frames: FrameReader, goes_on: GoesOn) -> Iterator[Indexed]:
    """Yield the snapshots as far as the file can be read; those that no index has are read."""
    starts: list[FrameReader] = []  # of the snapshots since the latest index
    try:
        while goes_on():
            head = frames.head()
            if head is None:
                break
            if head.kind in (WHOLE, CHANGES):
                starts.append(frames.at(head.offset))
                if len(starts) > _MOST_READ:
                    break
            elif head.kind == INDEX:
                index = checked_index(index_of(frames.content(head)))
                if len(index.moments) == len(starts):
                    yield from _of(frames, index)
                    starts = []
    except CaptureError:
        pass
    for start in starts:
        unit = PartReader(start.fork()).unit()
        if unit is None or not goes_on():
            return
        moment = moment_of(unit.tick.snapshot, start.offset - start.start)
        yield Indexed(moment, start if unit.whole else None)
