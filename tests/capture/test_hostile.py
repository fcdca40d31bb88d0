"""Captures that somebody else has made: whatever is in them is a clear word, never a traceback."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from httptop.capture.frames import HEAD_BYTES, Packer
from httptop.capture.parts import ROW
from httptop.capture.problems import CaptureError
from httptop.capture.replay import ReplayFeed
from httptop.errors import UsageError
from httptop.output.text import to_text
from tests.capture.lines_written import HEADER, in_lines
from tests.capture.test_codec import FULL, contents, packed, read
from tests.capture.test_recording import AS_IT_IS, ME
from tests.factory import snapshot_at
from tests.stress.fuzz import captures

LINE = json.loads(in_lines([snapshot_at(1)]).splitlines()[1])
CONTENT = contents([snapshot_at(1)])[0][1]


def changed(**values: object) -> bytes:
    """Return a capture of schema 1."""
    return f"{HEADER}\n{json.dumps(LINE | values)}\n".encode()


def frame_of(change: Callable[[Any], object]) -> bytes:
    """Return a capture of a snapshot in whose first part something else was put."""
    document = msgspec.msgpack.decode(CONTENT, strict=False)
    change(document)
    return packed([(b"WHOL", msgspec.msgpack.encode(document))])


def put(value: object, *path: Any) -> bytes:
    """Return a capture of a snapshot that has something else at a place."""

    def change(document: Any) -> None:
        for name in path[:-1]:
            document = document[name]
        document[path[-1]] = value

    return frame_of(change)


def put_in_row(place: int, value: object) -> bytes:
    """Return a capture with a row one of whose values is something else."""
    document = msgspec.msgpack.decode(CONTENT)
    values = msgspec.msgpack.decode(document["rows"][0][3])
    values[place] = value
    return put(msgspec.msgpack.encode(values), "rows", 0, 3)


def torn(at: int, *, flip: int = 0xFF) -> bytes:
    content = bytearray(packed([(b"WHOL", CONTENT)]))
    content[content.index(b"\n") + 1 + at] ^= flip
    return bytes(content)


LINES = [
    b"",
    b"\n",
    b"hello\n",
    b"{}\n",
    b"[]\n",
    b'{"httptop": "capture", "schema": 3}\n',
    b'{"httptop":"capture","schema":22}\n',
    b"\x1f\x8b",
    b"\x1f\x8b" + bytes(range(256)),
    gzip.compress(b"x", mtime=0),
    HEADER.encode() + b"\n{}\n",
    HEADER.encode() + b"\n" + b"[" * 600_000 + b"\n",
    HEADER.encode() + b"\n" + b"9" * 10_000 + b"\n",
    HEADER.encode() + b'\n"\\ud800"\n',
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
    changed(overhead=[]),
    changed(overhead=[None] * 7),
    changed(overhead=[*[None] * 8, 5]),
    changed(other_protocols={}),
    changed(other_protocols=[[1, "tls"]]),
    changed(other_protocols=[[1, "tls", -1]]),
    changed(other_protocols=[[1, 2, 3]]),
    changed(other_protocols=[[n, "tls", 1] for n in range(140_000)]),
    changed(totals=[]),
    changed(totals={"server": [1]}),
    changed(final=1),
    changed(notes=[1]),
    changed(host=None),
]
BANDS = ("tick", "snapshot", "totals", "server", "trend_bands")
FRAMES = [
    b'{"httptop":"capture","schema":2',
    b'{"httptop":"capture","schema":2,"row":5}\n',
    b'{"httptop":"capture","schema":2,"row":[]}\n'
    + packed([(b"WHOL", CONTENT)]).split(b"\n", 1)[1],
    b'{"httptop":"capture","schema":2' + b" " * 9000,
    torn(0),  # the marker
    torn(8),  # the kind
    torn(15),  # lengths
    torn(19),
    torn(HEAD_BYTES),  # Zstandard's magic number
    torn(HEAD_BYTES + 4, flip=0x20),
    torn(HEAD_BYTES + 40),
    torn(-1 + len(packed([(b"WHOL", CONTENT)]).split(b"\n", 1)[1])),  # the checksum
    packed([(b"WHOL", CONTENT)])[:-1],
    packed([(b"DIFF", CONTENT)]),
    packed([(b"MORE", CONTENT)]),
    packed([(b"WHOL", b"\x80")]),
    packed([(b"WHOL", b"\x90")]),
    packed([(b"WHOL", CONTENT[:-1])]),
    packed([(b"WHOL", b"\x81\xa3new" + b"\x91" * 100_000)]),
    packed([(b"WHOL", b"\x81\xa4rows\xdd\xff\xff\xff\xff")]),
    packed([(b"WHOL", b"\x81\xa4rows\xdd\x00\x02\x00\x00" + b"\x93\x00\x00\x90" * 0x20000)]),
    packed([(b"WHOL", b"0" * 10)]),
    put(True, "more"),
    put([], "keys"),
    put([], "rows"),
    put(b"\1\0\0", "tick", "order"),
    put(b"\7\0\0\0", "tick", "order"),
    put(b"\0\0\0\0" * 2, "tick", "order"),
    put([7], "tick", "recent"),
    put({"servertrend_rps": -1}, "tick", "dropped"),
    put(-1.0, "tick", "in_flight_after_s"),
    put(float("nan"), "tick", "snapshot", "taken_at"),
    put(-1, "tick", "snapshot", "taken_at"),
    put(1e300, "tick", "snapshot", "taken_at"),
    put("now", "tick", "snapshot", "taken_at"),
    put(float("inf"), "tick", "snapshot", "uptime_s"),
    put({"up": {}}, "tick", "snapshot", "totals"),
    put({-1: 1}, "tick", "snapshot", "totals", "server", "status"),
    put([float("nan")], "tick", "snapshot", "totals", "server", "trend_rps"),
    put([1], "tick", "snapshot", "notes"),
    put([[[2000, 1]]], *BANDS),
    put([[[20, 1]] * 65], *BANDS),
    put(1 << 63, "tick", "snapshot", "health", "lost_samples"),
    put(5, "keys", 0, "process"),
    put("up", "keys", 0, "side"),
    frame_of(lambda document: document["keys"].append(document["keys"][0])),
    frame_of(lambda document: document["requests"][0].update(request_head=["a"] * 300)),
    frame_of(lambda document: document["requests"][0].update(started_at=1e300)),
    put(-1, "rows", 0, 0),
    put(99, "rows", 0, 0),
    put(-1, "rows", 0, 1),
    put([-1.0], "rows", 0, 2),
    put([float("nan"), 1.0], "rows", 0, 2),
    put(None, "rows", 0, 3),
    put(b"", "rows", 0, 3),
    put(b"\x90", "rows", 0, 3),
    put(b"\xc4" + b"\0" * 70_000, "rows", 0, 3),
    put_in_row(0, [-1]),
    put_in_row(1, -1),
    put_in_row(1, 1 << 63),
    put_in_row(2, float("nan")),
    put_in_row(2, float("inf")),
    put_in_row(5, {-1: 1}),
    put_in_row(5, {200: -1}),
    put_in_row(5, dict.fromkeys(range(2000), 1)),
    put_in_row(5, "200"),
]


@pytest.mark.parametrize("content", [*LINES, *FRAMES], ids=range(len(LINES) + len(FRAMES)))
def test_hostile_files_are_clean_errors(content: bytes, tmp_path: Path) -> None:
    if content:
        with pytest.raises(CaptureError):
            read(content)
    path = tmp_path / "hostile"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="hostile: "):
        ReplayFeed(path, ME, AS_IT_IS)


def test_hostile_texts_are_cleaned() -> None:
    (found,) = read(put("/\x1b[31m\u202e", "keys", 0, "path"))
    assert found.endpoints[0].key.path == "/\\x1b[31m\\u202e"
    (found,) = read(put("a\nb", "tick", "snapshot", "host"))
    assert found.host == "a\\x0ab"
    (found,) = read(put(["\x9b" * 5000], "tick", "snapshot", "notes"))
    assert len(found.notes[0]) == 1000
    assert found.notes[0].isprintable()


def test_a_row_of_no_host_may_say_that_its_host_is_down() -> None:
    (found,) = read(put_in_row(ROW.index("stale"), True))
    assert found.endpoints[0].stale
    assert "down" not in to_text(found)


def test_the_highest_latencies_are_numbers() -> None:
    captures.put_out(read(put([[[1999, 1]]], *BANDS))[0])


def test_what_the_screen_alone_asks_for_does_not_come_from_a_file() -> None:
    def ask(document: Any) -> None:
        document["tick"]["snapshot"] |= {"early": True, "kept_s": 5.0, "in_flight_for_screen": True}

    (found,) = read(frame_of(ask))
    assert (found.early, found.kept_s, found.in_flight_for_screen) == (False, 0.0, False)


def test_a_frame_that_says_less_than_it_holds_is_not_unpacked() -> None:
    """Nor is one that says more than can be."""
    bomb = Packer().frame(b"WHOL", b"0" * (64 << 20), 0)
    start = packed([])
    with pytest.raises(CaptureError, match="too large"):
        read(start + bomb)
    small = bomb[:16] + (1000).to_bytes(4, "little") + bomb[20:]
    with pytest.raises(CaptureError, match="not what it says"):
        read(start + small)


def test_any_damage_is_a_clean_error() -> None:
    """See tests/stress/fuzz/captures.py, of which this is a little."""
    done = captures.attempt(random.Random(7), 200)
    assert done.damaged > 100
    assert done.read > 10
    assert not done.faults, done.faults[0]


def test_every_kind_of_damage_is_among_it() -> None:
    captured = captures.originals()
    assert {name for name, _ in captured} == {"schema 2", "schema 2, crashed", "schema 1", "gzip"}
    assert read(dict(captured)["schema 2"])[-1] == FULL
