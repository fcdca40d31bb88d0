"""The window: of which time its figures are, whatever becomes of clocks and of its length."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.collect.source import RawResponse
from httptop.collect.window import (
    KEPT_S,
    LEAST_S,
    MOST_BYTES,
    MOST_KEPT_BYTES,
    SLOTS,
    Window,
    window_fits,
)
from httptop.collector import Collector
from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS
from httptop.model import Overhead, Snapshot
from tests.collect.cells import FakeSource, Reading, answered, collecting, delta, endpoint
from tests.collect.reference_sums import ReferenceSums
from tests.factory import snapshot_at

FIRST = Reading(
    endpoints={5: endpoint("/a")}, responses={6: RawResponse(5, 200), 7: RawResponse(5, 503)}
)
#: Seconds to the next reading, requests then, errors, and the window from then on (None: as it is).
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.1, 0.9, 1.0, 1.003, 7.0, 400.0]),
        st.integers(0, 3),
        st.integers(0, 2),
        st.sampled_from([None, None, None, 2.0, 10.0, 60.0, 300.0]),
    ),
    max_size=60,
)


def _counting(good: int, bad: int) -> Reading:
    return Reading(deltas=[delta(5, counted=good + bad), answered(6, good), answered(7, bad)])


@given(STEPS, st.sampled_from([0.0, 30.0, KEPT_S]))
def test_the_figures_of_the_window_are_what_was_counted_in_the_time_it_covers(
    steps: list[tuple[float, int, int, float | None]], kept_s: float
) -> None:
    readings = [_counting(good, bad) for _, good, bad, _ in steps]
    collector = collecting(FIRST, *readings, kept_s=kept_s)
    collector.step(1000.0, 0)
    before, now, longest_s, counted = 0.0, 0.0, 0.0, []
    for seconds, good, bad, window_s in steps:
        if window_s is not None:
            collector.set_window(window_s)
        before, now = now, now + seconds
        snapshot = collector.step(1000.0 + now, 0)
        counted.append((before, good, bad))
        since = now - snapshot.covered_s - 1e-6
        requests = sum(good + bad for begun, good, bad in counted if begun >= since)
        errors = sum(bad for begun, _, bad in counted if begun >= since)
        total = snapshot.total("server")
        assert total.rps * snapshot.covered_s == pytest.approx(requests)
        assert total.latency.count == requests
        assert total.error_share == (errors / requests if requests else 0)
        for row in snapshot.endpoints:
            assert (row.window_requests, row.window_errors) == (requests, errors)
            assert row.latency.count == requests
            assert row.window_status is not None
            assert sum(row.window_status.values()) == requests
            assert row.window_status.get(503, 0) == errors
            assert row.error_share == (errors / requests if requests else None)
        assert snapshot.covered_s <= snapshot.kept_s
        longest_s = max(longest_s, seconds)
        most_s = snapshot.window_s + snapshot.window_s / SLOTS + longest_s / 2
        assert snapshot.covered_s <= max(most_s, seconds) + 1e-6


def _covered(window: Window, start: float, end: float, tick: float = 1.0) -> list[float]:
    """Read once a tick up to a time; return what the window covered each time."""
    found = []
    for n in range(1, round((end - start) / tick) + 1):
        window.slots(start + n * tick)
        found.append(window.covered_s)
    return found


@pytest.mark.parametrize(
    ("window_s", "tick"), [(10, 1), (10, 0.1), (60, 1), (60, 0.25), (300, 1), (7, 2)]
)
def test_a_window_is_as_long_as_it_should_be_but_for_a_part_of_a_slot(
    window_s: float, tick: float
) -> None:
    covered = _covered(Window(window_s), 0, 5 * window_s, tick)
    assert covered[: int(window_s / tick)] == pytest.approx(
        [tick * n for n in range(1, int(window_s / tick) + 1)]
    )
    for seconds in covered[int(window_s / tick) :]:
        assert abs(seconds - window_s) <= window_s / SLOTS + tick


def test_a_second_here_and_there_does_not_make_ten_of_them_nine() -> None:
    window, now, covered = Window(10), 0.0, []
    for n in range(100):
        now = n + 1 + 0.004 * (n * 7 % 5)
        window.slots(now)
        covered.append(window.covered_s)
    assert all(abs(seconds - 10) < 0.1 for seconds in covered[10:])


def test_late_ticks_make_a_window_neither_half_as_long_nor_twice() -> None:
    """It begins at the reading that is nearest to where it should, before or behind that."""
    for late_s in (1.9, 3.9, 7.9):
        window = Window(10)
        _covered(window, 0, 30)
        covered = _covered(window, 30 + late_s, 60 + late_s)
        assert all(abs(seconds - 10) <= (1 + late_s) / 2 + 0.01 for seconds in covered)
        assert covered[-1] == pytest.approx(10)


def test_a_longer_window_grows_from_what_there_is() -> None:
    window = Window(10)
    _covered(window, 0, 40)
    window.seconds = 60.0
    covered = _covered(window, 40, 200)
    assert covered[:49] == pytest.approx(range(11, 60))
    assert covered[49:] == pytest.approx([60] * 111, abs=3)


def test_a_longer_window_has_at_once_what_is_kept() -> None:
    window = Window(10, KEPT_S)
    _covered(window, 0, 70)
    assert (window.covered_s, window.kept_s) == (10, 70)
    for seconds, wanted in ((60.0, 60), (300.0, 72), (10.0, 10), (60.0, 60)):
        window.seconds = seconds
        now = window.kept_s
        assert _covered(window, now, now + 1) == [pytest.approx(wanted, abs=seconds / SLOTS)]
    window.seconds = 10.0
    _covered(window, window.kept_s, 500)
    window.seconds = 300.0
    assert _covered(window, 500, 501) == [pytest.approx(KEPT_S, abs=KEPT_S / SLOTS)]
    assert len(window.slots(502).starts) < 70


def test_a_shorter_window_drops_what_is_too_old_at_once() -> None:
    window = Window(300)
    _covered(window, 0, 400)
    window.seconds = 10.0
    assert _covered(window, 400, 460) == pytest.approx([10] * 60)


class _Log(ReferenceSums):
    """A log of which each slot takes so many bytes."""

    def __init__(self, bytes_a_slot: int) -> None:
        super().__init__()
        self.bytes_a_slot = bytes_a_slot

    def log_bytes(self, slot: int, end: int) -> int:
        return self.bytes_a_slot * (end - slot)

    def pass_to(self, window: Window, now_s: float) -> bool:
        """Take a reading; return whether the window was cut."""
        slots = window.slots(now_s)
        self.window_bytes = self.bytes_a_slot * (slots.last - slots.kept + 1)
        return window.fit(self)


@pytest.mark.parametrize("crowded", [False, True])
def test_a_window_that_takes_too_much_room_is_cut_but_for_its_last_minute(crowded: bool) -> None:
    window, log = Window(300), _Log(MOST_BYTES // 200)
    for now in range(1, 200):
        assert not log.pass_to(window, now)
    if crowded:
        log.bytes_a_slot, log.window_is_crowded = 1, True
    cut = [log.pass_to(window, now) for now in range(200, 400)]
    assert True in cut
    assert window.covered_s == pytest.approx(LEAST_S if crowded else 200, abs=17)
    log.bytes_a_slot = MOST_BYTES
    for now in range(400, 420):
        log.pass_to(window, now)
        assert LEAST_S <= window.covered_s <= LEAST_S + (6 if now > 401 else 150)


@pytest.mark.parametrize("crowded", [False, True])
def test_what_is_kept_beyond_the_window_goes_first(crowded: bool) -> None:
    window, log = Window(10, KEPT_S), _Log(MOST_KEPT_BYTES // 100)
    for now in range(1, 90):
        assert not log.pass_to(window, now)
    assert window.kept_s == 89
    log.window_is_crowded = crowded
    assert not any(log.pass_to(window, now) for now in range(90, 200))
    assert window.covered_s == 10
    assert window.kept_s == pytest.approx(12 if crowded else 100, abs=12)


@pytest.mark.parametrize(("too_many_bytes", "crowded"), [(1, False), (0, True)])
def test_a_run_whose_window_takes_too_much_room_says_so(too_many_bytes: int, crowded: bool) -> None:
    settings = replace(DEFAULTS, general=replace(DEFAULTS.general, window_s=300.0))
    source = FakeSource(FIRST)
    collector = Collector(source, settings, Scope(), host="here")
    collector.begin(1000.0)
    for second in range(1, 200):
        snapshot = collector.step(1000.0 + second, 0)
        assert (snapshot.covered_s, snapshot.notes) == (second, ())
    source.sums.window_bytes = MOST_BYTES
    assert collector.step(1200.0, 0).covered_s == 200
    assert collector.step(1201.0, 0).covered_s == 201
    source.sums.window_bytes += too_many_bytes
    source.sums.window_is_crowded = crowded
    collector.step(1202.0, 0)
    snapshot = collector.step(1203.0, 0)
    assert LEAST_S <= snapshot.covered_s < 200
    assert [note for note in snapshot.notes if "15 MiB" in note]
    assert snapshot.overhead.window_bytes == MOST_BYTES + too_many_bytes
    collector.set_window(60.0)
    assert collector.step(1204.0, 0).notes == ()


@pytest.mark.parametrize(
    ("seconds", "covered_s", "kept_s", "taken", "fits"),
    [
        (300.0, 60.0, 60.0, MOST_BYTES // 5, True),
        (300.0, 60.0, 60.0, MOST_BYTES // 5 + 1, False),
        (300.0, 10.0, 60.0, MOST_BYTES // 5, True),
        (300.0, 60.0, 0.0, MOST_BYTES // 5 + 1, False),
        (60.0, 10.0, 10.0, MOST_BYTES, True),  # the last minute is kept
        (float("inf"), 60.0, 60.0, MOST_BYTES, True),
        (300.0, 60.0, 60.0, None, True),
        (300.0, 0.0, 0.0, 10, True),
    ],
)
def test_a_window_is_offered_where_it_has_room(
    seconds: float, covered_s: float, kept_s: float, taken: int | None, fits: bool
) -> None:
    overhead = Overhead(window_bytes=taken)
    snapshot = replace(snapshot_at(1), covered_s=covered_s, kept_s=kept_s, overhead=overhead)
    assert window_fits(seconds, snapshot) == fits


def test_the_window_stays_as_it_is_where_snapshots_are_written() -> None:
    written = Collector(FakeSource(), DEFAULTS, Scope(), host="here", written=True)
    for collector, window_s in ((written, 60.0), (collecting(), 10.0)):
        if collector is written:
            written.begin(1000.0)
        collector.set_window(10.0)
        snapshot: Snapshot = collector.step(1001.0, 0)
        assert (snapshot.window_s, snapshot.covered_s) == (window_s, 1.0)
