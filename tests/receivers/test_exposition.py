"""Readings that are made up, scraped by a real Prometheus: both formats, hostile names."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from httptop.collect.metrics import Metrics, Series
from httptop.output.prometheus.text import text
from tests.contrib.test_prometheus import PLACE, expressions
from tests.output.prometheus.readings import BOUNDS, BUSY, histogram, key, metrics, outcome, series
from tests.output.prometheus.test_server import serving
from tests.receivers.prometheus import scraping

COUNT = {
    False: "sum(http_server_request_duration_seconds_count)",
    True: "sum(histogram_count(http_server_request_duration_seconds))",
}
HOSTILE = ('"', "\\", '\\"', "a\nb", "{}", "}", "\udcff", "ü\u2028", "x" * 1000, '",le="5"} 7')


def promtool(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed")
    return subprocess.run(
        [program, *words],
        input=given,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )


def test_promtool_has_nothing_to_say() -> None:
    hostile = [series(key(f"/{path}"), outcome(200, 1_000_000)) for path in HOSTILE]
    for reading in (BUSY, metrics(*hostile)):
        said = promtool("check", "metrics", given="".join(text(reading, BOUNDS)))
        assert (said.returncode, said.stdout + said.stderr) == (0, "")


def test_rules_and_dashboard_are_understood(tmp_path: Path) -> None:
    for words in (
        ("check", "rules", "rules.yml"),
        ("test", "rules", "rules_test.yml"),
        ("check", "config", "scrape.yml"),
    ):
        said = promtool(*words[:-1], str(PLACE / words[-1]))
        assert said.returncode == 0, said.stdout + said.stderr
    as_rules = tmp_path / "dashboard.yml"
    rules = [
        {"record": f"panel:{n}", "expr": re.sub(r"\$__rate_interval", "5m", expression)}
        for n, expression in enumerate(expressions())
    ]
    as_rules.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    said = promtool("check", "rules", str(as_rules))
    assert said.returncode == 0, said.stdout + said.stderr
    assert f"{len(rules)} rules found" in said.stdout


@pytest.mark.parametrize("native", [False, True], ids=["classic", "native"])
def test_hostile_names_arrive_as_they_are(work: Path, native: bool) -> None:
    reading = metrics(*(series(key(path), outcome(200, 1_000_000)) for path in HOSTILE))
    with (
        serving(lambda _: reading) as exporter,
        scraping(work, f"127.0.0.1:{exporter.address[1]}", native=native) as prometheus,
    ):
        prometheus.await_value(COUNT[native], len(HOSTILE))
        found = {
            dict(labels).get("http_route")
            for labels in prometheus.query("httptop_request_bytes_total")
        }
        assert found == {path.encode("utf-8", "replace").decode() for path in HOSTILE}
        [target] = prometheus.targets()
        assert target["health"] == "up", target


@pytest.mark.parametrize("native", [False, True], ids=["classic", "native"])
def test_quantiles_are_as_good_as_the_buckets(work: Path, native: bool) -> None:
    """Of 20,000 lognormal latencies with a median of 0.25 ms."""
    rng = random.Random(1)
    latencies = sorted(round(250_000 * 2 ** rng.gauss(0, 1.15)) for _ in range(20_000))
    of = outcome(200, *latencies)
    assert of.buckets == histogram(*latencies)
    grown = [Series(key(), 0.0, (of,), 0, 0, 0, 0)]

    def read(_: float) -> Metrics:
        return metrics(*grown)

    expression = (
        "http_server_request_duration_seconds"
        if native
        else "sum by (le) (http_server_request_duration_seconds_bucket)"
    )
    with (
        serving(read) as exporter,
        scraping(work, f"127.0.0.1:{exporter.address[1]}", native=native) as prometheus,
    ):
        prometheus.await_value(COUNT[native], 20_000)
        for share, error in ((0.5, 0.02), (0.99, 0.02 if native else 0.5)):
            found = prometheus.value(f"histogram_quantile({share}, {expression})")
            assert found is not None
            true_s = latencies[round(share * 20_000)] / 1e9
            assert found == pytest.approx(true_s, rel=error)
