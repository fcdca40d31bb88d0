"""A real server: the distribution's nginx, with a configuration and ports of the test's own."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Final

from tests.patience import PATIENCE_S

_TEMPORARY: Final = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
FILE_SIZE: Final = 5_000_011


class Nginx:
    """nginx on IPv4, IPv6 and a Unix socket; ``requests()`` is its own exact count."""

    def __init__(self, work: Path, workers: int) -> None:
        self.port, self.port6 = _free_port(socket.AF_INET), _free_port(socket.AF_INET6)
        self.unix = work / "http.sock"
        self.log = work / "access.log"
        self._status = work / "status.sock"
        self._looked = 0
        (work / "www").mkdir()
        (work / "www" / "file.bin").write_bytes(
            b"GET / HTTP/1.1\r\n" * (FILE_SIZE // 16) + b"x" * 11
        )
        temporary = "".join(f"  {name}_temp_path {work}/{name};\n" for name in _TEMPORARY)
        config = work / "nginx.conf"
        config.write_text(f"""
user root; worker_processes {workers}; daemon off; pid {work}/nginx.pid;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  log_format pairs "$uri $status"; access_log {self.log} pairs; log_not_found off;
  sendfile on; client_max_body_size 0;
  keepalive_requests 1000000000; keepalive_timeout 300s;
{temporary}
  server {{
    listen 127.0.0.1:{self.port} backlog=4096; listen [::1]:{self.port6}; listen unix:{self.unix};
    root {work}/www;
    location / {{ return 200 "ok"; }}
    location ~ /missing$ {{ return 404; }}
    location ~ /moved$ {{ return 301 /; }}
    location ~ /none$ {{ return 204; }}
    location ~ ^/case-[^/]+/files/ {{ rewrite ^/case-[^/]+/files/(.*)$ /$1 break; }}
    location ~ ^/case-[^/]+/put/ {{ dav_methods PUT; create_full_put_path on; }}
  }}
  server {{ listen unix:{self._status}; access_log off; location / {{ stub_status; }} }}
}}
""")
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen(
            [program, "-e", str(work / "error.log"), "-c", str(config)], stdin=subprocess.DEVNULL
        )
        self._await(work)

    def _await(self, work: Path) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.requests()
                return
            time.sleep(0.02)
        self.close()
        log = work / "error.log"
        raise RuntimeError(f"nginx did not start: {log.read_text() if log.exists() else ''}")

    def __enter__(self) -> Nginx:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def url(self, path: str, *, v6: bool = False) -> str:
        """Return the address of a path."""
        return f"http://[::1]:{self.port6}{path}" if v6 else f"http://127.0.0.1:{self.port}{path}"

    def requests(self) -> int:
        """Return how many requests it has begun, these look-ups left out."""
        page = self._status_page()
        found = re.search(r"requests\s+\d+ \d+ (\d+)", page)
        assert found is not None, page
        return int(found[1]) - self._looked

    def wait_until_idle(self) -> None:
        """Wait until it has closed every connection; what it has read of them is served then."""
        deadline = time.monotonic() + PATIENCE_S
        while "Active connections: 1 " not in (page := self._status_page()):  # the look-up's own
            assert time.monotonic() < deadline, page
            time.sleep(0.005)

    def _status_page(self) -> str:
        with socket.socket(socket.AF_UNIX) as status:
            status.connect(str(self._status))
            status.sendall(b"GET /stub-status HTTP/1.0\r\n\r\n")
            page = b""
            while more := status.recv(4096):
                page += more
        self._looked += 1
        return page.decode()

    def close(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def _free_port(family: int) -> int:
    with socket.socket(family) as listener:
        listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return int(listener.getsockname()[1])
