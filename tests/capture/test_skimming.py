"""A capture skimmed has all of its snapshots but their rows, and the last one with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from httptop.capture.problems import CaptureError
from httptop.capture.skimming import Skim
from httptop.model import Snapshot
from tests.capture.lines_written import written_in_lines
from tests.capture.test_recording import TICKS, written


@pytest.mark.parametrize("write", [written, written_in_lines])
@pytest.mark.parametrize("most", [1, 3, len(TICKS)])
def test_it_is_what_was_recorded(
    write: Callable[[Path, tuple[Snapshot, ...]], Path], most: int, tmp_path: Path
) -> None:
    with write(tmp_path / "a", TICKS).open("rb") as file:
        skim = Skim(file)
        assert skim.last() is None
        found = list(islice(skim.snapshots(), most))
        assert found == [replace(tick, endpoints=()) for tick in TICKS[:most]]
        assert skim.last() == skim.last() == TICKS[most - 1]


def test_it_has_rows_where_they_are_asked_for(tmp_path: Path) -> None:
    with written(tmp_path / "a").open("rb") as file:
        assert tuple(Skim(file).snapshots(rows=True)) == TICKS


def test_the_last_whole_one_is_there_behind_a_damaged_line(tmp_path: Path) -> None:
    path = written_in_lines(tmp_path / "a", TICKS)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + b"{}\n")
    with path.open("rb") as file:
        skim = Skim(file)
        with pytest.raises(CaptureError):
            list(skim.snapshots())
        assert skim.last() == TICKS[1]
