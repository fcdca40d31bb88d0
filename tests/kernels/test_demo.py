"""The judgement of the demo's snapshots, on snapshots that are made up."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from tests.kernels.demo import CLIENT_OF, MISSED, SERVED, judge

Json = dict[str, Any]


def row(side: str, process: str, method: str, path: str, **status: int) -> Json:
    requests = sum(status.values())
    return {
        "side": side,
        "process": process,
        "method": method,
        "path": path,
        "requests": requests,
        "in_flight": 0,
        "unanswered": 0,
        "status": {name.lstrip("_"): count for name, count in status.items()},
        "request_bytes": requests * 60,
        "response_bytes": requests * 400,
    }


def both(server: str, method: str, path: str, **status: int) -> list[Json]:
    """Return the rows of a server and of its client."""
    client = CLIENT_OF[server]
    return [
        row("server", server, method, path, **status),
        row("client", client, method, path, **status),
    ]


def right() -> list[Json]:
    return [
        *both("shop-gateway", "GET", "/products/{id}", _200=7, _404=1),
        *both("shop-catalog", "GET", "/products/{id}", _200=7, _404=1),
        *both("shop-catalog", "GET", "/stock/{id}", _200=3),
        *both("shop-gateway", "GET", "/", _200=2),
        *both("shop-gateway", "POST", "/orders", _201=3),
        *both("shop-orders", "POST", "/orders", _201=3),
    ]


def snapshot(
    rows: Iterable[Json], *, final: bool = True, health: dict[str, int] | None = None
) -> str:
    rows = list(rows)
    totals = {
        side: {"requests": sum(row["requests"] for row in rows if row["side"] == side)}
        for side in ("server", "client")
    }
    missed = {**dict.fromkeys(MISSED, 0), "late_ticks": 5, **(health or {})}
    return json.dumps({"final": final, "totals": totals, "endpoints": rows, "health": missed})


def faults(rows: Iterable[Json], health: dict[str, int] | None = None) -> list[str]:
    return judge([snapshot(rows, health=health)], 1).faults


def test_a_run_that_is_right() -> None:
    lines = [snapshot((), final=False), snapshot(right()[:2], final=False), snapshot(right())]
    found = judge(lines, 3)
    assert not found.faults
    assert (found.snapshots, found.server_requests, found.client_requests) == (3, 27, 27)


@pytest.mark.parametrize("name", MISSED)
def test_whatever_was_missed(name: str) -> None:
    assert faults(right(), {name: 2}) == [f"{name}: 2"]


@pytest.mark.parametrize("what", ["requests", "in_flight", "unanswered", "response_bytes"])
@pytest.mark.parametrize("end", [0, 1])
def test_ends_that_differ(what: str, end: int) -> None:
    rows = right()
    rows[end][what] += 1
    (fault,) = faults(rows)
    assert fault.startswith("GET /products/{id}: shop-gateway 200:7 404:1, requests")


def test_a_status_that_only_one_end_saw() -> None:
    rows = right()
    rows[2]["status"] = {"200": 6, "304": 1, "404": 1}
    (fault,) = faults(rows)
    assert "shop-catalog 200:6 304:1 404:1" in fault
    assert "its client shop-gateway 200:7 404:1" in fault


@pytest.mark.parametrize("missing", range(12))
def test_a_row_that_only_one_end_has(missing: int) -> None:
    rows = right()
    gone = rows.pop(missing)
    (fault,) = faults(rows)
    assert fault.startswith(f"{gone['method']} {gone['path']}: ")
    assert "none" in fault


def test_the_gateway_is_a_server_and_a_client() -> None:
    """What it forwards has four rows; the two requests are not compared with each other."""
    rows = right()
    rows[2]["request_bytes"] = rows[3]["request_bytes"] = 1
    assert not faults(rows)


@pytest.mark.parametrize(
    ("side", "process", "method", "path"),
    [
        ("server", "shop-gateway", "GET", "/favicon.ico/favicon.ico"),
        ("client", "shop-load", "GET", "/cart/items/{id}/ca…"),
        ("server", "shop-load", "GET", "/"),
        ("client", "shop-catalog", "GET", "/stock/{id}"),
        ("server", "shop-gateway", "GET", "/stock/{id}"),
        ("client", "shop-gateway", "GET", "/"),
        ("server", "shop-gateway", "POST", "/"),
        ("server", "curl", "GET", "/"),
    ],
)
def test_a_row_that_nobody_causes(side: str, process: str, method: str, path: str) -> None:
    found = faults([*right(), row(side, process, method, path, _200=1)])
    assert f"made up: {side} {process} {method} {path}" in found


@pytest.mark.parametrize("status", ["_302", "unknown", "_502"])
def test_a_status_that_nobody_answers(status: str) -> None:
    rows = [*right()[:6], *both("shop-gateway", "GET", "/", **{"_200": 2, status: 1}), *right()[8:]]
    name = status.lstrip("_")
    assert faults(rows) == [
        f"made up: {side} {process} GET / with status {name}"
        for side, process in (("server", "shop-gateway"), ("client", "shop-load"))
    ]


def test_made_up_rows_of_earlier_snapshots() -> None:
    odd = row("server", "shop-orders", "GET", "/ord", _200=1)
    lines = [snapshot([odd], final=False), snapshot([odd], final=False), snapshot(right())]
    assert judge(lines, 3).faults == ["made up: server shop-orders GET /ord"]


def test_a_run_that_ended_early() -> None:
    assert judge([snapshot(right(), final=False)], 20).faults == [
        "there is no last snapshot",
        "1 snapshots instead of 20",
    ]
    assert judge([snapshot(right()), snapshot(right())[:50]], 1).faults == [
        "what follows snapshot 1 is cut off"
    ]
    assert judge([], 20).faults == ["there is no last snapshot", "0 snapshots instead of 20"]
    assert faults([]) == ["no request was seen"]


def test_the_table_of_what_is_served() -> None:
    """No path is of both services behind the gateway: its calls are told apart by their paths."""
    assert not SERVED["shop-catalog"].keys() & SERVED["shop-orders"].keys()
    for server in ("shop-catalog", "shop-orders"):
        for endpoint, statuses in SERVED[server].items():
            passed_on = SERVED["shop-gateway"].get(endpoint)
            assert passed_on is None or set(statuses) <= set(passed_on)
