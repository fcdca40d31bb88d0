"""The outline of a capture: its times and rates, bounded, of whatever file."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from httptop.capture import outline as module
from httptop.capture.frames import ReadAt
from httptop.capture.outline import Outline, outline
from httptop.model import Snapshot
from tests.capture import test_seeking as seeking
from tests.capture.lines_written import written_in_lines
from tests.capture.test_recording import TICKS, written


def reading(content: bytes) -> ReadAt:
    return lambda offset, size: content[offset : offset + size]


def of(content: bytes) -> Outline:
    return outline(reading(content), lambda: True)


@pytest.mark.parametrize(
    ("write", "name"), [(written, "a"), (written_in_lines, "a"), (written_in_lines, "a.gz")]
)
def test_it_has_each_time_and_the_rates_of_both_sides(
    write: Callable[[Path, tuple[Snapshot, ...]], Path], name: str, tmp_path: Path
) -> None:
    hostile = replace(TICKS[0], host='"server":[9,9.0,', taken_at=1.6e9)
    found = of(write(tmp_path / name, (hostile, *TICKS)).read_bytes())
    for side in ("server", "client"):
        wanted = [(one.taken_at, one.total(side).rps) for one in (hostile, *TICKS)]
        assert list(found.rates[side]) == wanted
    assert found.longest_gap_s == 2.5


@pytest.mark.parametrize("how", ["finished", "crash", "two"])
def test_it_is_found_by_indices(how: str, tmp_path: Path) -> None:
    content = seeking.write(how, tmp_path).read_bytes()
    asked: list[int] = []

    def read(offset: int, size: int) -> bytes:
        asked.append(min(size, max(0, len(content) - offset)))
        return content[offset : offset + size]

    found = outline(read, lambda: True)
    ticks = seeking.TICKS
    assert [one.at for one in found.rates["server"]] == [tick.taken_at for tick in ticks]
    assert [one.rate for one in found.rates["server"]] == [
        tick.total("server").rps for tick in ticks
    ]
    if how == "finished":
        assert sum(asked) < len(content) / 10


def test_a_damaged_index_is_the_end_of_it(tmp_path: Path) -> None:
    content = bytearray(seeking.write("finished", tmp_path).read_bytes())
    content[content.index(b"TIME") + 60] ^= 0xFF
    assert of(bytes(content)) == Outline()
    at = content.rindex(b"TIME")
    assert len(of(bytes(content[:at])).rates["server"]) < len(seeking.TICKS)


def test_it_ends_where_the_file_does_or_is_damaged(tmp_path: Path) -> None:
    content = written_in_lines(tmp_path / "a.gz", TICKS).read_bytes()
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
