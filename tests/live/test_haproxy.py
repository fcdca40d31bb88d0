"""A real HAProxy that speaks the PROXY protocol to a real nginx: nginx's own log is the truth."""

from __future__ import annotations

import collections
import contextlib
import http.client
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from httptop.config.scope import limited
from httptop.config.settings import DEFAULTS, Sampling
from tests.live.live import FRONTS, Watch, new_path, sums_of
from tests.patience import PATIENCE_S

HAPROXY: Final = shutil.which("haproxy") or "/usr/sbin/haproxy"
NGINX: Final = shutil.which("nginx") or "/usr/sbin/nginx"
pytestmark = [
    pytest.mark.ebpf,
    pytest.mark.xdist_group("proxies"),
    pytest.mark.skipif(not Path(HAPROXY).exists(), reason="no haproxy"),
]

#: Where clients come from: loopback's other addresses, and IPv6.
CLIENTS: Final = ("127.0.0.1", "127.0.0.2", "127.1.2.3", "::1")
#: Each way that HAProxy sends the header, with options of its own.
WAYS: Final = {
    "send-proxy": "send-proxy",
    "send-proxy-v2": "send-proxy-v2",
    "send-proxy-v2, TLVs": "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority",
    "send-proxy, checked": "send-proxy check inter 100ms",
    "send-proxy-v2, checked": "send-proxy-v2 check inter 100ms",
}
ALL_SAMPLES: Final = replace(
    DEFAULTS, sampling=Sampling(strategy="all", per_second=100_000, burst=100_000)
)


def _free_port(port: int = 0) -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        return int(listener.getsockname()[1])


def _lasting_port() -> int:
    """Return a free port that the kernel gives to nobody who does not ask for it."""
    while True:
        with contextlib.suppress(OSError):
            return _free_port(random.randrange(20_000, 30_000))


class Balanced:
    """HAProxy in front of nginx, which logs the client that HAProxy names."""

    def __init__(self, work: Path, way: str, back: int) -> None:
        """``back``: nginx's port."""
        self.log = work / "access.log"
        self._work, self._way, self._back = work, way, back
        self._processes: list[subprocess.Popen[bytes]] = []

    def _start(self) -> None:
        work = self._work
        self.port = _free_port()
        (work / "nginx.conf").write_text(f"""
user root; daemon off; pid {work}/nginx.pid; error_log {work}/error.log;
events {{ worker_connections 512; }}
http {{
  log_format clients "$proxy_protocol_addr $proxy_protocol_port $status $uri";
  access_log {self.log} clients;
  client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fast;
  uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
  server {{
    listen 127.0.0.1:{self._back} proxy_protocol;
    location / {{ return 200 "ok"; }}
    location ~ /missing$ {{ return 404; }}
  }}
}}
""")
        (work / "haproxy.cfg").write_text(f"""
defaults
  mode http
  timeout connect 60s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:{self.port}
  bind [::1]:{self.port}
  unique-id-format %rt
  default_backend back
backend back
  server nginx 127.0.0.1:{self._back} {self._way}
""")
        self._processes = [
            subprocess.Popen(command, stdin=subprocess.DEVNULL)
            for command in (
                [NGINX, "-e", f"{work}/error.log", "-c", f"{work}/nginx.conf"],
                [HAPROXY, "-db", "-q", "-f", f"{work}/haproxy.cfg"],
            )
        ]

    def __enter__(self) -> Balanced:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in self._processes):
                self.__exit__()  # another program has taken a port meanwhile
            if not self._processes:
                self._start()
            with contextlib.suppress(OSError):
                for host in ("127.0.0.1", "::1"):
                    socket.create_connection((host, self.port)).close()
                socket.create_connection(("127.0.0.1", self._back)).close()
                if not any(process.poll() for process in self._processes):
                    return self
            time.sleep(0.02)
        self.__exit__()
        raise RuntimeError("HAProxy or nginx did not start")

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes = []

    def ask(self, client: str, *paths: str) -> str:
        """Send requests on one connection; return the client's address and port as peers are."""
        host = "::1" if ":" in client else "127.0.0.1"
        asking = http.client.HTTPConnection(host, self.port, 5, source_address=(client, 0))
        with contextlib.closing(asking):
            for path in paths:
                asking.request("GET", path)
                asking.getresponse().read()
            port = int(asking.sock.getsockname()[1])
        return f"[{client}]:{port}" if ":" in client else f"{client}:{port}"

    def logged(self, path: str) -> list[tuple[str, int]]:
        """Return the clients and statuses that nginx has logged for paths that begin so."""
        found = []
        for line in self.log.read_text().splitlines():
            address, port, status, uri = line.split()
            if uri.startswith(path):
                host = f"[{address}]" if ":" in address else address
                found.append((f"{host}:{port}", int(status)))
        return found


@pytest.fixture(scope="module", params=FRONTS)
def back(request: pytest.FixtureRequest) -> Iterator[tuple[Watch, int]]:
    """The probes, and the only port that they look at: samples of others would push ours out."""
    port = _lasting_port()
    with Watch(ALL_SAMPLES, limited(f"port = {port}"), request.param) as watch:
        yield watch, port


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_nginxs_log_is_the_server_side(back: tuple[Watch, int], tmp_path: Path, way: str) -> None:
    path = new_path()
    asked: list[str] = []
    watch, port = back
    with Balanced(tmp_path, way, port) as balanced:
        for turn in range(25):
            client = CLIENTS[turn % len(CLIENTS)]
            paths = [f"{path}/{name}" for name in ("a", "b/missing", "c", "a")]
            asked += 4 * [balanced.ask(client, *paths)]
        deadline = time.monotonic() + PATIENCE_S
        while len(logged := balanced.logged(path)) < 100 and time.monotonic() < deadline:
            time.sleep(0.02)
        rows = [row for row in watch.rows(path, "server") if row.key.process == "nginx"]
        recent = watch.step().recent
    assert collections.Counter(peer for peer, _ in logged) == collections.Counter(asked)
    assert sums_of(rows) == (dict(collections.Counter(status for _, status in logged)), 0, 0)
    seen = [
        (one.peer, one.status)
        for one in recent
        if one.key.process == "nginx" and one.key.side == "server" and one.path.startswith(path)
    ]
    assert collections.Counter(seen) == collections.Counter(logged)
