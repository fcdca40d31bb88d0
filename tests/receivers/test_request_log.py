"""The log of requests at the distribution's rsyslog, and rotated by its logrotate."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.contrib import CONTRIB
from tests.live.command import NOBODY, document, eventually, running, said
from tests.live.nginx import Nginx
from tests.patience import PATIENCE_S
from tests.receivers.rsyslog import PROGRAM, WAYS, Rsyslog

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("commands")]

LOGROTATE: Final = shutil.which("logrotate", path=os.environ.get("PATH", "") + ":/usr/sbin")
#: How long rsyslog is gone, and how long requests come before, and behind.
GONE_S, AROUND_S = 5.0, 4.0
#: Between two requests.
PAUSE_S = 0.002
#: For how long at least, and how often, a log is rotated that so many lines a second go to.
ROTATED_S, ROTATIONS, A_SECOND = 10.0, 5, 1000
ALL = ("--side", "server", "--sampling", "all", "--redact", "off")
NOTHING_MASKED = ("--set", "security.redact_captures=off")


@pytest.fixture
def theirs(work: Path) -> Path:
    """A directory of the user's that httptop becomes."""
    path = work / "logs"
    path.mkdir()
    os.chown(path, NOBODY, NOBODY)
    return path


@pytest.fixture
def nginx(work: Path) -> Iterator[Nginx]:
    with Nginx(work, workers=1) as nginx:
        yield nginx


class Asking:
    """Asks for paths of ascending numbers, one after the other, while it is entered."""

    def __init__(self, nginx: Nginx) -> None:
        self._port = nginx.port
        self._enough, self._may, self._paused = (threading.Event() for _ in range(3))
        self._may.set()
        self._thread = threading.Thread(target=self._ask)
        self.answered = 0

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        while not self._enough.is_set():
            if not self._may.is_set():
                self._paused.set()
                self._may.wait()
            connection.request("GET", f"/{self.answered}/there")
            connection.getresponse().read()
            self.answered += 1
            time.sleep(PAUSE_S)
        connection.close()

    def pause(self) -> None:
        """Stop, and return once nothing is under way."""
        self._paused.clear()
        self._may.clear()
        assert self._paused.wait(PATIENCE_S)

    def go_on(self) -> None:
        self._may.set()

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._may.set()
        self._thread.join()


@pytest.mark.skipif(PROGRAM is None, reason="rsyslog is not installed")
def test_rsyslog_has_what_was_sent_though_it_was_gone_for_a_while(work: Path, nginx: Nginx) -> None:
    with Rsyslog(work) as rsyslog:
        rsyslog.socket.chmod(0o666)
        host = f"127.0.0.1:{rsyslog.port}"
        to = f"requests=syslog:{rsyslog.socket},syslog+udp://{host},syslog+tcp://{host}"
        limits = ("--sample-rate", "100000", "--set", "sampling.burst=100000")
        words = (*ALL, *limits, *NOTHING_MASKED, "--port", str(nginx.port), "--log", to)
        shown = ("-b", "--format", "json", "-d", "0.2", "--log-format", "%{serial}x %U")
        with running(*shown, *words) as run:
            document(run)
            reading = threading.Thread(target=lambda: documents.extend(run.stdout or ()))
            documents: list[str] = []
            reading.start()
            with Asking(nginx) as asking:
                time.sleep(AROUND_S)
                # What it has in its buffers it takes with it: only TCP tells that there was some.
                asking.pause()
                for way in WAYS:
                    assert len(serials_of(rsyslog, way, asking.answered)) == asking.answered
                rsyslog.stop()
                asking.go_on()
                time.sleep(GONE_S)
                rsyslog.start()
                rsyslog.socket.chmod(0o666)
                time.sleep(AROUND_S)
            nginx.wait_until_idle()
            assert eventually(lambda: all(map(is_done, json.loads(documents[-1])["sinks"])))
            run.send_signal(signal.SIGTERM)
            status, told = run.wait(PATIENCE_S), list(said(run.stderr))
            assert len(told) == len(WAYS)  # it says that they failed for a while
            reading.join()
        last = json.loads(documents[-1])
        assert last["final"]
        held = {}
        for way in WAYS:  # the last may not be written yet
            sent = last["sinks"][WAYS.index(way)]["sent"]
            held[way] = serials_of(rsyslog, way, at_least=sent)
    print({way: (len(held[way]), sink) for way, sink in zip(WAYS, last["sinks"], strict=True)})
    print(told)
    assert status == any(sink["dropped"] for sink in last["sinks"])
    for way, sink in zip(WAYS, last["sinks"], strict=True):
        assert sink["sent"] + sink["dropped"] == asking.answered
        assert len(set(held[way])) == len(held[way]) == sink["sent"]
        assert sorted(held[way]) == held[way]
        assert held[way][-1] == asking.answered
        if not sink["dropped"]:
            assert held[way] == list(range(1, asking.answered + 1))


def is_done(sink: dict[str, Any]) -> bool:
    return sink["state"] == "working" and not sink["waiting"]


def serials_of(rsyslog: Rsyslog, way: str, at_least: int) -> list[int]:
    """Return the serials that came on a way; those that come late are waited for."""
    eventually(lambda: len(serials(rsyslog, way)) >= at_least)
    return serials(rsyslog, way)


def serials(rsyslog: Rsyslog, way: str) -> list[int]:
    """Return the serials that came on a way; each message is looked at."""
    found = []
    for severity, moment, name, pid, kind, data, message in rsyslog.got(way):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*", moment)
        assert (name, pid.isdecimal()) == ("httptop", True)
        if severity == "4":
            assert "dropped" in message
            continue
        match = re.fullmatch(r" ?(\d+) /(\d+)/there", message)
        assert match, message
        serial = int(match[1])
        assert serial == int(match[2]) + 1
        if way == "local":
            assert (severity, kind) == ("6", "-")
        else:
            assert (severity, kind, data) == ("6", "REQ", f'[meta sequenceId="{serial}"]')
        found.append(serial)
    return found


@pytest.mark.skipif(LOGROTATE is None, reason="logrotate is not installed")
def test_logrotate_loses_and_doubles_nothing(work: Path, theirs: Path, nginx: Nginx) -> None:
    assert LOGROTATE is not None
    file = theirs / "requests.log"
    limits = ("--sample-rate", str(A_SECOND), "--set", f"sampling.burst={A_SECOND}")
    words = (*ALL, *limits, "--port", str(nginx.port), "--log", f"requests={file}")
    as_user = {"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY)}
    with running("-b", "--format", "json", "-d", "0.2", *words, **as_user) as run:
        document(run)
        documents: list[str] = []
        reading = threading.Thread(target=lambda: documents.extend(run.stdout or ()))
        reading.start()
        rules = (CONTRIB / "logrotate" / "httptop").read_text()
        reload = "systemctl reload httptop.service >/dev/null 2>&1 || true"
        rules = rules.replace(reload, f"kill -HUP {run.pid}")
        rules = rules.replace("/var/log/httptop", str(theirs))
        (work / "rules").write_text(rules)
        began_s = time.monotonic()
        wrk = ("wrk", "-t1", "-c4", "-d600s", nginx.url("/there"))
        with subprocess.Popen(wrk, stdout=subprocess.DEVNULL) as load:
            for rotation in range(ROTATIONS + 1):
                assert eventually(lambda: file.exists() and file.stat().st_size > 0)
                due_s = began_s + (rotation + 1) * ROTATED_S / (ROTATIONS + 1)
                time.sleep(max(0.0, due_s - time.monotonic()))
                if rotation < ROTATIONS:
                    rotate = (LOGROTATE, "--force", "--state", f"{work}/state", f"{work}/rules")
                    subprocess.run(rotate, check=True, timeout=PATIENCE_S)
            load.send_signal(signal.SIGINT)
        took_s = time.monotonic() - began_s
        nginx.wait_until_idle()
        run.send_signal(signal.SIGTERM)
        assert run.wait(PATIENCE_S) == 0, list(said(run.stderr))
        reading.join()
    (sink,) = json.loads(documents[-1])["sinks"]
    texts = [subprocess.check_output(["zcat", "-f", part], text=True) for part in theirs.iterdir()]
    lines = [json.loads(line) for text in texts for line in text.splitlines()]
    found = sorted(line["serial"] for line in lines if "serial" in line)
    print(len(texts), "files", len(found), "lines in", took_s, "s", sink)
    assert len(texts) == ROTATIONS + 1
    assert (sink["dropped"], sink["failed"]) == (0, 0)
    assert found == list(range(1, sink["sent"] + 1))
    assert len(found) > A_SECOND * took_s / 4
