"""Processes of one service are one row; order and search."""

from __future__ import annotations

from dataclasses import replace

from httptop.coverage.processes import Holder, Survey
from httptop.coverage.report import table
from httptop.coverage.services import Service, in_order, matching, services
from httptop.model import Snapshot
from tests.factory import endpoint, key, snapshot

#: nginx with its workers, two servers of one supervisor, and a program that starts a like one.
HOLDERS = (
    Holder(10, "nginx", (80,), tcp_listening=1, parent=1),
    *(
        Holder(pid, "nginx", (80,), tcp_listening=1, tcp_connected=3, parent=10)
        for pid in (11, 12, 13, 14)
    ),
    Holder(21, "app", (8000,), tcp_listening=1, parent=20),
    Holder(22, "app", (8000,), tcp_listening=1, parent=20),
    Holder(30, "python3", (), tcp_connected=1, parent=1),
    Holder(31, "python3", (9000,), tcp_listening=1, parent=30),
    Holder(40, "nginx", (80,), tcp_listening=1, parent=39),
    Holder(50, "httptop", unix_connected=1, parent=1),
    Holder(51, "httptop-helper", unix_connected=1, parent=50),
)


def _found(snap: Snapshot | None = None) -> dict[tuple[int, ...], Service]:
    return {one.pids: one for one in services(Survey(0.0, HOLDERS), snap)}


def test_a_master_and_its_workers_are_one_row() -> None:
    found = _found()
    assert set(found) == {(10, 11, 12, 13, 14), (21, 22), (30,), (31,), (40,), (50, 51)}
    nginx = found[10, 11, 12, 13, 14]
    assert (nginx.name, nginx.processes, nginx.listens) == ("nginx", "1 master + 4 workers", ":80")
    assert (nginx.sockets, nginx.connections) == (17, "12 tcp")
    assert found[21, 22].processes == "2 processes"
    assert found[30,].processes == "30"


def test_processes_that_are_each_others_parents_do_no_harm() -> None:
    rings = (Holder(1, "a", (1,), parent=2), Holder(2, "a", (1,), parent=1))
    assert sum(len(one.pids) for one in services(Survey(0.0, rings), None)) == 2


def test_requests_of_workers_are_those_of_the_service_each_counted_once() -> None:
    rows = [
        replace(endpoint(key("/"), status={200: 100}), pids=(11, 12)),
        replace(endpoint(key("/b"), status={200: 7}), pids=(13,)),
        replace(endpoint(key("/c"), status={200: 5}), pids=(14, 40)),
    ]
    found = _found(snapshot(rows[:2]))
    assert found[10, 11, 12, 13, 14].seen == "107"
    assert found[40,].seen == "0"
    found = _found(snapshot(rows))
    assert found[10, 11, 12, 13, 14].seen == "≤ 112"
    assert found[40,].seen == "≤ 5"


def test_what_is_missing_of_several_is_said_once() -> None:
    workers = tuple(replace(one, tls_libraries=("libssl.so.3",)) for one in HOLDERS[:5])
    (nginx,) = services(Survey(0.0, workers), snapshot())
    assert [gap.short for gap in nginx.gaps] == ["maybe TLS", "idle or no HTTP/1"]
    assert nginx.why == "maybe TLS; idle or no HTTP/1"
    text = table(Survey(0.0, (*workers, Holder(3, "b", tls_libraries=("libssl.so.3",)))))
    assert text.count("put a proxy in front") == 1
    assert "1 master + 4 workers" in text


def test_those_without_a_request_come_first_and_our_own_last() -> None:
    seen = [
        replace(endpoint(key("/"), status={200: 9}), pids=(10,)),
        replace(endpoint(key("/", process="app"), status={200: 90}), pids=(21,)),
    ]
    found = services(Survey(0.0, HOLDERS), snapshot(seen))
    names = [(one.name, bool(one.requests)) for one in found]
    assert names == [
        *(("python3", False), ("nginx", False)),
        *(("python3", False), ("nginx", True), ("app", True), ("httptop", False)),
    ] or [seen for _, seen in names] == [False, False, False, True, True, False]
    assert found[-1].own
    by_name = [one.name for one in in_order(found, "name")]
    assert by_name == ["app", "nginx", "nginx", "python3", "python3", "httptop"]
    assert in_order(found, "requests")[0].name == "app"
    assert in_order(found, "sockets")[0].pids[0] == 10


def test_search_knows_names_ports_pids_and_reasons() -> None:
    found = services(Survey(0.0, HOLDERS), snapshot())
    assert {one.pids[0] for one in matching(found, "NGI")} == {10, 40}
    assert [one.pids[0] for one in matching(found, ":8000")] == [21]
    assert [one.pids[0] for one in matching(found, "13")] == [10]
    assert len(matching(found, "idle")) == 5
    assert matching(found, " ") == found
    assert matching(found, "none of these") == []
