"""The outline of a capture: its times and rates, bounded, of whatever file."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from httptop.capture import outline as module
from httptop.capture.lines import ReadAt
from httptop.capture.outline import Outline, outline
from tests.capture.test_recording import TICKS, written


def reading(content: bytes) -> ReadAt:
    return lambda offset, size: content[offset : offset + size]


def of(content: bytes) -> Outline:
    return outline(reading(content), lambda: True)


@pytest.mark.parametrize("name", ["a", "a.gz"])
def test_it_has_each_time_and_the_rates_of_both_sides(name: str, tmp_path: Path) -> None:
    hostile = replace(TICKS[0], host='"server":[9,9.0,', taken_at=1.6e9)
    found = of(written(tmp_path / name, (hostile, *TICKS)).read_bytes())
    for side in ("server", "client"):
        wanted = [(one.taken_at, one.total(side).rps) for one in (hostile, *TICKS)]
        assert list(found.rates[side]) == wanted
    assert found.longest_gap_s == 2.5


def test_it_ends_where_the_file_does_or_is_damaged(tmp_path: Path) -> None:
    content = written(tmp_path / "a.gz").read_bytes()
    assert len(of(content[:-60]).rates["server"]) < len(of(content).rates["server"])
    assert of(b"") == of(b"no capture\n") == of(b"\x1f\x8bno gzip") == Outline()
    assert of(gzip.compress(b'{"taken_at":1e999,\n{"taken_at":-5,\n{"taken_at":[[,\n')) == Outline()


def test_it_is_bounded_and_has_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 10)
    lines = b"".join(b'{"taken_at":%d.5,"totals":{}\n' % at for at in range(1000))
    found = of(lines)
    assert len(found.rates["server"]) <= 11
    assert (found.rates["server"][0].at, found.rates["server"][-1].at) == (0.5, 999.5)
    backwards = b'{"taken_at":5,\n{"taken_at":3,\n{"taken_at":7,\n'
    assert [one.at for one in of(backwards).rates["server"]] == [5, 7]


def test_it_can_be_left() -> None:
    lines = b'{"taken_at":5,\n{"taken_at":6,\n'
    answers = iter((True, False))
    assert len(outline(reading(lines), lambda: next(answers)).rates["server"]) == 1
