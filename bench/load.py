"""Load generators: wrk and ab, pinned to one CPU, bounded in time, on loopback only."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.parsing import Load, parse_ab, parse_wrk


@dataclass(frozen=True, slots=True)
class Shape:
    """How wrk asks: on how many connections, with what pause between, with what script."""

    connections: int = 16
    think_ms: int = 0
    close: bool = False  # a connection for each request
    script: str = ""  # Lua


@dataclass(slots=True)
class Wrk:
    """A wrk at work."""

    process: subprocess.Popen[str]
    result: Load | None = None  # once it has ended


def _command(url: str, shape: Shape, seconds: float, cpu: int, work: Path) -> list[str]:
    command = ["taskset", "-c", str(cpu), "wrk", "-t1", f"-c{shape.connections}"]
    command += [f"-d{max(1, round(seconds))}s", "--timeout", "20s", "--latency"]
    if shape.close:
        command += ["-H", "Connection: close"]
    lua = shape.script
    if shape.think_ms:
        lua += f"\nfunction delay() return {shape.think_ms} end\n"
    if lua:
        script = work / "load.lua"
        script.write_text(lua)
        command += ["-s", str(script)]
    return [*command, url]


@contextlib.contextmanager
def wrk(url: str, shape: Shape, cpu: int, work: Path, *, at_most_s: float = 600) -> Iterator[Wrk]:
    """Have wrk ask for as long as the block lasts; its result is there afterwards."""
    running = Wrk(
        subprocess.Popen(
            _command(url, shape, at_most_s, cpu, work),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    )
    try:
        time.sleep(0.3)
        yield running
    finally:
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGINT)  # it stops and prints
        try:
            said, _ = running.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            running.process.kill()
            said, _ = running.process.communicate()
    running.result = parse_wrk(said)


def run_wrk(url: str, shape: Shape, seconds: float, cpu: int, work: Path) -> Load:
    """Run wrk for so long and return what it did."""
    command = _command(url, shape, seconds, cpu, work)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    return parse_wrk(ended.stdout + ended.stderr)


def run_ab(url: str, requests: int, connections: int, cpu: int) -> Load:
    """Run ab, a connection for each request, and return what it did."""
    command = ["taskset", "-c", str(cpu), "ab", "-q", "-n", str(requests), "-c", str(connections)]
    ended = subprocess.run([*command, url], capture_output=True, text=True, timeout=120)
    return parse_ab(ended.stdout + ended.stderr)
