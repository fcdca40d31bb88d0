"""A capture holds all of a snapshot, and a reader of any age finds what it knows."""

from __future__ import annotations

import json
from dataclasses import fields, replace

from httptop.capture import fields as capture_fields
from httptop.capture.codec import Encoder
from httptop.capture.decoder import Decoder
from httptop.model import EndpointKey, Health, Overhead, Snapshot, StatusLatency
from tests.filled import as_by_default, filled_snapshot

LOOKED_AT = filled_snapshot()


def recorded(snapshot: Snapshot) -> Snapshot:
    """Return what a recording has of a snapshot: it does not depend on who looks."""
    rows = tuple(replace(row, partial=False, stale=False) for row in snapshot.endpoints)
    return replace(
        snapshot, endpoints=rows, looked_at=None, in_flight_for_screen=False, in_flight_age_s=-0.25,
        kept_s=0.0, filtered=None, early=False, sinks=(), hosts=(),
    )  # fmt: skip


FULL = recorded(LOOKED_AT)


def test_the_fixture_leaves_no_field_as_it_is_by_default() -> None:
    assert list(as_by_default(LOOKED_AT)) == []
    assert list(as_by_default(replace(FULL, notes=(), health=Health(1)))) != []


def test_no_field_of_a_snapshot_is_lost() -> None:
    later = replace(FULL, taken_at=FULL.taken_at + 1, endpoints=FULL.endpoints[1:])
    encoder, decoder = Encoder(), Decoder()
    other = recorded(filled_snapshot(first=1000))
    for tick in (FULL, later, other):
        assert decoder.snapshot(encoder.line(tick).encode()) == tick


def test_what_the_screen_alone_has_asked_for_is_not_recorded() -> None:
    nobody = replace(
        FULL,
        in_flight=None,
        endpoints=tuple(replace(row, oldest_in_flight_ns=None) for row in FULL.endpoints),
    )
    assert Encoder().line(LOOKED_AT) == Encoder().line(nobody) != Encoder().line(FULL)
    encoder = Encoder()
    encoder.line(LOOKED_AT)
    older = replace(LOOKED_AT.endpoints[0], oldest_in_flight_ns=1e12)
    later = replace(LOOKED_AT, endpoints=(older, *LOOKED_AT.endpoints[1:]))
    assert all(isinstance(row, int) for row in json.loads(encoder.line(later))["endpoints"])


def test_rows_of_an_older_capture_lack_the_latencies_by_status() -> None:
    line = json.loads(Encoder().line(FULL))
    for row in line["endpoints"]:
        del row[22:]
    for row in Decoder().snapshot(json.dumps(line).encode()).endpoints:
        assert row.latency_by_status is None


def test_a_newer_capture_may_have_more_of_a_row() -> None:
    line = json.loads(Encoder().line(FULL))
    for row in line["endpoints"]:
        row.append("new")
    assert Decoder().snapshot(json.dumps(line).encode()) == FULL


def test_percentiles_that_are_not_known_stay_unknown() -> None:
    by_status = {200: StatusLatency(3, 1.5), 503: StatusLatency(1, 2.5, 2.0, 3.0)}
    row = replace(FULL.endpoints[0], latency_by_status=by_status)
    snapshot = replace(FULL, endpoints=(row,))
    assert Decoder().snapshot(Encoder().line(snapshot).encode()) == snapshot


def test_an_older_capture_lacks_other_protocols() -> None:
    line = json.loads(Encoder().line(FULL))
    del line["other_protocols"]
    assert Decoder().snapshot(json.dumps(line).encode()) == replace(FULL, other_protocols={})


def test_positions_in_a_capture_stay_for_ever() -> None:
    """Values are read by position, so a new counter must come after these."""
    assert capture_fields.KEY == (
        "side", "process", "protocol", "tls", "method", "path", "user", "port",
    )  # fmt: skip
    assert capture_fields.HEALTH[:8] == (
        "orphan_responses",
        "lost_samples",
        "lost_pieces",
        "overflow_requests",
        "parse_errors",
        "late_ticks",
        "missed_calls",
        "overfull_pipelines",
    )
    assert [name for name, _ in capture_fields.OVERHEAD] == [
        "cpu_percent",
        "rss_bytes",
        "open_fds",
        "context_switches",
        "bpf_cpu_percent",
        "bpf_ns_per_call",
        "bpf_calls",
        "samples_per_s",
    ]


def test_every_field_has_its_position() -> None:
    overhead = {name for name, _ in capture_fields.OVERHEAD} | {"shed", "window_bytes", "tables"}
    assert {field.name for field in fields(EndpointKey)} == {*capture_fields.KEY, "host"}
    assert {field.name for field in fields(Health)} == set(capture_fields.HEALTH)
    assert {field.name for field in fields(Overhead)} == overhead


def test_counters_of_another_version_shift_nothing() -> None:
    line = json.loads(Encoder().line(FULL))
    counters = line["health"]
    line["health"] = [*counters, 12345]
    assert Decoder().snapshot(json.dumps(line).encode()) == FULL
    line["health"] = counters[:2]
    older = Health(FULL.health.orphan_responses, FULL.health.lost_samples)
    assert Decoder().snapshot(json.dumps(line).encode()) == replace(FULL, health=older)


def test_an_older_capture_lacks_the_process_at_the_other_end() -> None:
    line = json.loads(Encoder().line(FULL))
    for entry in line["in_flight"]:
        del entry[4:]
    older = Decoder().snapshot(json.dumps(line).encode()).in_flight
    assert older is not None
    assert [(one.peer_process, one.peer_pid) for one in older] == [("", None)] * 2
