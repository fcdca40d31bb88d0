"""Runs of ``--from`` from outside: flags, exit statuses, output, confined to its system calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from httptop.cli import main
from httptop.fleet import names
from httptop.model import EndpointKey
from httptop.output.prometheus.names import labels_of, outcome_labels
from tests.fleet.fake import Server, small
from tests.patience import PATIENCE_S

#: Self-signed, of 127.0.0.1.
CERTIFICATES = Path(__file__).parents[1] / "run" / "certificates"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(small()) as made:
        yield made


def httptop(*words: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "httptop", *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env=os.environ | {"HOME": str(home)} | variables,
        stdin=subprocess.DEVNULL,
    )


def test_json_has_all_hosts(server: Server, tmp_path: Path) -> None:
    source = f"prometheus:{server.url}"
    ran = httptop("--from", source, "-b", "-n", "2", "-d", "0.1", "--format", "json", home=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    first, last = map(json.loads, ran.stdout.splitlines())
    assert (first["final"], last["final"]) == (False, True)
    assert last["totals"]["server"]["requests"] == 1010 + 12 + 2001
    rows = {(row["host"], row["side"], row["path"]): row for row in last["endpoints"]}
    assert rows["web-1:9742", "server", "/slow"]["status"] == {"200": 5, "503": 5}
    assert rows["web-2:9742", "client", "/api"]["status"] == {"200": 40, "5xx": 2}
    for absent in ("pids", "in_flight", "truncated", "by_pid", "peers"):
        assert all(absent not in row for row in rows.values())
    assert "max" not in rows["web-1:9742", "server", "/slow"]["latency_ms"]
    assert [(host["name"], host["up"]) for host in last["hosts"]] == [
        ("db-1:9742", False),
        ("web-1:9742", True),
        ("web-2:9742", True),
    ]
    assert last["hosts"][1]["health"]["lost_samples"] == 7


def test_text_has_a_column_of_hosts(server: Server, tmp_path: Path) -> None:
    ran = httptop(
        *("--from", f"prometheus:{server.url}", "-b", "-n", "1", "--filter", "host ~ web-1*"),
        home=tmp_path,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "HOST" in ran.stdout
    assert "web-1:9742" in ran.stdout
    assert "web-2:9742 " not in ran.stdout


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["--from", "http://x"], 2, "--from: prometheus:http://127.0.0.1:9090 is an example"),
        (["--from", "prometheus:http://x", "--demo"], 2, "--from and --demo exclude each other"),
        (["--from", "prometheus:http://x", "--replay", "x"], 2, "--from and --replay exclude"),
        (["--from", "prometheus:http://x", "-p", "7"], 2, "cannot be limited by pid"),
        (["--from", "prometheus:http://x", "--status", "5xx"], 2, "cannot be limited by status"),
        (["--from", "prometheus:http://x", "--log", "requests"], 2, "exclude each other"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(
    words: list[str],
    status: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("httptop.config.load.SYSTEM_FILE", tmp_path / "etc.toml")
    assert main([*words, "-b"]) == status
    said = capsys.readouterr()
    assert said.out == ""
    assert told in said.err
    assert len(said.err.splitlines()) == 1


def test_a_server_has_to_be_who_it_says(tmp_path: Path) -> None:
    certificate = CERTIFICATES / "receiver.pem"
    with Server(small(), certificate) as server:
        words = ("--from", f"prometheus:{server.url}", "-b", "-n", "1")
        refused = httptop(*words, home=tmp_path)
        assert refused.returncode == 1
        assert "certificate verify failed" in refused.stderr
        ran = httptop(*words, home=tmp_path, SSL_CERT_FILE=str(certificate))
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "web-1:9742" in ran.stdout


def test_a_password_is_never_told(tmp_path: Path) -> None:
    ran = httptop("--from", "prometheus:http://me:secret@127.0.0.1:1", "-b", home=tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "httptop: Prometheus at http://127.0.0.1:1: connection refused\n"


def test_a_fleet_is_recorded_and_reported(server: Server, tmp_path: Path) -> None:
    capture, table = tmp_path / "a.capture", tmp_path / "a.csv"
    ran = httptop(
        *("--from", f"prometheus:{server.url}", "--quiet", "-n", "2", "-d", "0.1"),
        *("--record", str(capture), "--export", f"csv={table}"),
        home=tmp_path,
    )
    assert (ran.returncode, ran.stderr) == (0, f"httptop: the report is in {table}\n")
    assert {line.split(",")[0] for line in table.read_text().splitlines()[1:]} == {
        "web-1:9742",
        "web-2:9742",
    }
    ran = httptop("--replay", str(capture), "-b", "-n", "1", "--format", "json", home=tmp_path)
    assert ran.returncode == 0
    rows = json.loads(ran.stdout)["endpoints"]
    assert {row["host"] for row in rows} == {"web-1:9742", "web-2:9742"}


def test_names_are_those_that_are_exported() -> None:
    of = EndpointKey("server", "nginx", "HTTP/1.1", True, "GET", "/", "www", 443)
    exported = {name for name, _ in labels_of(of)}
    assert set(names.ENDPOINT) == exported - {"service_name"}
    assert names.STATUS in {name for name, _ in outcome_labels("server", 200)}
