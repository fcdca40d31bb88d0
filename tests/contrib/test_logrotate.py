"""The logrotate file: logrotate itself moves the log away, and no line is lost."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from httptop.config.load import build
from httptop.config.reload import Reload
from httptop.config.settings import DEFAULTS
from httptop.linux.files import InvokingUser
from httptop.run.log import LOG, log_reload, logging_to_file
from tests.contrib import CONTRIB
from tests.patience import PATIENCE_S

LOGROTATE = shutil.which("logrotate", path=os.environ.get("PATH", "") + ":/usr/sbin")
ROTATIONS = 3

pytestmark = pytest.mark.skipif(LOGROTATE is None, reason="logrotate is not installed")


def _has_lines(log: Path) -> bool:
    return log.exists() and log.stat().st_size > 0


def test_no_line_is_lost_where_the_log_is_rotated(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir(mode=0o700)
    rules = (CONTRIB / "logrotate" / "httptop").read_text()
    assert "/var/log/httptop/" in rules
    reload = "systemctl reload httptop.service >/dev/null 2>&1 || true"
    assert reload in rules
    told = rules.replace(reload, f"kill -HUP {os.getpid()}").replace("/var/log/httptop", str(logs))
    (tmp_path / "rules").write_text(told)
    before = signal.signal(signal.SIGHUP, lambda *_: log_reload(Reload(DEFAULTS)))
    enough = threading.Event()
    written: list[int] = []

    def write() -> None:
        while not enough.is_set():
            LOG.info("serial %d", len(written))
            written.append(len(written))
            enough.wait(0.001)

    writer = threading.Thread(target=write)
    settings = build({"general.log_file": str(logs / "httptop.log")})
    try:
        with logging_to_file(settings, InvokingUser(os.geteuid(), os.getegid(), tmp_path)):
            writer.start()
            for _ in range(ROTATIONS):
                until_s = time.monotonic() + PATIENCE_S
                while not _has_lines(logs / "httptop.log"):  # an empty log is not rotated
                    assert time.monotonic() < until_s
                assert LOGROTATE is not None
                subprocess.run(
                    [LOGROTATE, "--force", "--state", tmp_path / "state", tmp_path / "rules"],
                    check=True,
                    timeout=PATIENCE_S,
                )
            enough.set()
            writer.join()
    finally:
        enough.set()
        signal.signal(signal.SIGHUP, before)
    log, last, *older = sorted(logs.iterdir())
    assert [file.suffix for file in (log, last, *older)] == [".log", ".1", ".gz", ".gz"]
    texts = [
        log.read_bytes(),
        last.read_bytes(),
        *(gzip.decompress(file.read_bytes()) for file in older),
    ]
    found = re.findall(rb"serial (\d+)", b"".join(texts))
    assert sorted(map(int, found)) == written
