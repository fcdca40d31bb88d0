"""What all rows together have of each status, out of the counts of all cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from httptop.collect.counted_ago import Counted, added
from httptop.collect.row_names import RowNames
from httptop.collect.sums import CELL
from httptop.model import STATUS_UNKNOWN, class_of
from httptop.view.parts import Part

_WORDS: Final = CELL.size // 8
_SUM_AT, _UNMEASURED_AT = 2, 7  # in words, and in halves of words


class CountedRow(NamedTuple):
    """A row whose requests are divided."""

    number: int
    process: str
    unanswered: int  # since start
    requests: int  # in the window


def by_status_since_start(
    names: RowNames, cells: bytes, rows: Iterable[CountedRow]
) -> Mapping[int, Part]:
    """Return what each status has since start; STATUS_UNKNOWN has the unanswered requests, too."""
    words, halves = memoryview(cells).cast("Q"), memoryview(cells).cast("I")
    counts, sums_ns = words[::_WORDS].tolist(), words[_SUM_AT::_WORDS].tolist()
    unmeasured = halves[_UNMEASURED_AT :: 2 * _WORDS].tolist()
    parts: dict[int, Part] = {}
    for row in rows:
        if row.number in names.apart:
            found = [
                (code, some.responses, some.measured, some.sum_ns)
                for code, some in names.answered(cells, row.number).items()
            ]
        else:
            found = [
                (code, counts[cell], counts[cell] - unmeasured[cell], sums_ns[cell])
                for code, cell in names.statuses[row.number]
                if cell < len(counts)
            ]
        for code, count, measured, sum_ns in found:
            if not count:
                continue
            errors = count if class_of(code) >= 4 else 0
            if code == STATUS_UNKNOWN or measured <= 0:
                measured = sum_ns = 0
            part = parts.get(code) or parts.setdefault(code, Part())
            part.add(row.number, row.process, count, errors, measured, sum_ns)
        _add_unanswered(parts, row, row.unanswered)
    return parts


def by_status_in_window(
    now: Counted, ago: Counted, rows: Iterable[CountedRow]
) -> Mapping[int, Part]:
    """Return what each status has since ``ago``, when the window began."""
    statuses, before = now.names.statuses, ago.names.statuses
    counts, counts_before = now.counts, ago.counts
    unanswered_before = memoryview(ago.unanswered).cast("Q").tolist()
    #: Rows that have not just counted on in the same cells.
    others = now.names.apart.keys() | ago.names.apart.keys() | ago.stands_for.keys()
    known = min(len(before), len(unanswered_before))
    parts: dict[int, Part] = {}
    for row in rows:
        number = row.number
        if not row.requests:
            continue
        if number < known and statuses[number] is before[number] and number not in others:
            found: Iterable[tuple[int, int]] = [
                (code, counts[cell] - counts_before[cell]) for code, cell in statuses[number]
            ]
            unanswered = row.unanswered - unanswered_before[number]
        else:
            more = added(now.by_status(number), ago.by_status(number))
            # What is not known of these was counted as that, or was unanswered.
            unknown = more.pop(STATUS_UNKNOWN, 0)
            answered = sum(more.values())
            found, unanswered = more.items(), min(unknown, max(0, row.requests - answered))
        for code, count in found:
            if count > 0:
                errors = count if class_of(code) >= 4 else 0
                part = parts.get(code) or parts.setdefault(code, Part())
                part.add(number, row.process, count, errors)
        _add_unanswered(parts, row, unanswered)
    return parts


def _add_unanswered(parts: dict[int, Part], row: CountedRow, unanswered: int) -> None:
    if unanswered > 0:
        part = parts.setdefault(STATUS_UNKNOWN, Part())
        part.add(row.number, row.process, unanswered, unanswered)
