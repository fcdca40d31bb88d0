"""A run as root that serves metrics: what wrk asked for is what Prometheus gets."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.live.command import NOBODY, eventually, field, running, said
from tests.live.nginx import Nginx
from tests.output.prometheus.client_model import families
from tests.output.prometheus.test_request import NATIVE
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("commands")]

DURATION = "http_server_request_duration_seconds"
Counts = Mapping[frozenset[tuple[str, str]], float]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def get(port: int, path: str, accept: str = "text/plain") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Accept": accept})
        response = connection.getresponse()
        return response.status, response.read()


def is_well(port: int) -> bool:
    with contextlib.suppress(OSError):
        return get(port, "/healthz")[0] == 200
    return False


def classic(port: int, of_port: int) -> Counts:
    """Return the responses of each series of a server's port, as text has them."""
    status, body = get(port, "/metrics")
    assert status == 200
    return {
        frozenset(one.labels.items()): one.value
        for family in text_string_to_metric_families(body.decode())
        for one in family.samples
        if one.name == f"{DURATION}_count" and one.labels.get("server_port") == str(of_port)
    }


def native(port: int, of_port: int) -> Counts:
    """Return the same, of native histograms."""
    status, body = get(port, "/metrics", NATIVE)
    assert status == 200
    found = {}
    for family in families(body):
        for metric in family.metric if family.name == DURATION else ():
            labels = {pair.name: pair.value for pair in metric.label}
            if labels.get("server_port") == str(of_port):
                found[frozenset(labels.items())] = metric.histogram.sample_count
    return found


def load(nginx: Nginx, path: str) -> None:
    """Have wrk ask for something for a second; what it cuts off at the end is answered, too."""
    subprocess.run(
        ["wrk", "-t1", "-c8", "-d1s", nginx.url(path)], check=True, capture_output=True, timeout=60
    )
    nginx.wait_until_idle()


def test_every_request_is_in_both_formats_also_when_rows_become_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    inner = tmp_path / "httptop"
    inner.mkdir(mode=0o755)
    file = inner / "config.toml"
    file.write_text("")
    file.chmod(0o600)
    work = tmp_path / "nginx"
    work.mkdir()
    port = free_port()
    words = ("--quiet", "--prometheus", f"127.0.0.1:{port}", "--config", str(file), "-d", "0.5")
    with Nginx(work, 1) as nginx, running(*words, "--port", str(nginx.port)) as run:
        assert eventually(lambda: is_well(port) or run.poll() is not None, PATIENCE_S)
        assert run.poll() is None, run.stderr and run.stderr.read()
        assert field(run, "Uid") == {" ".join([str(NOBODY)] * 4)}
        assert field(run, "Seccomp") == {"2"}
        load(nginx, "/users/alice")
        load(nginx, "/users/alice/missing")
        first = classic(port, nginx.port)
        assert {dict(labels)["http_response_status_code"] for labels in first} == {"200", "404"}
        assert {dict(labels)["http_route"] for labels in first} == {
            "/users/alice",
            "/users/alice/missing",
        }
        assert sum(first.values()) == nginx.requests() > 100
        assert native(port, nginx.port) == first

        file.write_text('[paths]\ntemplates = ["/users/{name}"]\n')
        assert "paths.templates" in next(said(run.stderr))
        assert classic(port, nginx.port) == first
        load(nginx, "/users/alice")
        load(nginx, "/users/bob")
        second = classic(port, nginx.port)
        assert all(second[labels] >= count for labels, count in first.items())
        assert sum(second.values()) == nginx.requests()
        assert native(port, nginx.port) == second
        routes = {dict(labels)["http_route"] for labels in second}
        assert "/users/{name}" in routes  # which a new endpoint has; an old one keeps its name

        _, body = get(port, "/metrics")
        sent = re.search(
            r'^httptop_sink_sent_total\{sink="prometheus"\} (\d+)$', body.decode(), re.M
        )
        assert sent is not None
        assert int(sent[1]) >= 5
        run.terminate()
        run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 0


def test_a_port_that_is_taken_is_one_line_and_status_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running("-b", "--prometheus", str(port)) as run:
            out, errors = run.communicate(timeout=PATIENCE_S)
    assert (run.returncode, out) == (2, "")
    assert errors == (
        f"httptop: --prometheus: 127.0.0.1:{port} cannot be listened on: address already in use "
        "(ss -ltnp shows by whom)\n"
    )


def test_in_json_scrapes_are_a_sink() -> None:
    port = free_port()
    words = ("-b", "--format", "json", "-d", "0.2", "--prometheus", str(port))
    with running(*words) as run:
        assert run.stdout is not None
        first = json.loads(run.stdout.readline())
        [sink] = first["sinks"]
        assert (sink["name"], sink["state"], sink["sent"]) == ("prometheus", "working", 0)
        assert get(port, "/metrics")[0] == 200
        assert any(json.loads(line)["sinks"][0]["sent"] == 1 for line in run.stdout)
        run.terminate()
        out, _ = run.communicate(timeout=PATIENCE_S)
        assert json.loads(out.splitlines()[-1])["sinks"][0]["state"] == "ended"
