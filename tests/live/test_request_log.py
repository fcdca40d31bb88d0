"""The log of requests of a real run that has given up root: all that nginx has in its own."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.live.command import NOBODY, batch, document, eventually, field, said
from tests.live.nginx import Nginx
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("commands")]

MANY = 211
ALL = (
    *("--side", "server", "--redact", "off", "--set", "security.redact_captures=off"),
    *("--sample-rate", "100000", "--set", "sampling.burst=100000", "--sampling", "all"),
)


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A directory of the user's that httptop becomes."""
    path = Path(tempfile.mkdtemp(prefix="httptop-log-"))
    os.chown(path, NOBODY, NOBODY)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    with Nginx(tmp_path, workers=1) as nginx:
        yield nginx


def ask(nginx: Nginx, begin: int, end: int) -> None:
    """Ask for so many paths, one after the other on a connection."""
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=PATIENCE_S)
    for number in range(begin, end):
        connection.request("GET", f"/{number}/{'missing' if number % 3 else 'there'}")
        connection.getresponse().read()
    connection.close()


def test_all_requests_are_in_a_file_that_is_rotated_and_at_two_receivers(
    theirs: Path, nginx: Nginx
) -> None:
    file, datagrams = theirs / "requests.log", socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(PATIENCE_S)
    datagrams.bind(str(theirs / "syslog"))
    datagrams.settimeout(PATIENCE_S)
    (theirs / "syslog").chmod(0o777)
    streamed: list[str] = []
    logged: list[str] = []

    def receive() -> None:
        with listener, listener.accept()[0] as connection, connection.makefile() as lines:
            streamed.extend(line.rstrip("\n") for line in lines)

    def take() -> None:
        while len(logged) < MANY:
            logged.append(datagrams.recv(4096).decode())

    receiving = [threading.Thread(target=work, daemon=True) for work in (receive, take)]
    for thread in receiving:
        thread.start()
    to = f"requests={file},tcp://localhost:{listener.getsockname()[1]},syslog:{theirs}/syslog"
    own_log = theirs / "httptop.log"
    logs = ("--log", to, "--log-format", "%U %s", "--log-file", str(own_log))
    words = (*ALL, "--port", str(nginx.port), *logs)
    with batch(*words, SUDO_UID=str(NOBODY), SUDO_GID=str(NOBODY)) as run:
        assert field(run, "Uid") == {" ".join([str(NOBODY)] * 4)}
        assert field(run, "CapEff") == {"0" * 16}
        ask(nginx, 0, 100)
        assert eventually(lambda: file.read_text().count("\n") == 100)
        file.rename(theirs / "requests.log.1")
        own_log.rename(theirs / "httptop.log.1")
        run.send_signal(signal.SIGHUP)
        assert list(islice(said(run.stderr), 1)) == [
            "the configuration was read again; nothing changed"
        ]
        ask(nginx, 100, MANY)
        assert eventually(lambda: file.exists() and file.read_text().count("\n") == MANY - 100)
        run.terminate()
        _, errors = run.communicate(timeout=PATIENCE_S)
        told = [line for line in said(errors.splitlines()) if "read too slowly" not in line]
        assert (run.returncode, told) == (0, [])
    for thread in receiving:
        thread.join(PATIENCE_S)
    datagrams.close()
    assert "the configuration was read again" in own_log.read_text()
    own = nginx.log.read_text().splitlines()
    assert len(own) == MANY
    assert ((theirs / "requests.log.1").read_text() + file.read_text()).splitlines() == own
    assert streamed == own
    assert [re.sub(r"^<30>.{15} httptop\[\d+\]: ", "", line) for line in logged] == own


def test_where_a_file_cannot_be_made_again_it_says_so_and_goes_on(
    tmp_path: Path, nginx: Nginx
) -> None:
    tmp_path.chmod(0o711)
    directory = tmp_path / "roots"
    directory.mkdir(mode=0o700)
    file, old = directory / "requests.log", directory / "requests.log.1"
    with batch(*ALL, "--port", str(nginx.port), "--log", f"requests={file}") as run:
        file.rename(old)
        file.mkdir()
        run.send_signal(signal.SIGHUP)
        assert len(list(islice(said(run.stderr), 1))) == 1
        ask(nginx, 0, 3)
        told = f"the request log goes on in the file that is open: {file}: is a directory"
        assert next(said(run.stderr)) == told
        run.terminate()
        run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 0  # nothing is missing
    assert len(old.read_text().splitlines()) == 3


def test_in_a_directory_of_roots_a_log_is_made_again_after_each_rotation(
    tmp_path: Path, nginx: Nginx
) -> None:
    """By the helper: the user that httptop has become can neither look nor write there."""
    tmp_path.chmod(0o711)
    roots = tmp_path / "roots"
    roots.mkdir(mode=0o700)
    file, own_log, olds = roots / "requests.log", roots / "httptop.log", []
    words = (*ALL, "--port", str(nginx.port), "--log", f"requests={file}")
    with batch(*words, "--log-file", str(own_log)) as run:
        assert field(run, "Uid") == {" ".join([str(NOBODY)] * 4)}
        assert field(run, "CapEff") == {"0" * 16}
        ended = threading.Event()
        asked = 0

        def traffic() -> None:
            nonlocal asked
            while not ended.wait(0.01):  # no faster than what is read at each tick
                ask(nginx, asked, asked + 5)
                asked += 5

        asking = threading.Thread(target=traffic)
        asking.start()
        try:
            for number in (2, 1):
                assert eventually(lambda: file.exists() and file.stat().st_size > 0)
                olds.append(roots / f"requests.log.{number}")
                file.rename(olds[-1])
                own_log.rename(roots / f"httptop.log.{number}")
                run.send_signal(signal.SIGHUP)
                assert eventually(own_log.exists)
            assert eventually(lambda: file.exists() and file.stat().st_size > 0)
        finally:
            ended.set()
            asking.join(PATIENCE_S)
        assert eventually(
            lambda: sum(path.read_text().count("\n") for path in (*olds, file)) == asked
        )
        run.terminate()
        _, errors = run.communicate(timeout=PATIENCE_S)
        told = [line for line in said(errors.splitlines()) if "read too slowly" not in line]
        assert (run.returncode, told) == (
            0,
            ["the configuration was read again; nothing changed"] * 2,
        )
    parts = [[json.loads(line) for line in path.read_text().splitlines()] for path in (*olds, file)]
    assert all(parts)
    lines = [line for part in parts for line in part]
    assert [line["serial"] for line in lines] == list(range(1, asked + 1))
    own = [line.split(" ") for line in nginx.log.read_text().splitlines()]
    assert [[line["target"], str(line["status"])] for line in lines] == own
    for path in (file, own_log):
        assert (path.stat().st_uid, path.stat().st_mode) == (0, stat.S_IFREG | 0o600)


@pytest.fixture
def small(theirs: Path) -> Iterator[Path]:
    """A disk of 1 MiB that is nearly full."""
    options = f"size=1m,mode=755,uid={NOBODY},gid={NOBODY}"
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "log", theirs], check=False
    ).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        (theirs / "filler").write_bytes(bytes(900 << 10))
        yield theirs
    finally:
        subprocess.run(["umount", "-l", theirs], check=True)


def until(
    run: subprocess.Popen[str], condition: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Return the first snapshot that meets a condition."""
    until_s = time.monotonic() + PATIENCE_S
    while not condition(found := document(run)):
        assert time.monotonic() < until_s, found
    return found


def test_on_a_full_disk_counting_goes_on_and_the_log_later(small: Path, nginx: Nginx) -> None:
    file = small / "requests.log"
    words = (*ALL, "--port", str(nginx.port), "--log", f"requests={file}")
    with batch(*words, SUDO_UID=str(NOBODY), SUDO_GID=str(NOBODY)) as run:
        ask(nginx, 0, 400)
        found = until(run, lambda found: found["sinks"][0]["state"] == "failing")
        assert found["sinks"][0]["error"] == "no space left on device"
        assert file.read_bytes().endswith(b"}\n")  # whole lines
        ask(nginx, 400, 450)
        found = until(run, lambda found: found["totals"]["server"]["requests"] >= 450)
        assert found["sinks"][0]["waiting"] >= 50
        assert any("no space left on device" in note for note in found["notes"])
        (small / "filler").unlink()
        found = until(run, lambda found: found["sinks"][0]["sent"] == 450)
        run.terminate()
        _, errors = run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 0  # nothing is missing any more
        assert "is tried again: no space left on device" in errors
    (sink,) = found["sinks"]
    assert (sink["sent"], sink["dropped"], sink["reconnects"]) == (450, 0, 1)
    serials = [json.loads(line)["serial"] for line in file.read_text().splitlines()]
    assert serials == list(range(1, 451))
