"""Captures read from any place: the same snapshots as by reading all, in bounded memory."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.capture import lines, seeking
from httptop.capture.encoder import EVERY
from httptop.capture.frames import ReadAt
from httptop.capture.opening import read_capture
from httptop.capture.seeking import CaptureReader
from httptop.model import Snapshot
from tests.capture.lines_written import written_in_lines
from tests.capture.test_recording import written
from tests.factory import key, request, row, snapshot_at

#: Rows that come, go, change and do not change; requests that stay for some lines.
TICKS = tuple(
    replace(
        snapshot_at(
            n,
            tuple(
                row(
                    key(f"/{at}"),
                    {200: n - n % (at + 1)},
                    trend=tuple(float(t) for t in range(max(0, n - 9), n - n % (at + 1))),
                )
                for at in range(5)
                if (n + at) % 7
            ),
        ),
        recent=tuple(request(serial) for serial in range(n, max(0, n - 4), -1)),
        final=n == 2 * EVERY + 10,
    )
    for n in range(1, 2 * EVERY + 11)
)


def go(_: float) -> bool:
    return True


def write(how: str, folder: Path) -> Path:
    """Write TICKS as a capture: finished, as after a crash, two of them, or of schema 1."""
    path = folder / ("a.gz" if how == "gz" else "a")
    if how in ("lines", "gz"):
        return written_in_lines(path, TICKS)
    if how == "two":
        one, other = (written(folder / str(n), TICKS[n:m]) for n, m in ((0, 80), (80, 999)))
        path.write_bytes(one.read_bytes() + other.read_bytes())
    else:
        content = written(path, TICKS).read_bytes()
        if how == "crash":  # without the last index, and the end
            path.write_bytes(content[: content.rindex(b"TIME") - 8])
    return path


WAYS = ("finished", "crash", "two", "lines", "gz")


@pytest.fixture(scope="module", params=WAYS)
def read(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ReadAt:
    return reading(write(request.param, tmp_path_factory.mktemp("seeking")))


def reading(path: Path) -> ReadAt:
    descriptor = os.open(path, os.O_RDONLY)
    return lambda offset, size: os.pread(descriptor, size, offset)


_moves = st.one_of(
    st.tuples(st.just("number"), st.integers(0, 140)),
    st.tuples(st.just("time"), st.floats(0, 140)),
    st.tuples(st.just("next"), st.integers(1, 5)),
)


@given(moves=st.lists(_moves, max_size=12))
def test_wherever_one_goes_it_is_as_if_all_had_been_read(
    read: ReadAt, moves: list[tuple[str, float]]
) -> None:
    reader = CaptureReader(read)
    for how, where in moves:
        if how == "next":
            for _ in range(int(where)):
                expected = TICKS[reader.number] if reader.number < len(TICKS) else None
                assert reader.next() == expected
        elif how == "number":
            at = min(int(where), len(TICKS) - 1)
            assert reader.go_to_number(int(where), go) == TICKS[at]
            assert reader.number == at + 1
        else:
            wanted = TICKS[0].taken_at + where
            found = next((tick for tick in TICKS if tick.taken_at >= wanted), TICKS[-1])
            assert reader.go_to(wanted, go) == found
    assert reader.problem is None


@pytest.mark.parametrize("how", WAYS)
def test_what_is_kept_is_bounded_and_goes_back_to_the_start(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeking, "MOST_BYTES", 400_000)
    monkeypatch.setattr(seeking, "_EVERY", 1)
    reader = CaptureReader(reading(write(how, tmp_path)))
    while reader.next() is not None:
        pass
    assert 1 < len(reader._places) < 8
    assert sum(place.size_bytes for place in reader._places) <= 400_000
    assert len(reader._last) <= 16
    assert [reader.go_to_number(at, go) for at in (0, 33)] == [TICKS[0], TICKS[33]]


@pytest.mark.parametrize("how", ["lines", "gz"])
def test_a_long_way_can_be_left(how: str, tmp_path: Path) -> None:
    read = reading(write(how, tmp_path))
    asked: list[float] = []

    def stop(at: float) -> bool:
        asked.append(at)
        return len(asked) < 50

    reader = CaptureReader(read)
    found = reader.go_to(1e12, stop)
    assert found == TICKS[49]
    assert asked == [tick.taken_at for tick in TICKS[:50]]
    assert reader.next() == TICKS[50]


def test_with_an_index_few_snapshots_are_read(tmp_path: Path) -> None:
    passed: list[float] = []

    def count(at: float) -> bool:
        passed.append(at)
        return True

    for how in ("finished", "crash", "two"):
        folder = tmp_path / how
        folder.mkdir()
        reader = CaptureReader(reading(write(how, folder)))
        for number in (125, 30, 79, 61, 128):
            passed.clear()
            assert reader.go_to_number(number, count) == TICKS[number]
            assert len(passed) <= EVERY
            passed.clear()
            assert reader.go_to(TICKS[number].taken_at - 0.5, count) == TICKS[number]
            assert len(passed) <= EVERY


@pytest.mark.parametrize("how", WAYS)
def test_a_capture_that_is_cut_off_ends_there(how: str, tmp_path: Path) -> None:
    path = write(how, tmp_path)
    path.write_bytes(path.read_bytes()[:-900])
    reader = CaptureReader(reading(path))
    last = reader.go_to(1e12, go)
    assert last in TICKS[115:130]
    assert "cut off" in str(reader.problem)
    assert reader.next() is None
    assert reader.go_to_number(3, go) == TICKS[3]


def test_a_damaged_line_is_the_end_whether_it_is_read_or_passed(tmp_path: Path) -> None:
    path = written_in_lines(tmp_path / "a", TICKS)
    content = path.read_bytes().splitlines(keepends=True)
    content[40] = b'{"taken_at": 5}\n'
    path.write_bytes(b"".join(content))
    reader = CaptureReader(reading(path))
    assert reader.go_to(1e12, go) == TICKS[38]
    assert "damaged line" in str(reader.problem)
    assert reader.go_to_number(37, go) == TICKS[37]
    assert [reader.next(), reader.next()] == [TICKS[38], None]


def test_a_damaged_frame_is_the_end_but_the_index_leads_beyond(tmp_path: Path) -> None:
    path = written(tmp_path / "a", TICKS)
    content = bytearray(path.read_bytes())
    at = [n for n in range(len(content)) if content.startswith(b"DIFF", n)][39] + 100
    content[at] ^= 0xFF
    path.write_bytes(content)
    reader = CaptureReader(reading(path))
    last = None
    while (found := reader.next()) is not None:
        last = found
    assert last == TICKS[39]
    assert "is damaged at byte" in str(reader.problem)
    assert reader.go_to_number(38, go) == TICKS[38]
    assert reader.go_to_number(100, go) == TICKS[100]


def test_members_of_gzip_follow_each_other(tmp_path: Path) -> None:
    import gzip

    content = written_in_lines(tmp_path / "a", TICKS).read_bytes()
    cut = len(content) // 2
    packed = gzip.compress(content[:cut]) + gzip.compress(content[cut:]) + b"\0" * 512
    (tmp_path / "b.gz").write_bytes(packed)
    with (tmp_path / "b.gz").open("rb") as file:
        assert tuple(read_capture(file)) == TICKS
    reader = CaptureReader(reading(tmp_path / "b.gz"))
    assert [reader.go_to_number(at, go) for at in (69, 20, 60, 125)] == [
        TICKS[at] for at in (69, 20, 60, 125)
    ]


def test_a_line_without_end_is_not_swallowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 100_000)
    path = written_in_lines(tmp_path / "a", TICKS)
    path.write_bytes(path.read_bytes() + b"0" * 5_000_000)
    reader = CaptureReader(reading(path))
    last: Snapshot | None = reader.go_to(1e12, go)
    assert last == TICKS[-1]
    assert "too long" in str(reader.problem)
