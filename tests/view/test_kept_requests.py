"""Sampled requests are kept: the slowest and the failed ones of each endpoint, for some minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from httptop.model import Snapshot, Transaction
from httptop.view.kept_requests import KEPT_S, MOST_LISTED, KeptRequests, Order
from tests.factory import NOON, key, request, snapshot

BUSY, QUIET = key("/busy"), key("/quiet", "POST")


def at(second: float, recent: Sequence[Transaction] = ()) -> Snapshot:
    """Return a snapshot of a second, with samples of it."""
    return replace(snapshot(recent=recent), taken_at=NOON + second)


def one(serial: int, second: float, ms: float = 1.0, **changes: object) -> Transaction:
    """Return a request of the busy endpoint that began at a second."""
    found = request(serial, BUSY, started_at=NOON + second, latency_ns=round(ms * 1e6))
    return replace(found, **changes)  # type: ignore[arg-type]


def serials(kept: KeptRequests, now: Snapshot, order: Order) -> list[int]:
    return [found.serial for found in kept.of(BUSY, now, order)]


def test_each_order() -> None:
    kept = KeptRequests()
    recent = (
        one(5, 5, 2),
        one(4, 4, 9, status=503),
        one(3, 3, 30),
        one(2, 2, 2, status=404),
        one(1, 1, 4, status=0),  # unanswered
    )
    now = at(6, recent)
    kept.note(now)
    assert serials(kept, now, "newest") == [5, 4, 3, 2, 1]
    assert serials(kept, now, "slowest") == [3, 4, 1, 5, 2]
    assert serials(kept, now, "failed") == [4, 2, 1]
    assert kept.of(QUIET, now, "newest") == []


def test_a_slow_one_is_known_when_the_snapshot_has_it_no_more() -> None:
    kept = KeptRequests()
    kept.note(at(2, [one(2, 1.5), one(1, 1, 800)]))
    later = at(200, [one(3, 199)])
    kept.note(later)
    assert serials(kept, later, "slowest") == [1, 3, 2]
    assert serials(kept, later, "newest") == [3, 2, 1]


def test_the_slowest_and_the_failed_are_those_of_the_last_minutes() -> None:
    kept = KeptRequests()
    old = one(1, 1, 800, status=500)
    now = at(2 + KEPT_S, [one(2, 300), old])  # a quiet host: a snapshot still has the old one
    kept.note(now)
    assert serials(kept, now, "slowest") == [2]
    assert serials(kept, now, "failed") == []
    assert serials(kept, now, "newest") == [2, 1]


def test_of_a_moment_in_the_past_later_ones_are_not_known() -> None:
    kept = KeptRequests()
    kept.note(at(10, [one(1, 9, 5)]))
    kept.note(at(20, [one(3, 19, 50), one(2, 8, 11_000), one(1, 9, 5)]))
    assert serials(kept, at(10, [one(1, 9, 5)]), "slowest") == [1]
    assert serials(kept, at(20), "slowest") == [2, 3, 1]


def test_time_that_goes_back_begins_anew() -> None:
    kept = KeptRequests()
    kept.note(at(100, [one(900, 99, 700)]))
    again = at(10, [one(1, 9)])
    kept.note(again)
    assert serials(kept, again, "slowest") == [1]


@given(st.lists(st.tuples(st.integers(1, 10**6), st.booleans()), min_size=1, max_size=200))
def test_thinning_out_leaves_the_slowest_and_the_newest_failed(
    drawn: list[tuple[int, bool]],
) -> None:
    """Brute force: of an endpoint alone, so many of both are known as are kept at least."""
    most = 10
    kept = KeptRequests(most)
    seen: list[Transaction] = []
    now = at(0)
    for serial, (us, fails) in enumerate(drawn, start=1):
        seen.append(one(serial, serial / 100, us / 1e3, status=500 if fails else 200))
        now = at(serial / 100 + 2, seen[-1:])
        kept.note(now)
    slowest = sorted(seen, key=lambda found: (-found.latency_ns, -found.serial))
    failed = [found for found in reversed(seen) if found.status == 500]
    n = most // 2
    assert kept.of(BUSY, now, "slowest")[:n] == slowest[:n]
    assert kept.of(BUSY, now, "failed")[:n] == failed[:n]
    assert len(kept.of(BUSY, now, "newest")) <= 2 * most + 1


def test_a_busy_endpoint_does_not_displace_the_slowest_of_a_quiet_one() -> None:
    kept = KeptRequests(20)
    quiet = replace(one(1, 0.5, 1), key=QUIET)
    kept.note(at(1, [quiet]))
    for tick in range(2, 60):
        first = 100 * tick
        kept.note(at(tick, [one(first - n, tick - 0.5, 500 + n) for n in range(30)]))
    now = at(60)
    assert kept.of(QUIET, now, "slowest") == [quiet]
    assert len(kept.of(BUSY, now, "newest")) <= 2 * 20
    many = KeptRequests()
    full = at(1, [one(500 - n, 0.5) for n in range(400)])
    many.note(full)
    assert len(many.of(BUSY, full, "newest")) == MOST_LISTED
