"""Fleets at a real Prometheus: sums are what hosts export, classic and native, with one down."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from httptop.collect.metrics import Metrics, Series
from tests.output.prometheus.readings import key, metrics, outcome, series
from tests.output.prometheus.test_server import serving
from tests.receivers.prometheus import PATIENCE_S, Prometheus, scraping, until


def source_of(prometheus: Prometheus) -> str:
    """Return what ``--from`` takes."""
    return f"prometheus:http://127.0.0.1:{prometheus.port}"


def snapshots(prometheus: Prometheus, *words: str) -> list[dict[str, Any]]:
    """Return what a run of ``--from`` prints as JSON."""
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "httptop",
            "--from",
            source_of(prometheus),
            "-b",
            "--format",
            "json",
            *words,
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"HOME": "/nonexistent"},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return [json.loads(line) for line in ran.stdout.splitlines()]


def host(n: int) -> list[Series]:
    """Return what a host exports: some endpoints of both sides, more of each for a larger ``n``."""
    return [
        series(
            key("/a", port=80, user="www"),
            outcome(200, *[1_000_000 * n] * 100 * n),
            outcome(503, *[900_000_000] * n, unmeasured=1),
            unanswered=n,
            in_flight=2,
            request_bytes=1000 * n,
            response_bytes=70_000 * n,
        ),
        series(key('/"b\\\n{id}', method="OTHER"), outcome(5, 3_000_000), outcome(0, unmeasured=2)),
        series(key("/c", "client", process="curl"), outcome(200, *[5_000_000] * 7)),
    ]


@pytest.mark.parametrize("native", [False, True], ids=["classic", "native"])
def test_rows_are_what_hosts_export(work: Path, native: bool) -> None:
    one, two = metrics(*host(1)), metrics(*host(2))
    with (
        serving(lambda _: one) as first,
        serving(lambda _: two) as second,
        scraping(
            work,
            *(f"127.0.0.1:{exporter.address[1]}" for exporter in (first, second)),
            native=native,
        ) as prometheus,
    ):
        prometheus.await_value("sum(httptop_request_bytes_total)", 3000)
        prometheus.await_value("min(count_over_time(httptop_build_info[1m])) >= bool 3", 1)
        (found,) = snapshots(prometheus, "-n", "1")
        assert found["totals"]["server"]["requests"] == sum(100 * n + n + 1 + n + 3 for n in (1, 2))
        assert found["totals"]["server"]["in_flight"] == 4
        assert found["totals"]["client"]["requests"] == 14
        rows = {(row["host"], row["path"]): row for row in found["endpoints"]}
        assert len(rows) == 6
        a = rows[f"127.0.0.1:{second.address[1]}", "/a"]
        assert a["status"] == {"200": 200, "503": 3}
        assert (a["unanswered"], a["requests"]) == (2, 205)
        assert (a["request_bytes"], a["response_bytes"]) == (2000, 140_000)
        assert (a["port"], a["user"], a["method"]) == (80, "www", "GET")
        b = rows[f"127.0.0.1:{first.address[1]}", '/"b\\\\x0a{id}']
        assert b["status"] == {"5xx": 1, "unknown": 2}
        assert b["method"] == "OTHER"
        assert [one["up"] for one in found["hosts"]] == [True, True]
        assert any("2.5 times" in note for note in found["notes"]) is not native


@pytest.mark.parametrize("native", [False, True], ids=["classic", "native"])
def test_latencies_of_the_window_are_as_good_as_the_buckets(work: Path, native: bool) -> None:
    asked = [0]

    def grown(_: float) -> Metrics:
        asked[0] += 1
        return metrics(series(key("/a"), outcome(200, *[3_000_000] * 100 * asked[0])))

    with (
        serving(grown) as exporter,
        scraping(work, f"127.0.0.1:{exporter.address[1]}", native=native) as prometheus,
    ):
        until(lambda: asked[0] >= 8, "eight scrapes")
        (found,) = snapshots(prometheus, "-n", "1", "--window", "10s")
        (row,) = found["endpoints"]
        assert row["rps"] == pytest.approx(100, rel=0.5)  # a scrape a second, more or less
        low, high = (2.93, 3.07) if native else (2.5, 5.0)
        assert low <= row["latency_ms"]["p50"] <= row["latency_ms"]["p999"] <= high
        assert row["latency_ms"]["mean"] == pytest.approx(3.0, rel=0.02)
        assert found["totals"]["server"]["latency_ms"]["p99"] <= high
        assert "max" not in row["latency_ms"]


def test_a_host_that_ends_stays_with_its_last_counts(work: Path) -> None:
    reading = metrics(*host(1))
    with (
        serving(lambda _: reading) as first,
        contextlib.ExitStack() as other,
    ):
        second = other.enter_context(serving(lambda _: reading))
        ports = [exporter.address[1] for exporter in (first, second)]
        with scraping(work, *(f"127.0.0.1:{port}" for port in ports)) as prometheus:
            words = ("--from", source_of(prometheus), "-b", "--format", "json", "-d", "0.2")
            prometheus.await_value("count(httptop_build_info offset 1s)", 2)
            run = subprocess.Popen(
                [sys.executable, "-m", "httptop", *words],
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ | {"HOME": "/nonexistent"},
            )
            try:
                assert run.stdout is not None
                before = found = json.loads(run.stdout.readline())
                other.close()
                while all(one["up"] for one in found["hosts"]):
                    found = json.loads(run.stdout.readline())
                assert found["totals"]["server"]["status"] == before["totals"]["server"]["status"]
                stale = {row["host"] for row in found["endpoints"] if row.get("stale")}
                assert stale == {f"127.0.0.1:{ports[1]}"}
                assert any("no figures any more" in note for note in found["notes"])
            finally:
                run.terminate()
                run.communicate()
