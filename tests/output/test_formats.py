"""JSON for scripts, text for people."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import astuple, replace

import pytest

from httptop.model import (
    NO_LATENCY,
    STATUS_UNKNOWN,
    LookedAt,
    Overhead,
    PartyStats,
    SinkStats,
    Snapshot,
    StatusLatency,
)
from httptop.output.json import to_json
from httptop.output.text import to_text
from tests.factory import LATENCY, key, row, snapshot_at
from tests.filled import filled_snapshot


def test_json_has_what_the_interface_promises() -> None:
    document = json.loads(to_json(snapshot_at(3, final=True)))
    assert list(document) == [
        "schema",
        "host",
        "time",
        "uptime_s",
        "interval_s",
        "window_s",
        "covered_s",
        "final",
        "totals",
        "endpoints",
        "health",
        "overhead",
    ]
    assert document["schema"] == 1
    assert document["time"] == "2023-11-14T22:13:23.000Z"
    assert document["final"] is True
    assert document["overhead"] == {
        "cpu_percent": 1.25,
        "rss_bytes": 31 << 20,
        "bpf_ns_per_call": 120.5,
    }
    first = document["endpoints"][0]
    assert first["path"] == "/users/{id}"
    assert first["status"] == {"200": 30, "404": 3}
    assert first["pids"] == [12]
    assert first["window"] == {"requests": 36, "errors": 6}
    assert first["latency_ms"] == {
        "count": 10,
        "mean": 1.5,
        "p50": 1.0,
        "p90": 2.0,
        "p95": 2.5,
        "p99": 3.0,
        "p999": 4.0,
        "max": 5.0,
    }
    assert document["totals"]["server"]["status"] == {
        "1xx": 0,
        "2xx": 30,
        "3xx": 0,
        "4xx": 3,
        "5xx": 3,
        "unknown": 0,
    }
    assert document["health"]["missed_calls"] == 7


def test_json_sums_are_true() -> None:
    document = json.loads(to_json(snapshot_at(3)))
    for one in document["endpoints"]:
        assert sum(one["status"].values()) + one["unanswered"] == one["requests"]
    for side, totals in document["totals"].items():
        rows = [one for one in document["endpoints"] if one["side"] == side]
        assert totals["requests"] == sum(one["requests"] for one in rows)
        assert sum(totals["status"].values()) + totals["unanswered"] == totals["requests"]


def test_json_is_one_line_sorted_and_leaves_out_the_unknown() -> None:
    rows = (
        row(key("/b"), {200: 1}, latency=NO_LATENCY),
        row(key("/a"), {200: 1}),
        row(key("/c"), {999: 5}),
    )
    text = to_json(replace(snapshot_at(1, rows), overhead=Overhead(), notes=("a",)))
    assert "\n" not in text
    document = json.loads(text)
    assert [one["path"] for one in document["endpoints"]] == ["/c", "/a", "/b"]
    assert document["endpoints"][2]["latency_ms"] == {"count": 0}
    assert document["totals"]["server"]["status"]["unknown"] == 5
    assert document["overhead"] == {}
    assert document["notes"] == ["a"]


def test_an_unknown_outcome_is_called_so() -> None:
    shown = snapshot_at(1, (row(key("/a"), {STATUS_UNKNOWN: 4, 500: 1, 200: 10}, 2),))
    document = json.loads(to_json(shown))
    assert document["endpoints"][0]["status"] == {"200": 10, "500": 1, "unknown": 4}
    assert document["totals"]["server"]["status"]["unknown"] == 4
    assert " 2 unanswered; 1xx 0, 2xx 10, 3xx 0, 4xx 0, 5xx 1, unknown 4; " in to_text(shown)


def test_every_counter_of_health_is_put_out() -> None:
    full = filled_snapshot(first=1_000_001)
    counters = sorted(astuple(full.health))
    assert sorted(json.loads(to_json(full))["health"].values()) == counters
    text = " ".join(to_text(full).split())
    for counter in counters:
        assert re.search(rf" {counter}[, ]", text), counter


def test_json_has_the_wait_of_requests_that_were_looked_at() -> None:
    rows = (row(key("/a")), replace(row(key("/b")), wait_total=LATENCY))
    plain, waited = json.loads(to_json(snapshot_at(1, rows)))["endpoints"]
    assert "wait_total_ms" not in plain
    assert waited["wait_total_ms"] == waited["latency_total_ms"]


def test_json_has_what_each_process_and_peer_has() -> None:
    one = replace(
        row(status={200: 8, 404: 1}),
        by_pid={12: PartyStats(6, 1, 5, 2e6, 3e6), 0: PartyStats(3, 0)},
        by_peer={"::1": PartyStats(9, 1)},
    )
    (found,) = json.loads(to_json(replace(snapshot_at(1), endpoints=(one,))))["endpoints"]
    times = {"count": 5, "mean": 2.0, "max": 3.0}
    assert found["by_pid"] == [
        {"pid": 12, "requests": 6, "errors": 1, "latency_total_ms": times},
        {"pid": 0, "requests": 3, "errors": 0},
    ]
    assert found["peers"] == [{"address": "::1", "requests": 9, "errors": 1}]
    assert found["errors"] == one.errors


def test_json_has_the_latencies_of_each_status() -> None:
    by_status = {
        503: StatusLatency(1, 2e6, 1e6, 3e6),
        5: StatusLatency(2, 4e6),
        200: StatusLatency(9, 5e6),
    }
    one = replace(row(status={503: 1, 5: 2, 200: 9}), latency_by_status=by_status)
    full = replace(snapshot_at(1), endpoints=(one,))
    (found,) = json.loads(to_json(full))["endpoints"]
    assert list(found["latency_by_status_total_ms"].items()) == [
        ("200", {"count": 9, "mean": 5.0}),
        ("5xx", {"count": 2, "mean": 4.0}),
        ("503", {"count": 1, "mean": 2.0, "p50": 1.0, "p99": 3.0}),
    ]
    looked_at = LookedAt(one.key, {200: StatusLatency(9, 5e6, 1e6, 2e6)})
    assert to_json(replace(full, looked_at=looked_at)) == to_json(full)
    assert to_text(replace(full, looked_at=looked_at)) == to_text(full)
    same = replace(one, latency_by_status={200: StatusLatency(9, 5e6, 1e6, 2e6)})
    for other in (row(), same):
        (plain,) = json.loads(to_json(replace(full, endpoints=(other,))))["endpoints"]
        assert "latency_by_status_total_ms" not in plain, "it is latency_total_ms"


def test_text_shows_both_sides_and_all_of_health() -> None:
    text = to_text(snapshot_at(2, final=True), 132)
    lines = text.splitlines()
    assert lines[0].startswith("httptop - ")
    assert lines[0].endswith("box, every 1s, over the last 60s, final")
    assert "health: orphan responses 1, lost samples 2" in text
    assert "missed calls 7" in text
    assert "note: a probe was refused" in text
    server = next(n for n, line in enumerate(lines) if line.startswith("SERVER"))
    client = next(n for n, line in enumerate(lines) if line.startswith("CLIENT"))
    assert server < client
    assert "/users/{id}" in lines[server + 1]
    assert "/static/*" in lines[server + 2]


@pytest.mark.parametrize("columns", [20, 60, 80, 100, 132, 250])
def test_text_keeps_to_its_width(columns: int) -> None:
    rows = (
        row(key("/" + "long/" * 60)),
        row(key("/日本語/" * 30)),
        row(key(process="kworker/u16:12-")),
    )
    for line in to_text(snapshot_at(2, rows), columns).splitlines():
        assert len(line) <= max(60, columns)


def shown(json_or_text: str) -> list[str]:
    """Return the paths of the rows that are put out."""
    if json_or_text.startswith("{"):
        return [one["path"] for one in json.loads(json_or_text)["endpoints"]]
    return re.findall(r"^\S+ +GET +(\S+)", json_or_text, re.MULTILINE)


@pytest.mark.parametrize("put_out", [to_json, to_text])
def test_active_leaves_out_endpoints_without_a_request_in_the_window(
    put_out: Callable[..., str],
) -> None:
    idle = replace(row(key("/idle"), {200: 5, 500: 1}), rps=0.0, in_flight=0)
    hanging = replace(row(key("/hanging"), {200: 1}), rps=0.0, in_flight=2)
    seldom = replace(row(key("/seldom"), {200: 3}), rps=1 / 3600, in_flight=0)
    taken = snapshot_at(1, (idle, hanging, seldom))
    assert shown(put_out(taken)) == ["/idle", "/seldom", "/hanging"]
    assert shown(put_out(taken, active=True)) == ["/seldom", "/hanging"]


def test_active_says_how_many_are_left_out_and_leaves_totals_whole() -> None:
    idle = replace(row(key("/idle")), rps=0.0, in_flight=0)
    taken = snapshot_at(1, (idle, row(key("/a"))))
    every, active = json.loads(to_json(taken)), json.loads(to_json(taken, active=True))
    assert "idle_endpoints" not in every
    assert active["idle_endpoints"] == 1
    assert active["totals"] == every["totals"]
    said = "not shown: 1 endpoints without a request in the window\n"
    assert said in to_text(taken, active=True)
    assert said not in to_text(taken)
    assert "no HTTP requests seen yet" not in to_text(snapshot_at(1, (idle,)), active=True)


def test_users_stand_where_several_run_processes_of_one_name() -> None:
    ours = row(key("/a", user="root"))
    theirs = replace(ours, key=replace(ours.key, user="www-data"))
    alone = to_text(snapshot_at(1, [ours]))
    both = to_text(snapshot_at(1, [ours, theirs]))
    assert "USER" not in alone
    assert "root" not in alone
    lines = both.splitlines()
    assert any(line.startswith("SERVER") and "USER" in line for line in lines)
    assert sum("root     GET" in line or "www-data GET" in line for line in lines) == 2
    assert max(map(len, lines)) <= 132


def test_containers_stand_in_json_where_there_are_some() -> None:
    there = replace(row(key("/b")), containers=("3f2a3f2a3f2a", "db"))
    found = json.loads(to_json(snapshot_at(1, [row(key("/a")), there])))["endpoints"]
    containers = {entry["path"]: entry.get("containers") for entry in found}
    assert containers == {"/a": None, "/b": ["3f2a3f2a3f2a", "db"]}


def test_ports_stand_where_rows_look_alike_without() -> None:
    ours = [row(replace(key("/a"), port=port)) for port in (80, 8080)]
    assert "PORT" not in to_text(snapshot_at(1, ours[:1]))
    lines = to_text(snapshot_at(1, ours)).splitlines()
    assert any(line.startswith("SERVER") and "PORT" in line for line in lines)
    assert sum(" 80    GET" in line or " 8080  GET" in line for line in lines) == 2
    found = json.loads(to_json(snapshot_at(1, ours)))["endpoints"]
    assert [one["port"] for one in found] == [80, 8080]
    assert "port" not in json.loads(to_json(snapshot_at(1, [row()])))["endpoints"][0]


def test_text_without_traffic() -> None:
    bare = Snapshot(1.7e9, "box", 1.0, 1.0, 60.0, 1.0, {}, ())
    assert to_text(bare).endswith("no HTTP requests seen yet\n")
    assert "not known yet" in to_text(bare)


def test_text_says_what_the_window_covers_while_it_is_not_full() -> None:
    for covered_s, said in ((7.04, "7.04s of 60s"), (53.9, "53.9s of 60s"), (55.0, "60s")):
        shown = replace(snapshot_at(1), covered_s=covered_s)
        assert to_text(shown).splitlines()[0].endswith(f"every 1s, over the last {said}")


def test_json_has_the_sinks_of_a_run() -> None:
    assert "sinks" not in json.loads(to_json(snapshot_at(1)))
    sinks = (
        SinkStats("recording", "failing", 1, 2, 3, 4, 5, "no space left on device"),
        SinkStats("log", "working"),
    )
    first, second = json.loads(to_json(replace(snapshot_at(1), sinks=sinks)))["sinks"]
    assert first == {
        "name": "recording",
        "state": "failing",
        "unit": "snapshot",
        "sent": 1,
        "waiting": 2,
        "dropped": 3,
        "failed": 4,
        "reconnects": 5,
        "error": "no space left on device",
    }
    assert "error" not in second
