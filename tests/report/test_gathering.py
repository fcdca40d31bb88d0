"""What a report keeps: bounded, and it says what is left out."""

from __future__ import annotations

from dataclasses import replace

from httptop.report.gathering import MOST_OF_HEAD, MOST_REQUESTS
from tests.factory import key, request, snapshot, snapshot_at
from tests.report.of import report_of


def test_of_each_endpoint_the_slowest_and_the_failed_stay() -> None:
    slow = request(1, latency_ns=9_000_000_000)
    failed = request(2, key("/b"), status=500)
    serials = iter(range(3, 10**6))
    ticks = [snapshot(recent=[failed, slow], tick=1)]
    for tick in range(2, 600):
        recent = [request(next(serials)) for _ in range(20)][::-1]
        ticks.append(snapshot(recent=recent, tick=tick))
    report = report_of(*ticks)
    assert report.sampled == 2 + 598 * 20
    assert len(report.requests) == MOST_REQUESTS
    assert {1, 2} <= {one.serial for one in report.requests}
    assert report.left_out == report.sampled - MOST_REQUESTS
    assert report.last.recent == ()


def test_a_clock_that_is_set_back_loses_nothing() -> None:
    first = snapshot(recent=[request(1)], tick=100)
    later = replace(snapshot(recent=[request(2), request(1)], tick=101), taken_at=5.0)
    assert [one.serial for one in report_of(first, later).requests] == [2, 1]


def test_header_sections_and_notes_are_bounded() -> None:
    lines = tuple(f"X-{n}: {'v' * 4000}" for n in range(256))
    huge = request(1, request_head=lines, response_head=lines)
    notes = tuple(f"note {n}" for n in range(1000))
    report = report_of(snapshot(recent=[huge], notes=notes))
    (kept,) = report.requests
    for head in (kept.request_head, kept.response_head):
        assert 0 < sum(map(len, head)) <= MOST_OF_HEAD
    assert len(report.notes) == 100


def test_a_note_is_there_once() -> None:
    assert report_of(*map(snapshot_at, range(1, 5))).notes == ("a probe was refused",)
