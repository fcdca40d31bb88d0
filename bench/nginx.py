"""The server under load: one nginx worker on loopback, pinned, with a counter of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from bench.parsing import parse_stub_status
from bench.proc import tree

_START_S: Final = 10.0
_LIBRARY: Final = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Nginx:
    """One worker serving 900 bytes by sendfile; ``requests()`` is its own exact count."""

    def __init__(self, work: Path, word: str, cpu: int) -> None:
        """Start it in ``work``; ``word`` makes its paths unlike any other's on this machine."""
        self.port = free_port()
        self.path = f"/{word}/small.txt"
        #: Files of the same size: three endpoints.
        self.paths = (self.path, f"/{word}/other.txt", f"/{word}/third.txt")
        self.ids = f"/{word}/ids/"
        self._status = work / "status.sock"
        self._looked = 0
        (work / "www" / word).mkdir(parents=True)
        for path in self.paths:
            (work / "www" / path[1:]).write_text("x" * 899 + "\n")
        os.chmod(work, 0o755)
        config = work / "nginx.conf"
        config.write_text(self._config(work))
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        log = str(work / "error.log")
        self._process = subprocess.Popen(
            ["taskset", "-c", str(cpu), program, "-e", log, "-c", str(config)],
            stdin=subprocess.DEVNULL,
        )
        self.worker = self._await_worker()

    def _config(self, work: Path) -> str:
        temporary = "".join(f"  {name}_temp_path {work}/{name};\n" for name in _LIBRARY)
        return f"""
user root; worker_processes 1; daemon off; pid {work}/nginx.pid; error_log {work}/error.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 8192; }}
http {{
  access_log off; log_not_found off; sendfile on; tcp_nopush on;
  keepalive_requests 1000000000; keepalive_timeout 300s;
{temporary}
  server {{
    listen 127.0.0.1:{self.port} backlog=8192; root {work}/www;
    location {self.ids} {{ return 200 "ok"; }}
  }}
  server {{ listen unix:{self._status}; location / {{ stub_status; }} }}
}}
"""

    def _await_worker(self) -> int:
        end = time.monotonic() + _START_S
        while time.monotonic() < end and self._process.poll() is None:
            workers = [pid for pid in tree(self._process.pid) if pid != self._process.pid]
            if workers and self._status.exists():
                return workers[0]
            time.sleep(0.02)
        self.close()
        raise RuntimeError("nginx did not start")

    @property
    def host(self) -> str:
        """Its address and port, as in the field Host."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The small file's address."""
        return f"http://{self.host}{self.path}"

    def requests(self) -> int:
        """Return how many requests it has begun, these look-ups left out."""
        with socket.socket(socket.AF_UNIX) as status:
            status.connect(str(self._status))
            status.sendall(b"GET / HTTP/1.0\r\n\r\n")
            page = b""
            while more := status.recv(4096):
                page += more
        self._looked += 1
        return parse_stub_status(page.decode()) - self._looked

    def close(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def free_port() -> int:
    """Return a port of loopback that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
