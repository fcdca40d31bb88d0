"""The log of a run: every request once, whatever fails in between, and what is missing is said."""

from __future__ import annotations

import errno
import json
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.collect.new_requests import NewRequests
from httptop.collect.redacted import SnapshotRedaction
from httptop.model import Health, Snapshot, Transaction
from httptop.output.back_off import BackOff
from httptop.output.request_log.json import JsonFormat
from httptop.output.request_log.lines import Line, LineByLine, chunk_of, pop_whole
from httptop.output.request_log.sink import RequestBatch, RequestLines, RequestSink
from httptop.output.sink import SendError
from tests.factory import request, snapshot_at
from tests.patience import PATIENCE_S


class Kept:
    """A medium that keeps lines; ``plan``: how many it takes in each attempt before it fails."""

    def __init__(self, *plan: int) -> None:
        self.trouble, self.lacks_some = "", False
        self.lines: list[bytes] = []
        self.reopened = self.closed = 0
        self._plan = iter(plan)

    def write(self, lines: deque[Line]) -> None:
        takes = next(self._plan, None)
        for _ in range(len(lines) if takes is None else min(takes, len(lines))):
            self.lines.append(lines.popleft().data)
        if takes is not None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> None:
        self.closed += 1

    @property
    def documents(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines]

    @property
    def serials(self) -> list[object]:
        return [found["serial"] for found in self.documents if "serial" in found]


def lines_to(
    medium: Kept, redact: Callable[[Transaction], Transaction] | None = None
) -> RequestLines:
    return RequestLines(JsonFormat(), LineByLine(), medium, redact)


def batch(serials: range, lost: int = 0) -> RequestBatch:
    return RequestBatch(tuple(map(request, serials)), "here", 1.7e9, lost)


@given(st.lists(st.integers(0, 300), max_size=12), st.integers(0, 700))
def test_an_attempt_goes_on_with_the_first_line_that_is_not_written(
    plan: list[int], many: int
) -> None:
    medium = Kept(*plan)
    lines, sent = lines_to(medium), batch(range(1, many + 1))
    taken, failures = 0, set()
    for _ in range(len(plan) + 1):
        try:
            lines.send(sent, 0)
            taken = many
        except SendError as error:
            taken += error.taken
            failures.add(str(error))
        assert taken == len(medium.lines)
    assert medium.serials == list(range(1, many + 1))
    assert failures <= {"no space left on device"}


def test_what_is_missing_is_told_once_before_what_comes_behind_it() -> None:
    medium = Kept(0)
    lines = lines_to(medium)
    lines_before = batch(range(1, 2))
    with pytest.raises(SendError):
        lines.send(lines_before, 3)
    lines.send(lines_before, 3)
    lines.send(batch(range(2, 3)), 3)
    lines.send(batch(range(3, 4), lost=7), 5)
    lines.send(batch(range(0), lost=8), 5)
    told = [
        {name: value for name, value in found.items() if name in ("serial", "dropped")}
        | ({"lost": found["lost_samples"]} if "lost_samples" in found else {})
        for found in medium.documents
    ]
    assert told == [
        {"dropped": 3},
        {"serial": 1},
        {"serial": 2},
        {"dropped": 2, "lost": 7},
        {"serial": 3},
        {"lost": 1},
    ]


def test_what_is_written_is_redacted_as_files_are() -> None:
    medium = Kept()
    redaction = SnapshotRedaction("strict")
    lines_to(medium, redaction.request).send(batch(range(77, 78)), 0)
    assert medium.documents[0]["target"] == "/users/{id}"


def sink_to(medium: Kept, new: NewRequests) -> RequestSink:
    return RequestSink("request log", lines_to(medium), new, back_off=BackOff(least_s=0.0))


def ended(sink: RequestSink, last: Snapshot | None = None) -> None:
    sink.end(last)
    sink.finish(time.monotonic() + PATIENCE_S)


def test_all_requests_of_a_run_are_written_those_of_the_last_snapshot_too() -> None:
    medium, new = Kept(2, 0, 1), NewRequests()
    sink = sink_to(medium, new)
    sink.begin()
    for tick in range(1, 6):
        for serial in range(10 * tick, 10 * tick + 10):
            new.add(request(serial))
        sink.see(replace(snapshot_at(tick), early=tick == 1))  # comes with the next
    while sink.sinks[0].waiting:
        time.sleep(0.001)
    new.add(request(60))
    ended(sink, snapshot_at(6))
    assert medium.serials == list(range(10, 61))
    (stats,) = sink.sinks
    assert (stats.sent, stats.dropped, stats.failed, stats.unit) == (51, 0, 3, "request")
    assert stats.good
    assert medium.closed == 1


def test_what_there_was_no_room_for_counts_as_dropped_and_is_told() -> None:
    medium, new = Kept(), NewRequests(most=2)
    sink = sink_to(medium, new)
    sink.begin()
    for serial in range(1, 6):
        new.add(request(serial))
    lost = replace(snapshot_at(1), health=Health(lost_samples=4))
    sink.see(lost)
    ended(sink, replace(lost, taken_at=lost.taken_at + 1))
    assert medium.serials == [1, 2]
    assert medium.documents[0].items() >= {"dropped": 3, "lost_samples": 4}.items()
    assert (sink.sinks[0].sent, sink.sinks[0].dropped) == (2, 3)
    assert sink.trouble == "the request log lacks 3 requests"


def test_at_the_end_what_could_not_be_written_counts_and_what_could_does_not() -> None:
    medium, new = Kept(0, 3, 0), NewRequests()
    sink = RequestSink("request log", lines_to(medium), new, back_off=BackOff(least_s=3600.0))
    for serial in range(1, 11):
        new.add(request(serial))
    sink.begin()
    sink.see(replace(snapshot_at(1), health=Health()))
    while not sink.sinks[0].failed:
        time.sleep(0.001)
    ended(sink)
    (stats,) = sink.sinks
    assert (stats.sent, stats.dropped, stats.state) == (3, 7, "ended")
    assert medium.serials == [1, 2, 3]
    assert sink.trouble.endswith("no space left on device")


def test_a_rotation_that_fails_is_told() -> None:
    medium = Kept()
    sink = sink_to(medium, NewRequests())
    sink.begin()
    sink.reopen()
    assert medium.reopened == 1
    medium.trouble = "it goes on in the old one"
    sink.see(snapshot_at(1))
    assert sink.trouble == "it goes on in the old one"
    ended(sink)
    assert not sink.incomplete
    medium.lacks_some = True
    assert sink.incomplete


@given(st.lists(st.integers(1, 40_000), max_size=20), st.integers(0, 400_000))
def test_chunks_are_whole_lines_and_what_is_written_of_them_is_known(
    sizes: list[int], written: int
) -> None:
    lines = deque(Line(bytes(size)) for size in sizes)
    chunk = chunk_of(lines)
    if sizes:
        assert len(chunk) == sizes[0] or sizes[0] < len(chunk) <= 1 << 16
    written = min(written, sum(sizes))
    rest = pop_whole(lines, written)
    left = sum(len(line.data) for line in lines)
    assert left + written - rest == sum(sizes)
    assert not lines or rest < len(lines[0].data)
