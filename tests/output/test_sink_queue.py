"""What waits for a sink, and how long it waits before it tries again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from httptop.model import Snapshot
from httptop.output.back_off import LEAST_S, MOST_S, BackOff
from httptop.output.sink import size_of, waiting
from httptop.output.sink_queue import SinkQueue
from tests.factory import key, row, snapshot_at

#: Of a snapshot with so many rows each.
SMALL, LARGE = (
    snapshot_at(1, tuple(row(key(f"/{n}"), {200: 1}) for n in range(rows))) for rows in (0, 20)
)


@given(
    st.lists(st.sampled_from(("small", "large", "take"))),
    st.integers(1, 5),
    st.integers(1, 4 * size_of(LARGE)),
)
def test_the_newest_wait_in_their_order_within_both_bounds(
    steps: list[str], most_items: int, most_bytes: int
) -> None:
    queue: SinkQueue[Snapshot] = SinkQueue(most_items, most_bytes)
    put, taken = [], []
    for number, step in enumerate(steps):
        if step == "take":
            left = len(queue)
            found = queue.take()
            assert (found is None) == (left == 0)
            taken += [] if found is None else [found.item]
            continue
        put.append(SMALL if step == "small" else LARGE)
        queue.put(waiting(put[-1]))
        assert len(queue) <= most_items, number
        kept = put[len(put) - len(queue) :]
        assert len(kept) == 1 or sum(map(size_of, kept)) <= most_bytes
    assert len(put) == len(taken) + queue.dropped + len(queue)
    rest = [queue.take() for _ in range(len(queue))]
    kept = put[len(put) - len(rest) :]
    assert [found and found.item for found in rest] == kept


def test_the_newest_has_a_place_whatever_its_size() -> None:
    queue: SinkQueue[Snapshot] = SinkQueue(most_bytes=1)
    queue.put(waiting(SMALL))
    queue.put(waiting(LARGE))
    assert (len(queue), queue.dropped, queue.take()) == (1, 1, waiting(LARGE))


def test_all_but_the_newest_may_go() -> None:
    queue: SinkQueue[Snapshot] = SinkQueue()
    queue.keep_newest()
    for snapshot in (SMALL, SMALL, LARGE):
        queue.put(waiting(snapshot))
    queue.keep_newest()
    assert (len(queue), queue.dropped, queue.take()) == (1, 2, waiting(LARGE))


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=2000))
def test_waits_double_from_half_a_second_to_thirty_and_are_shortened_by_chance(
    chances: list[float],
) -> None:
    left = iter(chances)
    back_off = BackOff(lambda: next(left))
    for number, chance in enumerate(chances):
        longest_s = min(MOST_S, LEAST_S * 2 ** min(number, 10))
        wait_s = back_off.failed()
        assert wait_s == longest_s * (1 - chance / 2)
        assert LEAST_S / 2 <= wait_s <= MOST_S


def test_waits_begin_afresh_once_it_worked() -> None:
    back_off = BackOff(lambda: 0.0)
    assert [back_off.failed() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    back_off.worked()
    assert back_off.failed() == 0.5
