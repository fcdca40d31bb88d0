"""Bytes to the terminal: the same on any machine, so the goals of the bench are limits here."""

from __future__ import annotations

import statistics

import pytest

from bench.screen import IDLE_GOAL, KEY_GOAL, SIZES, SMALL, TICK_GOALS, sent_at


@pytest.fixture(autouse=True)
def true_colors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the dearest colours: three numbers each."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize("size", SIZES)
async def test_ticks_and_keys_send_no_more_than_their_goals(size: tuple[int, int]) -> None:
    sent = await sent_at(size, 6)
    assert 0.1 < statistics.median(sent.changed) < 0.25  # ticks are as of a busy host
    assert TICK_GOALS[size[0]].met(max(sent.ticks)), sent.ticks
    assert IDLE_GOAL.met(max(sent.idle)), sent.idle
    for key in SMALL:
        assert KEY_GOAL.met(max(sent.keys[key])), (key, sent.keys[key])
