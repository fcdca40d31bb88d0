"""The log of requests of a replay, by processes that may make no other system calls."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from httptop.model import Health, Snapshot
from tests.capture.test_recording import written
from tests.factory import request, snapshot_at
from tests.patience import PATIENCE_S
from tests.run.test_cli import home, httptop

__all__ = ["home"]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A capture of twelve requests, of which each snapshot has those of the one before, too."""

    def at(tick: int) -> Snapshot:
        recent = tuple(request(serial) for serial in range(4 * tick, max(0, 4 * tick - 8), -1))
        return replace(snapshot_at(tick, final=tick == 3), recent=recent, health=Health())

    return written(tmp_path / "some.capture", tuple(map(at, (1, 2, 3))))


#: What else is told of a name where there is no resolver, or none that answers in time.
UNRESOLVED = ("temporary failure", "lacks 12 requests")


def serials(lines: str) -> list[int]:
    return [json.loads(line)["serial"] for line in lines.splitlines()]


def test_each_request_of_a_capture_is_logged_once(capture: Path, tmp_path: Path) -> None:
    words = ("--replay", capture, "-d", "0.1")
    ran = httptop(*words, "--log", "requests", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert serials(ran.stdout) == list(range(1, 13))
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    datagrams.bind(str(tmp_path / "log"))
    datagrams.settimeout(PATIENCE_S)
    got: list[bytes] = []
    local: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, datagrams:
        listener.settimeout(PATIENCE_S)

        def receive() -> None:
            with listener.accept()[0] as connection, connection.makefile("rb") as lines:
                got.extend(lines)

        def take() -> None:  # a socket's queue has room for ten
            local.extend(datagrams.recv(4096) for _ in range(12))

        receiving = [threading.Thread(target=work) for work in (receive, take)]
        for thread in receiving:
            thread.start()
        to = f"a.log,syslog:{tmp_path}/log,syslog+tcp://localhost:{listener.getsockname()[1]}"
        ran = httptop(*words, "--quiet", "--log", f"requests={to}", cwd=tmp_path)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
        for thread in receiving:
            thread.join()
    assert serials((tmp_path / "a.log").read_text()) == list(range(1, 13))
    assert [b'"serial":%d,' % n in line for n, line in enumerate(local, 1)] == [True] * 12
    rest, counted = b"".join(got), 0
    while rest:  # octets are counted
        size, _, rest = rest.partition(b" ")
        counted += 1
        assert b' REQ [meta sequenceId="%d"] {' % counted in rest[: int(size)]
        rest = rest[int(size) :]
    assert counted == 12


def test_what_cannot_be_written_is_told_at_the_end(capture: Path, tmp_path: Path) -> None:
    words = ("--quiet", "--replay", capture, "-d", "0.1", "--log")
    for to, told in (
        ("tcp://nowhere.invalid:77", "not known"),
        (f"unix://{tmp_path}/nobody", "no such file or directory"),
        ("syslog+udp://127.0.0.1:9", "connection refused"),
    ):
        ran = httptop(*words, f"requests={to}", cwd=tmp_path)
        assert ran.returncode == 1
        said = ran.stderr.lower()
        assert told in said or ("nowhere" in to and any(word in said for word in UNRESOLVED))
    for to, told in (
        ("/proc/x.log", "/proc/x.log: no such file or directory"),
        (f"{tmp_path}", "is a directory"),
        ("/dev/null", "no regular file"),
    ):
        ran = httptop(*words, f"requests={to}", cwd=tmp_path)
        assert ran.returncode == 2
        assert "httptop: request_log.to: " in ran.stderr
        assert told in ran.stderr


def test_a_closed_pipe_ends_it_quietly(capture: Path, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with contextlib.closing(os.fdopen(writer, "w")) as closed:
        words = ("--replay", capture, "-d", "0.1", "--log", "requests")
        pipes = {"capture_output": False, "stdout": closed, "stderr": subprocess.PIPE}
        ran = httptop(*words, cwd=tmp_path, **pipes)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_who_does_not_ask_for_it_does_not_pay_for_it(capture: Path) -> None:
    program = f"""
import sys
from httptop.cli import main
words = ["--batch", "--replay", {str(capture)!r}, "-n", "1", "--set", "security.seccomp=false"]
status = main(words)
loaded = [name for name in sys.modules if "request_log" in name and "settings" not in name]
sys.exit(f"loaded: {{loaded}}" if loaded else status)
"""
    words = [sys.executable, "-c", program]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
