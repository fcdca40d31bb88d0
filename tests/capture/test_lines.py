"""Captures of schema 1, which no version writes any more, stay readable for ever."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from httptop.capture.opening import read_capture
from httptop.model import NO_LATENCY, Health, Overhead, Snapshot
from tests.capture.lines_written import HEADER, Lines, in_lines
from tests.capture.test_codec import FULL, any_ticks, read
from tests.factory import LATENCY, key, request, row, snapshot_at

#: Captures as a version wrote them, and what it read in them: they stay as they are.
FILES: Path = Path(__file__).parent / "files"
BEFORE = replace(
    FULL,
    sinks=(),
    hosts=(),
    endpoints=tuple(replace(row, stale=False) for row in FULL.endpoints),
)
TIMED = replace(row(), sending_total=LATENCY, duration_total=LATENCY, wait_total=LATENCY)


def line_of(snapshot: Snapshot) -> Any:
    return json.loads(Lines().line(snapshot))


def read_line(line: Any) -> Snapshot:
    (found,) = read(f"{HEADER}\n{json.dumps(line)}\n".encode())
    return found


def plain(value: Any) -> Any:
    """Return a value of the model as JSON has it: fields by name, mappings as pairs."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return [[plain(key), plain(one)] for key, one in value.items()]
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def holds(now: Any, then: Any) -> bool:
    """Return whether a value has all that there was when a file was written; it may have more."""
    if isinstance(then, dict):
        return all(holds(now[name], one) for name, one in then.items())
    if isinstance(then, list):
        return len(now) == len(then) and all(map(holds, now, then))
    return bool(now == then)


@pytest.mark.parametrize("name", ["schema1.capture.gz", "schema2.capture"])
def test_what_an_old_version_wrote_is_read(name: str) -> None:
    with (FILES / name).open("rb") as file:
        found = plain(list(read_capture(file)))
    then = json.loads((FILES / f"{name}.json").read_text())
    assert len(then) == 5
    assert holds(found, then)


@given(any_ticks)
def test_any_snapshots_round_trip(ticks: list[Snapshot]) -> None:
    assert read(in_lines(ticks)) == ticks


def test_rows_that_come_go_and_change_places() -> None:
    rows = tuple(row(key(f"/{n}"), {200: n + 1}, trend=(1.0, None, float(n))) for n in range(4))
    again = (replace(rows[2], requests=9, trend_ns=(None, 2.0, 7.0)), rows[0], row(key("/new")))
    ticks = [snapshot_at(1, rows), snapshot_at(2, again), snapshot_at(3, ()), snapshot_at(4, rows)]
    assert read(in_lines(ticks)) == ticks


def test_rows_of_an_older_capture_lack_the_latencies_by_status() -> None:
    line = line_of(BEFORE)
    for one in line["endpoints"]:
        del one[22:]
    for one in read_line(line).endpoints:
        assert one.latency_by_status is None


def test_a_newer_one_may_have_more() -> None:
    line = line_of(BEFORE)
    for one in line["endpoints"]:
        one.append("new")
    line["health"].append(12345)
    line["new"] = [{"a": 1}]
    assert read_line(line) == BEFORE


def test_an_older_one_lacks_counters_and_other_protocols() -> None:
    line = line_of(BEFORE)
    del line["other_protocols"], line["health"][2:]
    older = Health(BEFORE.health.orphan_responses, BEFORE.health.lost_samples)
    assert read_line(line) == replace(BEFORE, other_protocols={}, health=older)


def test_an_older_one_lacks_the_process_at_the_other_end() -> None:
    line = line_of(BEFORE)
    for entry in line["in_flight"]:
        del entry[4:]
    older = read_line(line).in_flight
    assert older is not None
    assert [(one.peer_process, one.peer_pid) for one in older] == [("", None)] * 2


def test_an_older_one_lacks_heads_and_what_was_shed() -> None:
    heads = request(99, response_head=("HTTP/1.1 200 OK",), request_head=("Host: shop",))
    tick = replace(snapshot_at(1), recent=(heads,), overhead=Overhead(1.0, shed=("samples",)))
    line = line_of(tick)
    assert read_line(line) == tick
    del line["recent"][0][12]
    without = replace(heads, request_head=())
    assert read_line(line) == replace(tick, recent=(without,))
    del line["recent"][0][11], line["overhead"][8:]
    without = replace(without, response_head=())
    assert read_line(line) == replace(tick, recent=(without,), overhead=Overhead(1.0))


@pytest.mark.parametrize(
    ("cells", "lacks"),
    [
        (23, {}),
        (14, {"wait_total": NO_LATENCY}),
        (12, dict.fromkeys(("wait_total", "sending_total", "duration_total"), NO_LATENCY)),
    ],
)
def test_an_older_one_lacks_these_figures(cells: int, lacks: dict[str, Any]) -> None:
    lacks |= {"window_requests": None, "window_errors": None}
    line = line_of(snapshot_at(1, (TIMED,)))
    del line["endpoints"][0][cells:]
    assert read_line(line).endpoints == (replace(TIMED, **lacks),)


def test_an_older_one_does_not_say_what_the_window_covers() -> None:
    line = line_of(snapshot_at(7))
    del line["covered_s"]
    for totals in line["totals"].values():
        del totals[10]
    found = read_line(line)
    assert (found.window_s, found.covered_s) == (60.0, 7.0)
    assert found.total("server").latency_total == NO_LATENCY
    assert found.total("server").latency == LATENCY


def test_keys_of_the_first_ones_lack_user_and_port() -> None:
    line = line_of(snapshot_at(1))
    line["keys"] = [key[:6] for key in line["keys"]]
    keys = [row.key for row in read_line(line).endpoints]
    assert [(key.user, key.port) for key in keys] == [("", 0)] * len(keys)


def test_hostile_texts_are_cleaned() -> None:
    content = in_lines([snapshot_at(1)]).replace(b"/users/{id}", b"/\\u001b[31m\\u202e")
    path = read(content)[0].endpoints[0].key.path
    assert path.isprintable()
    assert "\\x1b[31m" in path
