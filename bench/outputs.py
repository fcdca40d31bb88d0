"""What each output costs beside the rest of httptop: memory and CPU, with many active endpoints.

httptop runs as a user starts it, in batch mode without snapshots on standard output, once for each
output and once with none; all are under the same load, and long enough for the window to be full.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, NamedTuple

from bench.context import Context
from bench.figures import Figure, spread
from bench.load import wrk
from bench.nginx import free_port
from bench.proc import cpu_ns, rss_bytes
from bench.program import Program
from bench.shapes import many_paths

ENDPOINTS: Final = (1_000, 8_192)
_MIB: Final = 1 << 20
_WINDOW_S: Final = 5.0
_EVERY_S: Final = 1.0  # a scrape, or a push
_SETTINGS: Final = f"""
general.window = "{_WINDOW_S:g}s"
performance.max_endpoints = 16384
performance.max_histograms = 65535
otlp.interval = "{_EVERY_S:g}s"
"""


class _Output(NamedTuple):
    """An output that is measured."""

    name: str
    flags: tuple[str, ...]
    #: Entered while it runs: what asks it, or what it sends to.
    beside: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext


class _Cost(NamedTuple):
    percents: list[float]  # of a CPU
    rss_mib: float
    peak_mib: float


def measure(run: Context) -> list[Figure]:
    """Measure httptop without an output, then with each."""
    return [figure for endpoints in ENDPOINTS for figure in _measure(run, endpoints)]


def _measure(run: Context, endpoints: int) -> Iterator[Figure]:
    section = f"outputs, {endpoints:,} endpoints, all active; more than without an output"
    nothing: _Cost | None = None
    for output in _outputs(run):
        run.say(f"outputs, {endpoints:,} endpoints, {output.name}")
        cost = _cost(run, endpoints, output)
        if nothing is None:
            nothing = cost
            yield Figure(section, "without: CPU", "%", spread(cost.percents))
            yield Figure(section, "without: resident memory", "MiB", spread([cost.rss_mib]))
            continue
        base = spread(nothing.percents).median
        more = [percent - base for percent in cost.percents]
        yield Figure(section, f"{output.name}: CPU", "%", spread(more))
        for name, figure, before in (
            ("resident memory", cost.rss_mib, nothing.rss_mib),
            ("its peak", cost.peak_mib, nothing.peak_mib),
        ):
            yield Figure(section, f"{output.name}: {name}", "MiB", spread([figure - before]))


def _outputs(run: Context) -> Iterator[_Output]:
    """Yield what is measured, none first."""
    scraped, pushed = free_port(), free_port()
    yield _Output("without", ("--log-file", str(run.work / "httptop.log")))
    every = f"{_EVERY_S:g} s"
    yield _Output(
        f"prometheus, scraped every {every}",
        ("--prometheus", f"127.0.0.1:{scraped}"),
        lambda: _scraping(f"http://127.0.0.1:{scraped}/metrics"),
    )
    yield _Output(
        f"otlp, pushed every {every}",
        ("--otlp", f"http://127.0.0.1:{pushed}"),
        lambda: _receiving(pushed),
    )
    requests = run.work / "requests.log"
    yield _Output("log of 100 requests a second", ("--log", f"requests={requests}"))
    yield _Output("recording", ("--record", str(run.work / "recorded.htc")))


def _cost(run: Context, endpoints: int, output: _Output) -> _Cost:
    nginx = run.nginx
    config = run.work / "httptop.toml"
    config.write_text(_SETTINGS)
    shape = many_paths(nginx.host, nginx.ids, endpoints)
    flags = ("--quiet", "--side", "server", "--port", str(nginx.port), *output.flags)
    percents: list[float] = []
    with contextlib.ExitStack() as closing:
        closing.callback(config.unlink)
        closing.enter_context(output.beside())
        program = Program(
            run, flags, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=None
        )
        closing.callback(program.end)
        closing.enter_context(wrk(nginx.url, shape, run.load_cpu, run.work))
        time.sleep(4 * _WINDOW_S)  # all endpoints are known, and the window is full
        pids = program.pids()
        for _ in range(run.choose(5, 2)):
            clock, spent = time.perf_counter(), cpu_ns(*pids)
            time.sleep(2 * _EVERY_S)
            spent = cpu_ns(*pids) - spent
            percents.append(100 * spent / 1e9 / (time.perf_counter() - clock))
        rss, peak = (rss_bytes(pids, peak=peak) / _MIB for peak in (False, True))
        program.await_that(lambda: program.process.poll() is None, "itself")
    return _Cost(percents, rss, peak)


@contextlib.contextmanager
def _scraping(url: str) -> Iterator[None]:
    """Scrape as Prometheus does, again and again; raises RuntimeError if that never worked."""
    over = threading.Event()
    worked, problem = 0, "no time"

    def scrape() -> None:
        nonlocal worked, problem
        request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
        while not over.wait(_EVERY_S):
            try:
                with urllib.request.urlopen(request, timeout=30) as response:
                    response.read()
                worked += 1
            except (OSError, HTTPException) as error:  # it starts, it ends
                problem = str(error)

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if not worked:
        raise RuntimeError(f"nothing was scraped: {problem}")


class _Receiver(BaseHTTPRequestHandler):
    """Takes whatever is pushed."""

    protocol_version = "HTTP/1.1"
    taken = 0

    def do_POST(self) -> None:
        """Read it, and say that it is taken."""
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).taken += 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Receivers(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of a connection that httptop has ended."""


@contextlib.contextmanager
def _receiving(port: int) -> Iterator[None]:
    """Take what is pushed; raises RuntimeError if that was nothing."""
    before = _Receiver.taken
    with _Receivers(("127.0.0.1", port), _Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
    if _Receiver.taken == before:
        raise RuntimeError("nothing was pushed")
