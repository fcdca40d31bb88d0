"""The distribution's rsyslog, with a configuration, a socket and ports of the test's own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Final

from tests.patience import PATIENCE_S

PROGRAM: Final = shutil.which("rsyslogd", path=os.environ.get("PATH", "") + ":/usr/sbin")
#: The ways into it, and the files that it has of each.
WAYS: Final = ("local", "udp", "tcp")


class Rsyslog:
    """rsyslog on a local socket, UDP and TCP; what comes by each goes to a file."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self.socket = work / "syslog"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._config = work / "rsyslog.conf"
        rules = "\n".join(
            f'ruleset(name="{way}") {{ action(type="omfile" file="{work}/{way}" template="all") }}'
            for way in WAYS
        )
        self._config.write_text(f"""
global(workDirectory="{work}" maxMessageSize="64k")
template(name="all" type="string" string="%syslogseverity%|%timestamp:::date-rfc3339%|%app-name%|\
%procid%|%msgid%|%structured-data%|%msg%\\n")
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imtcp")
{rules}
input(type="imuxsock" Socket="{self.socket}" Ruleset="local" RateLimit.Interval="0"
      UseSysTimeStamp="off")
input(type="imudp" Address="127.0.0.1" Port="{self.port}" Ruleset="udp")
input(type="imtcp" Address="127.0.0.1" Port="{self.port}" Ruleset="tcp")
""")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        assert PROGRAM is not None
        words = [PROGRAM, "-n", "-f", str(self._config), "-i", str(self._work / "pid")]
        self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            assert self._process.poll() is None, "rsyslogd does not start"
            with (
                contextlib.suppress(OSError),
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s,
            ):
                s.connect(str(self.socket))
                with socket.create_connection(("127.0.0.1", self.port)):
                    return
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def stop(self) -> None:
        """End it as its service does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(PATIENCE_S)
            self._process = None
            self.socket.unlink(missing_ok=True)

    def got(self, way: str) -> list[list[str]]:
        """Return what has come on a way: severity, time, name, process, id, data, message."""
        file = self._work / way
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split("|", 6) for line in lines]

    def __enter__(self) -> Rsyslog:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
