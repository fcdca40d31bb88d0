"""The distribution's Prometheus at work: its own port, its own storage, a scrape a second."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 90.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition is met."""
    until_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until_s, f"{what} has not come"
        time.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Prometheus:
    """A Prometheus that scrapes some targets; it can be ended and started again."""

    def __init__(
        self,
        work: Path,
        *targets: str,
        native: bool = False,
        rules: Path | None = None,
        every_s: int = 1,
    ) -> None:
        """``native``: with native histograms. ``every_s``: between scrapes, and for each.

        Skips the test where there is no Prometheus.
        """
        program = shutil.which("prometheus")
        if program is None:
            pytest.skip("prometheus is not installed")
        self.port = free_port()
        self._config = work / "prometheus.yml"
        self._log = work / "prometheus.log"
        loaded = f"rule_files: [{json.dumps(str(rules))}]\n" if rules is not None else ""
        self._config.write_text(
            f"global: {{scrape_interval: {every_s}s, scrape_timeout: {every_s}s, "
            "evaluation_interval: 1s}\n"
            f"{loaded}"
            "scrape_configs:\n- job_name: httptop\n"
            f"  static_configs: [{{targets: {json.dumps(targets)}}}]\n"
        )
        self._command = [
            program,
            f"--config.file={self._config}",
            f"--storage.tsdb.path={work / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            *(["--enable-feature=native-histograms"] if native else []),
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(self._is_ready, "Prometheus")

    def stop(self) -> None:
        """End it; what it has stored stays."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self._log.read_text()
        with contextlib.suppress(OSError):
            return bool(self._get("/-/ready"))
        return False

    def _get(self, path: str, **query: str) -> bytes:
        asked = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(asked, timeout=30) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            if error.code == 503:  # not yet ready
                return b""
            raise AssertionError(error.read().decode()) from None

    def query(self, expression: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the values of an expression now, by their labels."""
        answer: Any = json.loads(self._get("/api/v1/query", query=expression))
        assert answer["status"] == "success", answer
        return {
            tuple(sorted(one["metric"].items())): float(one["value"][1])
            for one in answer["data"]["result"]
        }

    def value(self, expression: str) -> float | None:
        """Return the only value of an expression; None: it has none."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return next(iter(found.values()), None)

    def await_value(self, expression: str, value: float) -> None:
        """Wait until an expression has a value."""
        until_s = time.monotonic() + PATIENCE_S
        while (found := self.value(expression)) != value:
            assert time.monotonic() < until_s, f"{expression} is {found}, not {value}"
            time.sleep(0.05)

    def targets(self) -> list[dict[str, Any]]:
        """Return what it says of its targets."""
        answer: Any = json.loads(self._get("/api/v1/targets", state="active"))
        return list(answer["data"]["activeTargets"])


@contextlib.contextmanager
def scraping(
    work: Path,
    *targets: str,
    native: bool = False,
    rules: Path | None = None,
    every_s: int = 1,
) -> Iterator[Prometheus]:
    """Run a Prometheus during a block."""
    prometheus = Prometheus(work, *targets, native=native, rules=rules, every_s=every_s)
    try:
        prometheus.start()
        yield prometheus
    finally:
        prometheus.stop()
