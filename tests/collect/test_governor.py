"""Keeping to a budget, tick by tick."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from httptop.collect.governor import SHED, Governor, controls_of
from httptop.config.settings import DEFAULTS, Paths, Performance, Sampling
from httptop.model import Overhead


def _judged(governor: Governor, percents: list[float], budget: float = 10.0) -> list[int]:
    """Return the level after each tick; a part of the cost is the kernel's."""
    return [
        governor.judge(Overhead(cpu_percent=percent * 0.75, bpf_cpu_percent=percent / 4), budget)
        for percent in percents
    ]


def test_detail_goes_step_by_step_and_counts_never() -> None:
    governor = Governor()
    assert _judged(governor, [20.0] * 12) == [0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2]
    assert governor.shed == ("samples", "pids")
    assert "counts are whole" in governor.notes[0]


def test_a_peak_is_no_reason() -> None:
    assert _judged(Governor(), [20.0, 20.0, 10.0] * 5) == [0] * 15


def test_detail_comes_back_late() -> None:
    governor = Governor()
    _judged(governor, [20.0] * 6)
    assert _judged(governor, [6.9] * 21) == [2] * 9 + [1] * 10 + [0] * 2
    assert governor.shed == ()
    assert governor.notes == ()


def test_near_the_limit_nothing_changes() -> None:
    governor = Governor()
    _judged(governor, [20.0] * 3)
    assert _judged(governor, [9.0] * 100) == [1] * 100


def test_what_came_back_in_vain_comes_back_later_each_time() -> None:
    """Samples cost half: with them it is too much, without them well below."""
    governor = Governor()
    changes = []
    level = 0
    for tick in range(2000):
        now = _judged(governor, [12.0 if level == 0 else 6.0])[0]
        if now != level:
            changes.append(tick)
        level = now
    pauses = [back - gone for gone, back in zip(changes[::2], changes[1::2], strict=False)]
    assert pauses[:4] == [10, 20, 40, 80]
    assert max(pauses) <= 640


def test_no_budget_sheds_nothing_and_gives_all_back() -> None:
    governor = Governor()
    assert _judged(governor, [900.0] * 10, budget=0.0) == [0] * 10
    _judged(governor, [900.0] * 10)
    assert _judged(governor, [900.0], budget=0.0) == [0]


def test_a_cost_that_is_not_known_decides_nothing() -> None:
    governor = Governor()
    for _ in range(20):
        assert governor.judge(Overhead(bpf_cpu_percent=90.0), 10.0) == 0


@given(st.lists(st.floats(0, 1000), max_size=200), st.floats(0.1, 100))
def test_one_step_at_a_time(percents: list[float], budget: float) -> None:
    levels = [0, *_judged(Governor(), percents, budget)]
    for before, after in itertools.pairwise(levels):
        assert abs(after - before) <= 1
        assert 0 <= after < len(SHED)


def test_controls() -> None:
    settings = replace(
        DEFAULTS,
        sampling=Sampling("random", 0.5, 30, 40, 7),
        performance=Performance(batch_size=9),
        paths=Paths(templates=("/a/*",), keep=("/b/*",)),
    )
    whole = controls_of(settings)
    assert (whole.strategy, whole.share, whole.per_second, whole.burst) == ("random", 0.5, 30, 40)
    assert (whole.slow_ns, whole.most_samples, whole.parties) == (7, 9, True)
    assert (whole.templates, whole.keep) == (("/a/*",), ("/b/*",))
    assert controls_of(settings, 1) == replace(whole, per_second=0)
    assert controls_of(settings, 2) == replace(whole, per_second=0, parties=False)
