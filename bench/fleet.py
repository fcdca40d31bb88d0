"""CPU and memory of a tick of a fleet: 100 hosts with 100 active endpoints each.

What a Prometheus server would answer is made before, as it writes it; no connection has a part in
it. It runs in a process of its own: ``python -m bench.fleet TICKS`` prints what it measured as
JSON. Memory is that of Python's objects: the answers have left room in the heap.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, cast

from bench.context import Context
from bench.figures import Figure, Goal, spread
from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS, Fleet
from httptop.fleet.address import parse_source
from httptop.fleet.client import Client
from httptop.fleet.feed import FleetFeed
from httptop.fleet.names import METHOD, OWNER, PORT, PROCESS, ROUTE, SCHEME, STATUS, VERSION
from httptop.fleet.queries import MOST_LATENCIES, Queries
from httptop.fleet.results import Element, elements

HOSTS: Final = 100
ROUTES: Final = 100
_WINDOW_S: Final = 60
_NOW: Final = 1_767_268_800.0
_BOUNDS: Final = (*(10.0 ** (n / 3 - 4) for n in range(19)), float("inf"))
_GOAL: Final = Goal("<=", 1.0)
_WARM_UP: Final = 3


class Answers:
    """Answers as a server does, always the same."""

    def __init__(self) -> None:
        names = [f"web-{n:03d}.example.com:9742" for n in range(HOSTS)]
        endpoints = [self._labels(host, route) for host in names for route in range(ROUTES)]
        queries = Queries("instance", _WINDOW_S, native=True)
        at_first = Queries("instance", 0, native=True)
        hosts = [{"instance": host} for host in names]
        outcomes = [labels | {STATUS: "200"} for labels in endpoints]
        busiest = endpoints[:MOST_LATENCIES]
        buckets = [labels | {"le": f"{end:g}"} for labels in busiest for end in _BOUNDS]
        self._known = {
            "vector(time())": _answer([{}], _NOW + 1),
            at_first.hosts: _answer(hosts, _NOW),
            at_first.own: _answer([one | {"__name__": "httptop_build_info"} for one in hosts], 1),
            at_first.scrapes(120): _answer(hosts, _NOW, values=True),
            queries.endpoints("server"): _answer([{}], len(endpoints)),
            queries.counts("server"): _answer(outcomes, 123_456),
            queries.rates("server"): _answer(outcomes, 12.5),
            queries.counter("httptop_request_bytes_total", "server"): _answer(endpoints, 10**7),
            queries.counter("httptop_response_bytes_total", "server"): _answer(endpoints, 10**8),
            queries.classic("server", MOST_LATENCIES): _answer(buckets, 12.5),
            queries.classic_sums("server", MOST_LATENCIES): _answer(busiest, 0.01),
            queries.classic_of_all("server"): _answer([{"le": "0.1"}, {"le": "+Inf"}], 125_000),
        }
        self.size_bytes = sum(map(len, self._known.values()))

    @staticmethod
    def _labels(host: str, route: int) -> dict[str, str]:
        return {
            "instance": host,
            ROUTE["server"]: f"/api/v1/service-{route % 10}/things-{route}/{{id}}",
            METHOD: "GET",
            SCHEME: "http",
            VERSION: "1.1",
            PORT: "443",
            PROCESS: "nginx",
            OWNER: "www-data",
        }

    @contextlib.contextmanager
    def within(self, limit_s: float) -> Iterator[None]:
        """Have all the time that there is."""
        del limit_s
        yield

    def query(self, expression: str, at: float | None) -> Iterator[Element]:
        """Yield the elements of what is known; there is none of anything else."""
        del at
        body = self._known.get(expression, _answer([], 0))
        return elements(body[start : start + 65_536] for start in range(0, len(body), 65_536))

    def abort(self) -> None:
        """Do nothing: nothing is under way."""


def _answer(series: Iterable[dict[str, str]], value: float, *, values: bool = False) -> bytes:
    def element(labels: dict[str, str]) -> dict[str, Any]:
        metric = dict(sorted(labels.items()))
        if values:
            return {"metric": metric, "values": [[value - 15, "1"], [value, "1"]]}
        return {"metric": metric, "value": [_NOW, f"{value:g}" if value < 1e6 else str(value)]}

    data = {"resultType": "vector", "result": list(map(element, series))}
    return json.dumps({"status": "success", "data": data}, separators=(",", ":")).encode()


def measure(run: Context) -> list[Figure]:
    """Measure in a process of its own."""
    run.say("fleet tick")
    command = [sys.executable, "-m", "bench.fleet", str(run.choose(20, 8))]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=root)
    found = json.loads(done.stdout)
    section = f"fleet tick, {HOSTS} hosts with {ROUTES} active endpoints each"
    note = f"{found['answer_mb']:.0f} MB of JSON"
    return [
        Figure(section, "CPU", "s", spread(found["cpu_s"]), _GOAL, note),
        Figure(section, "memory of all objects", "MiB", spread([found["mib"]])),
    ]


def _feed(answers: Answers) -> FleetFeed:
    address = parse_source("prometheus:http://localhost")
    return FleetFeed(address, Fleet(), Scope(), DEFAULTS, client=cast("Client", answers))


def main() -> None:
    """Print what ticks took, and the memory that they added."""
    answers = Answers()
    feed = _feed(answers)
    cpu_s = []
    for _ in range(_WARM_UP + int(sys.argv[1])):
        began_s = time.process_time()
        snapshot = feed.read()
        cpu_s.append(time.process_time() - began_s)
    if len(snapshot.endpoints) != HOSTS * ROUTES:
        raise RuntimeError(f"{len(snapshot.endpoints)} endpoints")
    tracemalloc.start()
    other = _feed(answers)
    for _ in range(_WARM_UP):
        snapshot = other.read()
    mib = tracemalloc.get_traced_memory()[0] / (1 << 20)
    megabytes = answers.size_bytes / 1e6
    print(json.dumps({"cpu_s": cpu_s[_WARM_UP:], "mib": mib, "answer_mb": megabytes}))


if __name__ == "__main__":
    main()
