"""An outline of a whole capture: its times and rates, found without reading its snapshots.

The indices of a capture of schema 2 have them. In one of schema 1 they stand near the start of a
line and of each side's totals, so lines are searched, not parsed. It is for a line of time alone:
of a capture that is written otherwise nothing is found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Final, NamedTuple

from httptop.capture.frames import ReadAt
from httptop.capture.index import indexed
from httptop.capture.lines import LineReader
from httptop.capture.opening import frames_of
from httptop.capture.problems import CaptureError
from httptop.model import SIDES, Side
from httptop.view.moment import Rate

#: The most moments; of more every second one goes.
MOST: Final = 1000
#: The most bytes of lines that are searched; no recording became longer.
_LARGEST: Final = 8 << 30
#: A number as the writer has it, and never a huge one.
_NUMBER: Final = rb"(\d{1,15}(?:\.\d{1,20})?(?:e-?\d\d?)?)"
_TAKEN_AT: Final = re.compile(rb'\{"taken_at":' + _NUMBER + rb",")
#: Quotation marks in a text are escaped, so it cannot hold that.
_TOTALS: Final = {
    side: re.compile(rb'"%b":\[\d{1,20},' % side.encode() + _NUMBER + rb",") for side in SIDES
}


class Outline(NamedTuple):
    """The rates of each side at some moments of a capture, ascending in time."""

    rates: Mapping[Side, Sequence[Rate]] = MappingProxyType(dict.fromkeys(SIDES, ()))
    #: The most seconds between two of them that follow each other in the capture at its own pace.
    longest_gap_s: float = 0.0


class _Found(NamedTuple):
    at: float
    rates: tuple[float, ...]  # of the sides, in the order of SIDES


def outline(read: ReadAt, goes_on: Callable[[], bool]) -> Outline:
    """Return the outline of a capture as far as it can be read; ``goes_on`` is asked often."""
    found: list[_Found] = []
    every, last = 1, _Found(0.0, ())
    for number, moment in enumerate(_moments(read, goes_on)):
        if number % every == 0 and (not found or moment.at > found[-1].at):
            found.append(moment)
            if len(found) > MOST:
                found, every = found[::2], every * 2
        last = moment
    if found and last.at > found[-1].at:
        found.append(last)
    gaps = sorted(b.at - a.at for a, b in pairwise(found))
    rates = {
        side: tuple(Rate(one.at, one.rates[n]) for one in found) for n, side in enumerate(SIDES)
    }
    return Outline(rates, 2.5 * gaps[len(gaps) // 2] if gaps else 0.0)


def _moments(read: ReadAt, goes_on: Callable[[], bool]) -> Iterator[_Found]:
    try:
        frames = frames_of(read)
    except CaptureError:
        return
    if frames is None:
        yield from _in_lines(LineReader(read), goes_on)
    else:
        for one in indexed(frames, goes_on):
            yield _Found(one.moment.taken_at, one.moment.rates)


def _in_lines(lines: LineReader, goes_on: Callable[[], bool]) -> Iterator[_Found]:
    taken = 0
    while goes_on() and taken <= _LARGEST:
        try:
            line = lines.line()
        except CaptureError:
            return
        if not line:
            return
        taken += len(line)
        at = _TAKEN_AT.match(line)
        if at is not None:
            rates = [_TOTALS[side].search(line) for side in SIDES]
            yield _Found(
                float(at[1]), tuple(0.0 if rate is None else float(rate[1]) for rate in rates)
            )
