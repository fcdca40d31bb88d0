"""A capture holds all of a snapshot, and a reader of any age finds what it knows."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import fields, replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.capture import encoder
from httptop.capture.encoder import EVERY, Encoder
from httptop.capture.frames import Packer, line_for_people
from httptop.capture.opening import read_capture
from httptop.capture.parts import ROW, Part
from httptop.capture.problems import CaptureError
from httptop.model import EndpointKey, EndpointStats, Health, Latency, Snapshot, StatusLatency
from tests.factory import key, many, row, snapshot_at
from tests.filled import as_by_default, filled_snapshot

LOOKED_AT = filled_snapshot()


def recorded(snapshot: Snapshot) -> Snapshot:
    """Return what a recording has of a snapshot: it does not depend on who looks."""
    rows = tuple(replace(row, partial=False) for row in snapshot.endpoints)
    return replace(
        snapshot, endpoints=rows, looked_at=None, in_flight_for_screen=False, in_flight_age_s=-0.25,
        kept_s=0.0, filtered=None, early=False,
    )  # fmt: skip


FULL = recorded(LOOKED_AT)
OTHER = recorded(filled_snapshot(first=1000))


def contents(ticks: Sequence[Snapshot]) -> list[tuple[bytes, bytes]]:
    """Return the kind and the content of each frame."""
    encoder = Encoder()
    return [frame for tick in ticks for frame in encoder.frames(tick)]


def in_frames(ticks: Sequence[Snapshot], names: Sequence[str] = ROW) -> bytes:
    """Return a capture without an index."""
    return packed(contents(ticks), names)


def packed(frames: Sequence[tuple[bytes, bytes]], names: Sequence[str] = ROW) -> bytes:
    """Return a capture of these frames."""
    packer = Packer()
    return line_for_people(names) + b"".join(packer.frame(*frame, 0) for frame in frames)


def read(content: bytes) -> list[Snapshot]:
    return list(read_capture(io.BytesIO(content)))


def test_the_fixture_leaves_no_field_as_it_is_by_default() -> None:
    assert list(as_by_default(LOOKED_AT)) == []
    assert list(as_by_default(replace(FULL, notes=(), health=Health(1)))) != []


def test_no_field_of_a_snapshot_is_lost() -> None:
    later = replace(FULL, taken_at=FULL.taken_at + 1, endpoints=FULL.endpoints[1:])
    ticks = [FULL, later, OTHER]
    assert read(in_frames(ticks)) == ticks


def test_what_the_screen_alone_has_asked_for_is_not_recorded() -> None:
    nobody = replace(
        FULL,
        in_flight=None,
        endpoints=tuple(replace(row, oldest_in_flight_ns=None) for row in FULL.endpoints),
    )
    looked_at = replace(LOOKED_AT, endpoints=FULL.endpoints)
    assert in_frames([looked_at]) == in_frames([nobody]) != in_frames([FULL])
    older = replace(FULL.endpoints[0], oldest_in_flight_ns=1e12)
    later = replace(looked_at, endpoints=(older, *FULL.endpoints[1:]))
    _, (_, changes) = contents([looked_at, later])
    assert msgspec.msgpack.decode(changes, type=Part).rows == []


def test_rows_that_come_go_and_change_places() -> None:
    rows = tuple(row(key(f"/{n}"), {200: n + 1}, trend=(1.0, None, float(n))) for n in range(4))
    again = (
        replace(rows[2], requests=9, trend_ns=(None, 2.0, 7.0)),
        rows[0],
        replace(rows[1], trend_ns=()),
        row(key("/new"), pids=()),
    )
    ticks = [snapshot_at(1, rows), snapshot_at(2, again), snapshot_at(3, ()), snapshot_at(4, rows)]
    assert read(in_frames(ticks)) == ticks


def test_percentiles_that_are_not_known_stay_unknown() -> None:
    by_status = {200: StatusLatency(3, 1.5), 503: StatusLatency(1, 2.5, 2.0, 3.0)}
    one = replace(FULL.endpoints[0], latency_by_status=by_status)
    ticks = [replace(FULL, endpoints=(one,))]
    assert read(in_frames(ticks)) == ticks


def test_a_snapshot_of_many_rows_is_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "_ENOUGH", 20_000)
    ticks = [many(200, 1), many(200, 2), many(150, 3)]
    frames = contents(ticks)
    assert len(frames) > 20
    assert max(len(content) for _, content in frames) < 60_000  # that of the totals
    assert read(packed(frames)) == ticks


def test_every_sixtieth_snapshot_needs_no_other() -> None:
    ticks = [replace(snapshot_at(1), taken_at=float(n)) for n in range(2 * EVERY + 2)]
    frames = contents(ticks)
    assert [n for n, (kind, _) in enumerate(frames) if kind == b"WHOL"] == [0, EVERY, 2 * EVERY]
    assert read(packed(frames[EVERY:])) == ticks[EVERY:]
    with pytest.raises(CaptureError, match="begins with what has changed"):
        read(packed(frames[1:]))


def test_what_goes_on_is_small() -> None:
    rows = tuple(row(key(f"/{n}"), trend=tuple(map(float, range(60)))) for n in range(1000))
    moved = tuple(replace(one, trend_ns=(*one.trend_ns[1:], 5.0)) for one in rows)
    ticks = [snapshot_at(1, rows), snapshot_at(2, rows), snapshot_at(3, moved)]
    sizes: dict[float, int] = {}
    encoder = Encoder()
    for tick in ticks:
        sizes[tick.taken_at] = sum(len(content) for _, content in encoder.frames(tick))
    first, same, changed = sizes.values()
    assert same < first / 200
    assert changed < first / 20


# Other versions


def test_a_newer_capture_may_have_more() -> None:
    newer = msgspec.defstruct(
        "Newer", [("tick", dict), ("rows", list), ("keys", list), ("new", int)]
    )
    (kind, content), *_ = contents([replace(FULL, recent=())])
    document = msgspec.msgpack.decode(content)
    document["tick"]["snapshot"]["new"] = {"a": [1]}
    document["tick"]["snapshot"]["health"]["new"] = 5
    for one in document["rows"]:
        values = msgspec.msgpack.decode(one[3], strict=False)
        one[3] = msgspec.msgpack.encode(["new", *values, {"more": 1}])
        one.append("new")
    changed = msgspec.msgpack.encode(
        newer(**{k: document[k] for k in ("tick", "rows", "keys")}, new=1)
    )
    (found,) = read(packed([(kind, changed)], ["new", *ROW, "newer"]))
    assert found == replace(FULL, recent=())


def test_an_older_capture_lacks_what_has_a_default() -> None:
    known = [name for name in ROW if name not in ("window_status", "wait_total")]
    (kind, content), *_ = contents([replace(FULL, recent=())])
    document = msgspec.msgpack.decode(content)
    del document["tick"]["snapshot"]["other_protocols"]
    del document["tick"]["snapshot"]["totals"]["server"]["latency_total"]
    for one in document["rows"]:
        values = dict(zip(ROW, msgspec.msgpack.decode(one[3]), strict=True))
        one[3] = msgspec.msgpack.encode([values[name] for name in known])
    (found,) = read(packed([(kind, msgspec.msgpack.encode(document))], known))
    assert found.other_protocols == {}
    assert found.total("server").latency_total == Latency()
    assert found.total("server").requests == FULL.total("server").requests
    for one, whole in zip(found.endpoints, FULL.endpoints, strict=True):
        assert one == replace(whole, window_status=None, wait_total=Latency())
    with pytest.raises(CaptureError, match="lacks 'requests' of its rows"):
        read(packed([(kind, content)], [name for name in ROW if name != "requests"]))


def test_the_line_for_people_says_what_it_is() -> None:
    line = in_frames([]).decode()
    assert line.startswith('{"httptop":"capture","schema":2,"row":["pids","requests",')
    assert json.loads(line)["row"] == list(ROW)
    assert {*ROW, "key", "trend_ns", "partial"} == {field.name for field in fields(EndpointStats)}


# Any values

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
#: The rows of some ticks.
any_ticks = st.lists(
    st.lists(_rows, max_size=4, unique_by=lambda one: one.key).map(tuple), max_size=4
).map(lambda ticks: [snapshot_at(number, rows) for number, rows in enumerate(ticks)])


@given(any_ticks)
def test_any_snapshots_round_trip(ticks: list[Snapshot]) -> None:
    assert read(in_frames(ticks)) == ticks
