"""What fails now, and whether a single process does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from httptop.model import OTHER_PIDS, EndpointStats, PartyStats
from httptop.view.failures import MOST_ROWS, Failing, Failures
from tests.factory import key, row, snapshot


def _row(
    path: str, good: int, failed: int, by_pid: Mapping[int, tuple[int, int]] | None = None
) -> EndpointStats:
    parties = {pid: PartyStats(*counts) for pid, counts in (by_pid or {}).items()}
    made = row(key(path), {200: good, 404: 50, 500: failed})
    return replace(made, window_errors=failed or 1, by_pid=parties)


def _worst(*ticks: list[EndpointStats], side: str = "server") -> tuple[Failing | None, int]:
    failures = Failures()
    for tick, rows in enumerate(ticks):
        failures.note(snapshot(rows, tick=100 + tick))
    return failures.worst("server" if side == "server" else "client")


def test_what_failed_before_does_not_fail_now() -> None:
    old = _row("/a", 100, 700)
    assert _worst([old]) == (None, 0)
    assert _worst([old], [_row("/a", 200, 700)]) == (None, 0)
    failing, _ = _worst([old], [_row("/a", 190, 710)])
    assert failing == Failing(key("/a"), 10, 0.1, None, seconds=1.0, at_least=True)


@pytest.mark.parametrize(("failed", "good"), [(2, 10), (9, 1000)])
def test_few_failures_are_none(failed: int, good: int) -> None:
    assert _worst([_row("/a", 0, 0)], [_row("/a", good, failed)]) == (None, 0)


def test_what_fails_once_in_a_hundred_times_does_not_come_and_go() -> None:
    for failed, good, fails in ((4, 140, False), (7, 140, True), (3, 0, True), (110, 9890, False)):
        failing, _ = _worst([_row("/a", 0, 0)], [_row("/a", good, failed)])
        assert (failing is not None) is fails, (failed, good)


def test_it_is_known_since_when_it_fails() -> None:
    failures = Failures()
    counts = {100: 0, 103: 1, 104: 2, 105: 6}
    for tick in range(100, 131):
        failed = counts.get(tick, 0 if tick < 103 else 2 if tick < 105 else 6 * (tick - 104))
        failures.note(snapshot([_row("/a", tick, failed)], tick=tick))
        failing, _ = failures.worst("server")
        assert (failing is not None) == (tick >= 105)
        assert failing is None or failing.seconds == tick - 103
    for tick in range(131, 160):  # it is over, and begins anew
        failures.note(snapshot([_row("/a", tick, 156 + 9 * (tick > 150))], tick=tick))
    failing, _ = failures.worst("server")
    assert failing is not None
    assert failing.seconds == 8


def test_the_endpoint_with_the_most_failures_is_named() -> None:
    before = [_row("/a", 0, 0), _row("/b", 0, 0), replace(_row("/c", 0, 0), window_errors=0)]
    after = [_row("/a", 0, 10), _row("/b", 90, 30), replace(_row("/c", 0, 99), window_errors=0)]
    assert _worst(before, after) == (Failing(key("/b"), 30, 0.25, None), 1)
    assert _worst(before, after, side="client") == (None, 0)


def test_failures_leave_the_window_and_are_told_for_a_while() -> None:
    failures = Failures()
    failures.note(snapshot([_row("/a", 0, 0)], tick=100))
    for tick in range(101, 130):
        failures.note(snapshot([_row("/a", tick, 9)], tick=tick))
        failing, _ = failures.worst("server")
        assert (failing is not None) == (tick <= 120), tick  # the window is of 10 s
        if failing is not None:
            assert failing.ended_s == (tick - 101 if tick > 110 else None)


def _in_window(failed: int, requests: int, total: int, path: str = "/a") -> EndpointStats:
    """Return a row that has had so many failures since start, and some in the window."""
    return replace(
        row(key(path), {200: 5000, 500: total}),
        window_requests=requests,
        window_errors=failed,
        window_status={200: requests - failed, 500: failed},
    )


def test_what_fails_in_the_first_window_that_is_seen_is_told_at_once() -> None:
    failures = Failures()
    for tick in (500, 501, 517):
        failures.note(snapshot([_in_window(28, 100, tick)], tick=tick))
        failing, _ = failures.worst("server")
        assert failing == Failing(key("/a"), 28, 0.28, None, float(tick - 500), at_least=True)


def test_what_begins_to_fail_while_it_is_seen_does_so_from_that_tick_on() -> None:
    failures = Failures()
    failures.note(snapshot([_in_window(0, 100, 700)], tick=500))
    for tick in (501, 505):
        failures.note(snapshot([_in_window(28, 100, 700 + tick)], tick=tick))
        failing, _ = failures.worst("server")
        assert failing == Failing(key("/a"), 28, 0.28, None, float(tick - 501))


def test_a_few_failures_go_on_what_was_more_and_do_not_begin_it() -> None:
    failures = Failures()
    shown = []
    for tick, failed in enumerate((1, 2, 7, 2, 0, 1, 3), 500):
        failures.note(snapshot([_in_window(failed, 50, tick)], tick=tick))
        failing, _ = failures.worst("server")
        shown.append(None if failing is None else (failing.failed, failing.ended_s))
    ended = (2, 1.0)
    assert shown == [None, None, (7, None), (2, None), ended, (1, None), (3, None)]


def test_what_fails_hardly_any_more_does_not_stay_for_ever() -> None:
    failures = Failures()
    for tick in range(500, 530):
        failed = 30 if tick == 500 else 1
        failures.note(snapshot([_in_window(failed, 1000, tick)], tick=tick))
        assert (failures.worst("server")[0] is not None) == (tick <= 510)


@pytest.mark.parametrize(
    ("after", "pid"),
    [
        ({7: (20, 9), 8: (30, 0)}, 7),
        ({7: (20, 9), 8: (30, 2)}, None),  # both fail
        ({7: (20, 9), 8: (5, 0)}, None),  # the other has had no request since
        ({7: (20, 9)}, None),  # there is no other
        ({OTHER_PIDS: (20, 9), 8: (30, 0)}, None),  # which of them is not known
    ],
)
def test_a_process_that_fails_alone(after: Mapping[int, tuple[int, int]], pid: int | None) -> None:
    before = dict.fromkeys(after, (5, 0))
    failing, _ = _worst([_row("/a", 5, 0, before)], [_row("/a", 60, 9, after)])
    assert failing is not None
    assert failing.pid == pid


def test_few_rows_are_remembered() -> None:
    failures = Failures()
    for tick in range(3):
        rows = [_row(f"/{tick}/{n}", 0, n) for n in range(100)]
        failures.note(snapshot(rows, tick=100 + tick))
    assert len(failures._rows) == MOST_ROWS


def test_a_process_that_fails_is_named_before_the_proxy_in_front_of_it() -> None:
    before = [_row("/proxy", 0, 0), _row("/app", 0, 0, {7: (0, 0), 8: (0, 0)})]
    after = [_row("/proxy", 90, 10), _row("/app", 91, 9, {7: (50, 0), 8: (50, 9)})]
    failing, others = _worst(before, after)
    assert failing is not None
    assert (failing.key.path, failing.pid, others) == ("/app", 8, 1)
    after[1] = _row("/app", 97, 3, {7: (50, 0), 8: (50, 3)})
    failing, _ = _worst(before, after)
    assert failing is not None
    assert failing.key.path == "/proxy"  # most of its failures are others


def test_a_process_is_named_also_where_late_ticks_make_the_window_longer() -> None:
    failures = Failures()
    for tick in range(100, 130):
        failed = 3 * (tick - 99)
        by_pid = {7: (20 * tick, failed), 8: (20 * tick, 0)}
        shown = snapshot([_row("/a", 30 * tick, failed, by_pid)], tick=tick)
        failures.note(replace(shown, covered_s=10.0 + tick % 3))
        failing, _ = failures.worst("server")
        if tick > 115:
            assert failing is not None
            assert failing.pid == 7, tick
