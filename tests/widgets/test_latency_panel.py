"""The map of an endpoint's latencies, and what is different now."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.style import Style

from httptop.model import Bands, LookedAt
from httptop.view.band_history import BandHistory
from httptop.widgets.latency_panel import HEIGHT, latency_panel
from httptop.widgets.sparkline import Symbols
from tests.factory import key, row, snapshot

FAST, SLOW = 20, 32


def _history(ticks: int, slow_from: int) -> BandHistory:
    history, fast, slow = BandHistory(key("/a")), 0, 0
    for tick in range(ticks):
        fast, slow = (fast + 10, slow) if tick < slow_from else (fast + 5, slow + 5)
        bands: Bands = ((FAST, fast), (SLOW, slow))
        looked_at = LookedAt(key("/a"), {}, bands)
        history.note(replace(snapshot([row(key("/a"))], tick=tick + 1), looked_at=looked_at))
    return history


def _text(history: BandHistory, width: int, symbols: Symbols = "braille") -> list[str]:
    strips = latency_panel(history, 200, 1.0, width, symbols, lambda _: Style())
    return [strip.text for strip in strips]


@pytest.mark.parametrize("width", [40, 79, 80, 118, 196])
@pytest.mark.parametrize("symbols", ["braille", "ascii"])
def test_it_fits(width: int, symbols: Symbols) -> None:
    for history in (BandHistory(key("/a")), _history(1, 9), _history(200, 100)):
        lines = _text(history, width, symbols)
        assert len(lines) == HEIGHT + 1
        assert all(len(line) <= width for line in lines)
        if symbols == "ascii":
            assert all(line.replace("µ", "u").isascii() for line in lines)


def test_what_is_different_now_is_marked() -> None:
    lines = _text(_history(200, 140), 118)
    changed = [line.split("was")[1].strip() for line in lines if "was" in line]
    assert changed == ["0%", "100%"]
    assert [line.split()[-3:] for line in lines if "50%" in line] == [
        ["50%", "was", "0%"],
        ["50%", "was", "100%"],
    ]
    assert "last 1m: 600 responses" in lines[-1]


def test_what_is_as_before_is_not_marked() -> None:
    lines = _text(_history(200, 0), 118)
    assert not any("was" in line for line in lines)
    assert sum("50%" in line for line in lines) == 2
