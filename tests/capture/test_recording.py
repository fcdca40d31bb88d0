"""Captures: whole round trips, cut-off and hostile files, and their replay."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import os
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from httptop.capture.opening import read_capture
from httptop.capture.problems import CaptureError, CutOff
from httptop.capture.recorder import Recorder, RecordingError
from httptop.capture.replay import ReplayFeed
from httptop.capture.restrict import narrowed
from httptop.collect.feed import ObservedFeed
from httptop.collect.redacted import SnapshotRedaction
from httptop.config.scope import limited
from httptop.config.settings import Settings
from httptop.errors import UsageError
from httptop.linux.files import InvokingUser
from httptop.model import (
    EndpointKey,
    RequestInFlight,
    SinkStats,
    Snapshot,
)
from httptop.output.back_off import BackOff
from httptop.output.sink import SnapshotSink
from tests.capture.lines_written import written_in_lines
from tests.factory import snapshot_at
from tests.patience import PATIENCE_S

ME = InvokingUser(os.geteuid(), os.getegid(), Path("/"))
AS_IT_IS = SnapshotRedaction("off")
TICKS = tuple(snapshot_at(n, final=n == 6) for n in range(1, 7))


def written(path: Path, ticks: tuple[Snapshot, ...] = TICKS) -> Path:
    recorder = Recorder(path, ME, AS_IT_IS)
    for tick in ticks:
        recorder.send(tick, 0)
    recorder.close()
    recorder.close()
    return path


def recording(path: Path) -> SnapshotSink:
    """Return a sink that tries again at once."""
    return SnapshotSink("recording", Recorder(path, ME, AS_IT_IS), back_off=BackOff(least_s=0.0))


def read(content: bytes) -> list[Snapshot]:
    return list(read_capture(io.BytesIO(content)))


@pytest.mark.parametrize("name", ["a.capture", "a.capture.gz"])
def test_round_trip(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open("rb") as file:
        assert tuple(read_capture(file)) == TICKS


@pytest.mark.parametrize("write", [written, written_in_lines])
@pytest.mark.parametrize("name", ["a.capture", "a.capture.gz"])
def test_cut_off_anywhere(
    write: Callable[[Path, tuple[Snapshot, ...]], Path], name: str, tmp_path: Path
) -> None:
    content = write(tmp_path / name, TICKS).read_bytes()
    for length in range(0, len(content) - 1, max(1, len(content) // 97)):
        got: list[Snapshot] = []
        with pytest.raises(CaptureError):  # noqa: PT012
            for tick in read_capture(io.BytesIO(content[:length])):
                got.append(tick)
            if got:
                raise CutOff("between two snapshots: nothing to complain about")
        assert tuple(got) == TICKS[: len(got)]


def test_one_may_follow_another(tmp_path: Path) -> None:
    """As by cat: rows and requests count from the start again."""
    one, other = (written(tmp_path / name).read_bytes() for name in "ab")
    assert read(one + other) == [*TICKS, *TICKS]
    with pytest.raises(CaptureError, match="no frame at byte"):
        read(one + b"and more")


def test_refuses_what_it_must_not_write(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot record to .*directory"):
        Recorder(tmp_path, ME, AS_IT_IS)
    os.link(written(tmp_path / "a"), tmp_path / "b")
    with pytest.raises(UsageError, match="hard links"):
        Recorder(tmp_path / "b", ME, AS_IT_IS)
    assert (tmp_path / "a").stat().st_size > 100


def test_truncates_captures_only(tmp_path: Path) -> None:
    for name in ("a", "a.gz"):
        Recorder(written(tmp_path / name), ME, AS_IT_IS).close()
        assert read((tmp_path / name).read_bytes()) == []
    for content in (b"precious", b'{"httptop": 1}', gzip.compress(b"precious"), b"\x1f\x8bx"):
        (tmp_path / "b").write_bytes(content)
        with pytest.raises(UsageError, match="exists, and httptop has not written it"):
            Recorder(tmp_path / "b", ME, AS_IT_IS)
        assert (tmp_path / "b").read_bytes() == content


def test_says_that_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("httptop.capture.recorder.LARGEST_FILE", 3000)
    feed = ObservedFeed(FakeFeed(), [recording(tmp_path / "a")])
    seen: list[Snapshot] = []
    failures: list[BaseException] = []
    feed.start(seen.append, failures.append)
    assert len(seen) == 6  # the run sees all of them
    last = feed.stop()
    assert not failures
    (trouble,) = feed.troubles
    assert f"cannot record to {tmp_path}/a: it would grow too large" in trouble
    assert last is not None
    assert trouble in last.notes
    (sink,) = last.sinks
    assert sink.state == "ended"
    assert sink.sent + sink.dropped == 7  # of six and the last one
    assert 0 < len(read((tmp_path / "a").read_bytes())) < 6  # whole lines


@pytest.mark.parametrize("name", ["a"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO])
def test_keeps_whole_lines_where_a_write_fails(
    name: str, error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each line, after some of its bytes were written; and at the end."""
    write, fsync = os.write, os.fsync
    for good in range(8):
        left = [good]

        def limited(descriptor: int, data: memoryview, left: list[int] = left) -> int:
            if left[0] < 0:
                raise OSError(error, os.strerror(error))
            left[0] -= 1
            return write(descriptor, data if left[0] >= 0 else data[:5])

        def failing(descriptor: int) -> None:
            fsync(descriptor)
            raise OSError(error, os.strerror(error))

        with monkeypatch.context() as patch:
            patch.setattr("httptop.capture.recorder.os.write", limited)
            patch.setattr("httptop.capture.recorder.os.fsync", failing)
            if good == 0:
                with pytest.raises(RecordingError, match="cannot record to"):
                    Recorder(tmp_path / name, ME, AS_IT_IS)
                assert (tmp_path / name).read_bytes() == b""
                continue
            sink = recording(tmp_path / name)
            sink.begin()
            for tick in TICKS[:-1]:
                sink.see(tick)
            sink.end(TICKS[-1])
            sink.finish(time.monotonic() + 30)
        assert os.strerror(error).lower() in sink.trouble.lower()
        got = []
        with (tmp_path / name).open("rb") as file, contextlib.suppress(CutOff):
            for snapshot in read_capture(file):
                got.append(snapshot)
        assert got == list(TICKS[: good - 1])


@pytest.mark.parametrize("name", ["a"])
@pytest.mark.parametrize("good", range(1, 7))
def test_goes_on_once_there_is_room_again(
    name: str, good: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that is written in part is cut off; whole, it comes before those that follow."""
    write, calls = os.write, [0]

    def limited(descriptor: int, data: memoryview) -> int:
        calls[0] += 1
        if calls[0] == good + 1:
            return write(descriptor, data[:5])
        if good + 1 < calls[0] < good + 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    monkeypatch.setattr("httptop.capture.recorder.os.write", limited)
    recorder = Recorder(tmp_path / name, ME, AS_IT_IS)
    whole = [(tmp_path / name).stat().st_size]
    for number, tick in enumerate(TICKS):
        for _ in range(2 if number == good - 1 else 0):
            with pytest.raises(RecordingError, match="no space left"):
                recorder.send(tick, 0)
            assert (tmp_path / name).stat().st_size == whole[-1]
        recorder.send(tick, 0)
        whole.append((tmp_path / name).stat().st_size)
    recorder.close()
    assert read((tmp_path / name).read_bytes()) == list(TICKS)


def test_a_gap_is_told_by_the_snapshots_behind_it(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a", ME, AS_IT_IS)
    for tick, dropped in zip(TICKS, (0, 1, 1, 12, 12, 12), strict=True):
        recorder.send(tick, dropped)
    recorder.close()
    first, *others = read((tmp_path / "a").read_bytes())
    assert first == TICKS[0]
    assert [other.notes[-1].partition(" from")[0] for other in others] == [
        *["1 snapshot is missing"] * 2,
        *["12 snapshots are missing"] * 3,
    ]


def test_a_capture_without_the_runs_last_snapshot_says_so(tmp_path: Path) -> None:
    feed = ReplayFeed(written(tmp_path / "a", TICKS[:-1]), ME, AS_IT_IS, pace_s=0.001)
    assert played(feed)[-1].notes[-1] == feed.problem
    assert feed.problem == f"{tmp_path}/a: lacks the end of the run; played as far as it goes"
    assert not feed.damaged


class FakeFeed:
    """Publishes all at once."""

    def start(
        self,
        publish: Callable[[Snapshot], None],
        fail: Callable[[BaseException], None],  # noqa: ARG002
    ) -> None:
        for tick in TICKS:
            publish(tick)

    def apply(self, settings: Settings) -> None:
        raise NotImplementedError

    def filter_by(self, ready: object) -> None: ...

    def metrics(self, timeout_s: float) -> None: ...

    def look_at(self, key: EndpointKey | None) -> None:
        raise NotImplementedError

    def set_window(self, seconds: float) -> None:
        raise NotImplementedError

    def look_in_flight(self, on: bool) -> None:
        raise NotImplementedError

    def stop(self) -> Snapshot | None:
        return replace(TICKS[-1], final=True)


def test_a_recorded_feed_ends_with_its_last_snapshot(tmp_path: Path) -> None:
    feed = ObservedFeed(FakeFeed(), [recording(tmp_path / "a.gz")])
    feed.start(lambda _: None, lambda _: None)
    last = feed.stop()
    assert last == feed.stop() == replace(TICKS[-1], sinks=(SinkStats("recording", "working", 7),))
    with (tmp_path / "a.gz").open("rb") as file:
        assert len(list(read_capture(file))) == 7


def played(feed: ReplayFeed) -> list[Snapshot]:
    ended = threading.Event()
    got: list[Snapshot] = []
    faults: list[BaseException] = []

    def publish(tick: Snapshot) -> None:
        got.append(tick)
        if tick.final:
            ended.set()

    feed.start(publish, faults.append)
    assert ended.wait(PATIENCE_S)
    feed.stop()
    assert not faults
    return got


def test_replay_is_what_was_recorded(tmp_path: Path) -> None:
    feed = ReplayFeed(written(tmp_path / "a"), ME, AS_IT_IS, pace_s=0.001)
    assert tuple(played(feed)) == TICKS
    assert feed.problem is None


def test_replay_of_a_cut_off_capture_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "a")
    path.write_bytes(path.read_bytes()[:-600])  # the index is before that
    feed = ReplayFeed(path, ME, AS_IT_IS, pace_s=0.001)
    got = played(feed)
    assert len(got) == 5
    assert got[-1].final
    assert "cut off" in got[-1].notes[-1]
    assert "cut off" in (feed.problem or "")
    assert not feed.damaged


def test_replay_stops_at_once(tmp_path: Path) -> None:
    feed = ReplayFeed(written(tmp_path / "a"), ME, AS_IT_IS, pace_s=3600)
    first = threading.Event()
    feed.start(lambda _: first.set(), lambda _: None)
    assert first.wait(PATIENCE_S)
    last = feed.stop()
    assert last == replace(TICKS[0], final=True)
    assert feed.stop() == last


def test_requests_in_flight_are_limited_as_endpoints_are() -> None:
    keys = [row.key for row in TICKS[0].endpoints]
    in_flight = tuple(RequestInFlight(key, 1e9, 7, "::1") for key in keys)
    python = limited("comm ~ python*")
    held = narrowed(replace(TICKS[0], in_flight=in_flight), python).in_flight
    assert held is not None
    assert 0 < len(held) < len(in_flight)
    assert {one.key.process for one in held} == {"python3"}
    assert narrowed(TICKS[0], python).in_flight is None


def test_replay_is_limited_exactly(tmp_path: Path) -> None:
    feed = ReplayFeed(
        written(tmp_path / "a"), ME, AS_IT_IS, scope=limited("comm ~ python*"), pace_s=0.001
    )
    last = played(feed)[-1]
    assert [one.key.process for one in last.endpoints] == ["python3"]
    assert last.total("server").requests == last.endpoints[0].requests
    assert last.total("server").latency == last.endpoints[0].latency
    assert last.total("client").requests == 0
    assert last.recent == ()
