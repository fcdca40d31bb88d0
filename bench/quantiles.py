"""How far httptop's quantiles are from those of a server that times itself.

``python -m bench.quantiles`` is that server: it responds after a delay that is log-uniform from
1 to 100 ms, notes how long each response took, and prints the notes as JSON when its standard input
ends.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.context import Context
from bench.figures import Figure, Goal, nearest_rank, spread
from bench.program import Batch

SHARES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
_LEAST_S, _MOST_S = 0.001, 0.1
_CONNECTIONS: Final = 12
_RESPONSE: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
_GOAL: Final = Goal("<=", 2.0)


class _Delaying(asyncio.Protocol):
    """Responds to each request after a delay; requests come one at a time."""

    def __init__(self, taken_ns: list[int], random_: random.Random) -> None:
        self._taken_ns, self._random = taken_ns, random_

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, _: bytes) -> None:
        began_ns = time.monotonic_ns()
        delay_s = _LEAST_S * (_MOST_S / _LEAST_S) ** self._random.random()
        asyncio.get_running_loop().call_later(delay_s, self._respond, began_ns)

    def _respond(self, began_ns: int) -> None:
        taken_ns = time.monotonic_ns() - began_ns
        self._transport.write(_RESPONSE)
        self._taken_ns.append(taken_ns)


async def serve() -> list[int]:
    """Serve until standard input ends; return how long each response took, nanoseconds."""
    taken_ns: list[int] = []
    random_ = random.Random(20260101)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Delaying(taken_ns, random_), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    return taken_ns


async def _ask(port: int, path: str, requests: int) -> None:
    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(requests):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
            await reader.readexactly(len(_RESPONSE))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(one() for _ in range(_CONNECTIONS)))


def errors_percent(taken_ns: Sequence[int], shown_ms: Mapping[str, float]) -> dict[str, float]:
    """Return the error of each quantile shown, in percent of the true value."""
    ordered = sorted(taken_ns)
    found = {}
    for name, share in SHARES.items():
        truth_ms = nearest_rank(ordered, share) / 1e6
        found[name] = 100 * abs(shown_ms[name] - truth_ms) / truth_ms
    return found


def measure(run: Context) -> list[Figure]:
    """Compare the quantiles of some thousand requests since start."""
    run.say("quantile error")
    path = f"/{run.word}/delayed"
    requests = run.choose(400, 100)
    with Batch(run, "-d", "1") as program:
        program.await_snapshots()
        server = subprocess.Popen(
            [sys.executable, "-P", "-m", "bench.quantiles"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            began = time.perf_counter()
            asyncio.run(_ask(port, path, requests))
            took_s = time.perf_counter() - began
            said, _ = server.communicate(timeout=20)
        finally:
            if server.poll() is None:
                server.kill()
                server.wait()
        snapshot = program.final()
    taken_ns: list[int] = json.loads(said)
    rows = [row for row in snapshot["endpoints"] if row["side"] == "server" and row["path"] == path]
    if len(rows) != 1 or rows[0]["latency_total_ms"]["count"] != len(taken_ns):
        raise RuntimeError(f"httptop's rows are not the server's {len(taken_ns)} responses: {rows}")
    found = errors_percent(taken_ns, rows[0]["latency_total_ms"])
    rate = len(taken_ns) / took_s
    section = f"quantile error, delays of 1 to 100 ms, {len(taken_ns):,} requests, {rate:,.0f}/s"
    figures = [Figure(section, name, "%", spread([value])) for name, value in found.items()]
    if not all(math.isfinite(value) for value in found.values()):
        raise RuntimeError(f"no quantiles: {found}")
    return [*figures, Figure(section, "largest", "%", spread([max(found.values())]), _GOAL)]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(serve())))
