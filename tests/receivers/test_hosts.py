"""Two hosts with a nginx and a httptop each, one Prometheus, one fleet: sums are the hosts' own."""

from __future__ import annotations

import contextlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.live.command import running
from tests.live.nginx import Nginx
from tests.live.test_prometheus import load
from tests.patience import PATIENCE_S
from tests.receivers.namespaces import Host, hosts
from tests.receivers.prometheus import scraping, until
from tests.receivers.test_fleet import snapshots

pytestmark = pytest.mark.ebpf

PORT = 9742


@dataclass
class Serving:
    """A host with its server, and the httptop that counts it."""

    host: Host
    nginx: Nginx
    run: subprocess.Popen[str]

    @property
    def target(self) -> str:
        return f"{self.host.address}:{PORT}"

    def load(self, path: str) -> None:
        self.host.within(lambda: load(self.nginx, path))

    def own(self) -> dict[str, Any]:
        """End the run; return its last snapshot, which has everything."""
        self.run.terminate()
        lines, _ = self.run.communicate(timeout=PATIENCE_S)
        assert self.run.returncode == 0
        return dict(json.loads(lines.splitlines()[-1]))


def serving(host: Host, work: Path, closing: contextlib.ExitStack) -> Serving:
    """Start both within a host."""
    inner = work / host.address
    inner.mkdir()

    def start() -> Serving:
        nginx = closing.enter_context(Nginx(inner, 1))
        (worker,) = psutil.Process(nginx.process.pid).children()
        words = ("-b", "--format", "json", "-d", "5", "--prometheus", f"{host.address}:{PORT}")
        of_nginx = ("-p", str(worker.pid), "--port", str(nginx.port))
        run = closing.enter_context(running(*words, *of_nginx))
        return Serving(host, nginx, run)

    return host.within(start)


@pytest.mark.parametrize("native", [False, True], ids=["classic", "native"])
def test_sums_are_the_hosts_own(work: Path, native: bool) -> None:
    with hosts(2) as both, contextlib.ExitStack() as closing:
        one, two = served = [serving(host, work, closing) for host in both]
        prometheus = closing.enter_context(
            scraping(work, *(each.target for each in served), native=native)
        )
        prometheus.await_value("count(httptop_build_info)", 2)
        one.load("/users/42")
        two.load("/users/42")
        two.load("/users/42/missing")

        def counted() -> bool:
            (found,) = snapshots(prometheus, "-n", "1", "--side", "server")
            return all(
                sum(row["requests"] for row in found["endpoints"] if row["host"] == each.target)
                == each.nginx.requests()
                for each in served
            )

        until(counted, "what both have counted")
        (found,) = snapshots(prometheus, "-n", "1", "--side", "server")
        assert [(one["name"], one["up"]) for one in found["hosts"]] == [
            (each.target, True) for each in served
        ]
        sums: dict[str, int] = {}
        for each in served:
            own = each.own()["totals"]["server"]
            rows = [row for row in found["endpoints"] if row["host"] == each.target]
            for name in ("requests", "unanswered", "request_bytes", "response_bytes"):
                assert sum(row[name] for row in rows) == own[name], name
                sums[name] = sums.get(name, 0) + own[name]
            for hundreds in "2345":
                some = [
                    n for row in rows for code, n in row["status"].items() if code[0] == hundreds
                ]
                assert sum(some) == own["status"][f"{hundreds}xx"]
        assert found["totals"]["server"]["requests"] == sums["requests"] > 1000
        assert found["totals"]["server"]["response_bytes"] == sums["response_bytes"]
        print(f"{sums['requests']} requests of two hosts, {[e.nginx.requests() for e in served]}")
