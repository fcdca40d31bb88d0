"""The bench's pure parts: statistics, the table, what other programs print."""

from __future__ import annotations

import os
import signal

import pytest

from bench.figures import Figure, Goal, certain, nearest_rank, number, ratios, spread, table
from bench.parsing import (
    Load,
    ParseError,
    answered_of,
    parse_ab,
    parse_dd,
    parse_map_info,
    parse_stub_status,
    parse_wrk,
    requests_of,
)
from bench.proc import pss_bytes, rss_bytes
from bench.quantiles import errors_percent
from bench.report import BEGIN, END, PAGE, replaced, results
from bench.shapes import LONG_LEN, in_turns, long_request, long_requests, many_paths
from bench.snapshots import many
from httptop.http.path_template import template

WRK = """Running 5s test @ http://127.0.0.1:8080/small.txt
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   234.17us  127.81us   8.35ms   93.57%
    Req/Sec    66.62k     3.58k   71.36k    78.43%
  Latency Distribution
     50%  213.00us
     75%  251.00us
     90%  302.00us
     99%  603.00us
  337963 requests in 5.10s, 366.34MB read
Requests/sec:  66267.75
Transfer/sec:     71.83MB
"""
AB = """Document Path:          /small.txt
Concurrency Level:      16
Time taken for tests:   1.204 seconds
Complete requests:      20000
Failed requests:        0
Total transferred:      22780000 bytes
Requests per second:    16611.22 [#/sec] (mean)
"""


def test_a_spread_is_the_median_and_the_quartiles() -> None:
    assert spread([5, 1, 4, 2, 3]) == (3, 2, 4, 5)
    assert spread([7]) == (7, 7, 7, 1)
    with pytest.raises(ValueError, match="nothing"):
        spread([])


def test_the_true_median_lies_between_order_statistics() -> None:
    assert certain(range(1, 101)) == (41, 60)  # binomial(100, 1/2): 40 aside on either end
    assert certain([3, 1, 2]) == (1, 3)


def test_ratios_are_taken_in_pairs() -> None:
    assert ratios([9, 8], [10, 10]) == [0.9, 0.8]
    with pytest.raises(ValueError, match="argument"):
        ratios([1], [1, 2])


@pytest.mark.parametrize(
    ("goal", "good", "bad"),
    [(Goal("<=", 2.0), 2.0, 2.1), (Goal(">=", 0.9), 0.9, 0.89), (Goal("=", 0), 0, -1)],
)
def test_a_goal_is_met_at_its_bound(goal: Goal, good: float, bad: float) -> None:
    assert goal.met(good)
    assert not goal.met(bad)


def test_nearest_rank_is_a_value_of_the_series() -> None:
    values = list(range(1, 1001))
    assert [nearest_rank(values, share) for share in (0.5, 0.9, 0.99, 0.999, 1)] == [
        500, 900, 990, 999, 1000,
    ]  # fmt: skip
    assert nearest_rank([3], 0.001) == 3


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(0.9, "", "0.900"), (0, "requests", "0"), (12, "ms", "12"), (1.2345, "s", "1.23"),
     (65432.1, "req/s", "65,432"), (-3.5, "ns", "-3.5")],
)  # fmt: skip
def test_numbers_have_as_many_digits_as_they_deserve(value: float, unit: str, shown: str) -> None:
    assert number(value, unit) == shown


def test_the_table_is_aligned_and_says_what_is_not_met() -> None:
    figures = [
        Figure("speed", "kept", "", spread([0.8, 0.85, 0.9]), Goal(">=", 0.9)),
        Figure("speed", "a longer name", "us", spread([3.0])),
        Figure("counts", "error", "requests", spread([0]), Goal("=", 0), "of 12"),
    ]
    lines = table(figures).splitlines()
    assert lines[0] == "speed"
    assert lines[2].split() == ["kept", "0.850", "0.825", "..", "0.875", ">=", "0.90", "NOT", "MET"]
    assert lines[3].split() == ["a", "longer", "name", "3", "us"]
    assert lines[4] == ""
    assert lines[7].endswith("= 0  met  (of 12)")
    assert lines[2].index("0.850") + 5 == lines[1].index("median") + 6


def test_a_figure_tells_json_all() -> None:
    figure = Figure("s", "n", "%", spread([3.5]), Goal("<=", 3), "why")
    assert figure.to_dict() == {
        "section": "s", "name": "n", "unit": "%", "median": 3.5, "low": 3.5, "high": 3.5,
        "times": 1, "goal": "<= 3", "met": False, "note": "why",
    }  # fmt: skip


def test_wrk() -> None:
    assert parse_wrk(WRK) == Load(337963, 66267.75, 0, 603)
    assert parse_wrk(WRK.replace("603.00us", "1.25ms")).p99_us == 1250
    assert parse_wrk(WRK.replace("99%  ", "")).p99_us == 0
    worse = WRK + "  Socket errors: connect 0, read 3, write 0, timeout 1\n"
    assert parse_wrk(worse + "  Non-2xx or 3xx responses: 7\n").errors == 11
    with pytest.raises(ParseError, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:1 Connection refused")


def test_ab() -> None:
    assert parse_ab(AB) == Load(20000, 16611.22, 0)
    assert (
        parse_ab(AB.replace("Failed requests:        0", "Failed requests:        4")).errors == 4
    )


def test_dd() -> None:
    text = "300000+0 records in\n300000+0 records out\n300000 bytes (300 kB, 293 KiB) copied, "
    assert parse_dd(text + "0.168 s, 1.8 MB/s\n") == 0.168
    assert parse_dd(text + "9.7e-05 s, 1.8 GB/s\n") == 9.7e-05


def test_stub_status() -> None:
    page = (
        "Active connections: 17 \nserver accepts handled requests\n 102 102 337990 \nReading: 0\n"
    )
    assert parse_stub_status(page) == 337990


def test_map_info() -> None:
    text = "pos:\t0\nmap_type:\t2\nmap_extra:\t0x0\nmemlock:\t36864\nmap_id:\t12\nfrozen:\t0\n"
    assert parse_map_info(text) == (12, 36864)
    assert parse_map_info("pos:\t0\nflags:\t02\n") is None


def test_requests_of_a_snapshot() -> None:
    def row(side: str, path: str, requests: int, responses: int) -> dict[str, object]:
        return {"side": side, "path": path, "requests": requests, "status": {"200": responses}}

    snapshot = {"endpoints": [row("server", "/a", 5, 4), row("server", "/a", 2, 2),
                              row("client", "/a", 9, 8), row("server", "/b", 1, 1)]}  # fmt: skip
    assert requests_of(snapshot, "server", "/a") == 7
    assert answered_of(snapshot, "client", "/a") == 8


def test_quantile_errors_are_relative_to_the_truth() -> None:
    taken_ns = [n * 1_000_000 for n in range(1, 1001)]
    shown = {"p50": 505.0, "p90": 900.0, "p95": 931.0, "p99": 990.0, "p999": 999.0}
    found = errors_percent(taken_ns, shown)
    assert found == pytest.approx({"p50": 1.0, "p90": 0, "p95": 2.0, "p99": 0, "p999": 0})


def test_synthetic_snapshots_differ_from_tick_to_tick() -> None:
    first, second = many(30, 1), many(30, 2)
    assert len(first.endpoints) == 30
    assert first == many(30, 1)
    assert all(a.rps != b.rps for a, b in zip(first.endpoints, second.endpoints, strict=True))
    assert first.total("server").requests == sum(row.requests for row in first.endpoints)


def test_the_results_of_a_run_become_one_table() -> None:
    figures = [
        Figure("speed", "kept", "", spread([0.8, 0.85, 0.9]), Goal(">=", 0.9), "of 12"),
        Figure("speed", "time", "us", spread([3.0])),
        Figure("counts", "error", "requests", spread([0]), Goal("=", 0)),
    ]
    machine = {
        "date": "2026-11-27T01:02:03Z", "cpu": "AMD EPYC", "cores": 2, "virtual": True,
        "kernel": "6.18.44", "bcc": "0.26.0", "python": "3.11.2",
    }  # fmt: skip
    run = {
        "machine": machine,
        "quick": True,
        "figures": [figure.to_dict() for figure in figures],
        "failures": {"ui": "it broke"},
        "notes": ["A quick run."],
    }
    assert results(run).splitlines() == [
        "`make bench ARGS=--quick`, 2026-11-27: AMD EPYC, 2 CPUs (virtual), Linux 6.18.44, "
        "BCC 0.26.0, Python 3.11.2.",
        "",
        "| what | median | quartiles | goal | met |",
        "|---|--:|--:|--:|---|",
        "| **speed** | | | | |",
        "| kept (of 12) | 0.850 | 0.825 to 0.875 | >= 0.9 | no |",
        "| time | 3 us |  |  |  |",
        "| **counts** | | | | |",
        "| error | 0 requests |  | = 0 | yes |",
        "| FAILED: ui | it broke | | | |",
        "",
        "- A quick run.",
    ]


def test_the_table_replaces_the_one_before_and_nothing_else() -> None:
    page = f"above\n{BEGIN}old\n{END}below\n"
    assert replaced(page, "new\n") == f"above\n{BEGIN}new\n{END}below\n"
    assert replaced(PAGE.read_text(), "") != PAGE.read_text()
    with pytest.raises(ValueError, match="lacks"):
        replaced("no markers\n", "new\n")


@pytest.mark.parametrize("host", ["127.0.0.1:80", "127.0.0.1:65535"])
def test_a_long_request_has_its_length(host: str) -> None:
    text = long_request(host, "/word/small.txt")
    numbered = [(text % number).encode() for number in (1, 2**64)]
    assert [len(request) for request in numbered] == [LONG_LEN] * 2
    assert numbered[0] != numbered[1]
    head, end = numbered[0].split(b"\r\n", 1)
    assert head == b"GET /word/small.txt HTTP/1.1"
    assert end.endswith(b"\r\n\r\n")
    with pytest.raises(ValueError, match="no room"):
        long_request(host, "/" + "x" * 300)


def test_scripts_for_wrk_hold_the_requests() -> None:
    before, after = long_request("host:1", "/a").split("%032x")
    script = long_requests("host:1", "/a").script
    assert before.replace("\r\n", "\\r\\n") in script
    assert after.replace("\r\n", "\\r\\n") in script
    script = in_turns("host:1", ("/a", "/b", "/c")).script
    for path in ("/a", "/b", "/c"):
        assert rf'"GET {path} HTTP/1.1\r\nHost: host:1\r\n\r\n"' in script


def test_shared_pages_count_once_in_all() -> None:
    """A process that was just forked shares nearly all; each is charged a part of it."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    try:
        both = [os.getpid(), pid]
        assert 0 < pss_bytes(both) < 0.8 * rss_bytes(both)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_many_paths_are_as_many_and_no_ids() -> None:
    shape = many_paths("host:1", "/word/ids/", 40 * 40 * 6)
    assert "for i = 0, 9599 do" in shape.script
    assert "GET /word/ids/" in shape.script
    assert "HTTP/1.1\\r\\nHost: host:1\\r\\n\\r\\n" in shape.script  # Lua's escapes
    syllables = [first + second for second in "aeio" for first in "bdfgklmnpr"]
    words = {
        syllables[i % 40] + syllables[i // 40 % 40] + syllables[i // 1600 % 40] for i in range(9600)
    }
    assert len(words) == 9600
    paths = [f"/word/ids/{word}".encode() for word in words]
    assert [path for path in paths if template(path) != (path, False)] == []
