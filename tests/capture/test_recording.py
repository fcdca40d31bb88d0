"""Captures: whole round trips, cut-off and hostile files, and their replay."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import json
import os
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.capture.codec import Encoder
from httptop.capture.decoder import Decoder
from httptop.capture.fields import CaptureError
from httptop.capture.lines import CutOff
from httptop.capture.recorder import Recorder, RecordingError, read_capture
from httptop.capture.replay import ReplayFeed
from httptop.capture.restrict import narrowed
from httptop.collect.feed import ObservedFeed
from httptop.collect.redacted import SnapshotRedaction
from httptop.config.scope import limited
from httptop.config.settings import Settings
from httptop.errors import UsageError
from httptop.linux.files import InvokingUser
from httptop.model import (
    NO_LATENCY,
    EndpointKey,
    Latency,
    Overhead,
    RequestInFlight,
    SinkStats,
    Snapshot,
)
from httptop.output.back_off import BackOff
from httptop.output.sink import SnapshotSink
from tests.factory import LATENCY, key, request, row, snapshot_at
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


def test_rows_that_come_go_and_change_places() -> None:
    rows = tuple(row(key(f"/{n}"), {200: n + 1}, trend=(1.0, None, float(n))) for n in range(4))
    again = (
        replace(rows[2], requests=9, trend_ns=(None, 2.0, 7.0)),
        rows[0],
        replace(rows[1], trend_ns=()),
        row(key("/new"), pids=()),
    )
    ticks = (snapshot_at(1, rows), snapshot_at(2, again), snapshot_at(3, ()), snapshot_at(4, rows))
    encoder, decoder = Encoder(), Decoder()
    for tick in ticks:
        assert decoder.snapshot(encoder.line(tick).encode()) == tick


HEADED = request(
    99,
    response_head=("HTTP/1.1 200 OK", "Content-Type: text/plain"),
    request_head=("Host: shop", "Cookie: ***"),
)


def test_heads_of_both_and_what_was_shed_are_kept() -> None:
    tick = replace(
        snapshot_at(1), recent=(HEADED,), overhead=Overhead(1.0, shed=("samples", "pids"))
    )
    assert Decoder().snapshot(Encoder().line(tick).encode()) == tick


def test_a_capture_of_before_lacks_them() -> None:
    tick = replace(snapshot_at(1), recent=(HEADED,))
    line = json.loads(Encoder().line(tick))
    del line["recent"][0][12]
    without = replace(HEADED, request_head=())
    assert Decoder().snapshot(json.dumps(line).encode()) == replace(tick, recent=(without,))
    del line["recent"][0][11], line["overhead"][8:]
    without = replace(without, response_head=())
    assert Decoder().snapshot(json.dumps(line).encode()) == replace(tick, recent=(without,))


TIMED = replace(row(), sending_total=LATENCY, duration_total=LATENCY, wait_total=LATENCY)


def test_times_beside_the_latency_are_kept() -> None:
    tick = snapshot_at(1, (TIMED,))
    assert Decoder().snapshot(Encoder().line(tick).encode()) == tick


@pytest.mark.parametrize(
    ("cells", "lacks"),
    [
        (23, {}),
        (14, {"wait_total": NO_LATENCY}),
        (12, dict.fromkeys(("wait_total", "sending_total", "duration_total"), NO_LATENCY)),
    ],
)
def test_a_capture_of_before_lacks_these_figures(cells: int, lacks: dict[str, Any]) -> None:
    lacks |= {"window_requests": None, "window_errors": None}
    line = json.loads(Encoder().line(snapshot_at(1, (TIMED,))))
    del line["endpoints"][0][cells:]
    (found,) = Decoder().snapshot(json.dumps(line).encode()).endpoints
    assert found == replace(TIMED, **lacks)


def test_a_capture_of_before_does_not_say_what_the_window_covers() -> None:
    line = json.loads(Encoder().line(snapshot_at(7)))
    del line["covered_s"]
    for totals in line["totals"].values():
        del totals[10]
    found = Decoder().snapshot(json.dumps(line).encode())
    assert (found.window_s, found.covered_s) == (60.0, 7.0)
    assert found.total("server").latency_total == NO_LATENCY
    assert found.total("server").latency == LATENCY


def test_what_goes_on_is_small() -> None:
    rows = tuple(row(key(f"/{n}"), trend=tuple(map(float, range(60)))) for n in range(1000))
    moved = tuple(replace(one, trend_ns=(*one.trend_ns[1:], 5.0)) for one in rows)
    encoder = Encoder()
    first = encoder.line(snapshot_at(1, rows))
    assert len(encoder.line(snapshot_at(2, rows))) < len(first) / 40
    assert len(encoder.line(snapshot_at(3, moved))) < len(first) / 2


_counts = st.integers(0, 2**58)  # their sums are counts, too
_numbers = st.floats(0, 1e15)
_texts = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=20)
_keys = st.builds(
    EndpointKey,
    st.sampled_from(["server", "client"]),
    _texts,
    _texts,
    st.booleans(),
    _texts,
    _texts,
)
_latencies = st.builds(Latency, st.integers(1, 99), *[_numbers] * 7)
_rows = st.builds(
    lambda k, status, latency, trend: row(k, status, 1, latency, trend=trend),
    _keys,
    st.dictionaries(st.integers(100, 999), _counts, max_size=3),
    _latencies,
    st.lists(st.none() | _numbers, max_size=5).map(tuple),
)


@given(st.lists(st.lists(_rows, max_size=4, unique_by=lambda one: one.key), max_size=4))
def test_any_snapshots_round_trip(ticks: list[list[object]]) -> None:
    encoder, decoder = Encoder(), Decoder()
    for number, rows in enumerate(ticks):
        tick = snapshot_at(number, tuple(rows))  # type: ignore[arg-type]
        assert decoder.snapshot(encoder.line(tick).encode()) == tick


@pytest.mark.parametrize("name", ["a.capture", "a.capture.gz"])
def test_cut_off_anywhere(name: str, tmp_path: Path) -> None:
    content = written(tmp_path / name).read_bytes()
    for length in range(0, len(content) - 1, max(1, len(content) // 97)):
        got: list[Snapshot] = []
        with pytest.raises(CaptureError):  # noqa: PT012
            for tick in read_capture(io.BytesIO(content[:length])):
                got.append(tick)
            if got:
                raise CutOff("between two lines: nothing to complain about")
        assert tuple(got) == TICKS[: len(got)]


def test_hostile_texts_are_cleaned() -> None:
    line = Encoder().line(snapshot_at(1)).replace("/users/{id}", "/\\u001b[31m\\ud800\\u202e")
    got = Decoder().snapshot(line.encode())
    assert got.endpoints[0].key.path.isprintable()
    assert "\\x1b[31m" in got.endpoints[0].key.path


HEADER = Encoder().header().encode()
LINE = json.loads(Encoder().line(snapshot_at(1)))


def changed(**values: object) -> bytes:
    return HEADER + b"\n" + json.dumps(LINE | values).encode() + b"\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"hello\n",
        b"{}\n",
        b"[]\n",
        b'{"httptop": "capture", "schema": 2}\n',
        b"\x1f\x8b",
        b"\x1f\x8b" + bytes(range(256)),
        gzip.compress(b"x", mtime=0),
        HEADER + b"\n{}\n",
        HEADER + b"\n" + b"[" * 1_000_000 + b"\n",
        HEADER + b"\n" + b"9" * 10_000 + b"\n",
        changed(taken_at="now"),
        changed(taken_at=1e300),
        changed(taken_at=-1),
        changed(taken_at=float("nan")),
        changed(uptime_s=float("inf")),
        changed(keys=[["up", "a", "b", False, "c", "d"]]),
        changed(keys=5),
        changed(keys=[]),
        changed(endpoints=[True]),
        changed(endpoints=[-1]),
        changed(endpoints=[0]),
        changed(endpoints=[LINE["endpoints"][0], LINE["endpoints"][0]]),
        changed(endpoints=[[0] * 12]),
        changed(endpoints=[[0] * 11]),
        changed(recent=[7]),
        changed(recent=[[]]),
        changed(health=[-1]),
        changed(health=[10**30]),
        changed(recent=[[*LINE["recent"][0][:11], [5]]]),
        changed(recent=[[*LINE["recent"][0][:12], [5]]]),
        changed(recent=[[*LINE["recent"][0], []]]),
        changed(recent=[[*LINE["recent"][0], 5]]),
        changed(overhead=[]),
        changed(overhead=[None] * 7),
        changed(overhead=[None] * 9),
        changed(other_protocols={}),
        changed(other_protocols=[[1, "tls"]]),
        changed(other_protocols=[[1, "tls", -1]]),
        changed(other_protocols=[[1, 2, 3]]),
        changed(other_protocols=[[1, "tls", 1]] * 70_000),
        changed(totals=[]),
        changed(totals={"server": [1]}),
        changed(final=1),
        changed(notes=[1]),
        changed(host=None),
    ],
)
def test_hostile_files_are_clean_errors(content: bytes, tmp_path: Path) -> None:
    if content:
        with pytest.raises(CaptureError):
            read(content)
    path = tmp_path / "hostile"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="hostile: "):
        ReplayFeed(path, ME, AS_IT_IS)


def test_a_line_without_end_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("httptop.capture.lines.LONGEST_LINE", 1000)
    bomb = gzip.compress(HEADER + b"\n" + b"0" * 50_000_000)
    with pytest.raises(CaptureError, match="too long"):
        read(bomb)


@given(st.data())
def test_any_damage_is_a_clean_error(data: st.DataObject) -> None:
    content = bytearray(changed())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(bytes(content))
    except CaptureError:
        return


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


@pytest.mark.parametrize("name", ["a", "a.gz"])
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


@pytest.mark.parametrize("name", ["a", "a.gz"])
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
    path.write_bytes(path.read_bytes()[:-100])
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
