"""httptop, nginx, wrk and a real Prometheus: N requests are N there, whatever happens meanwhile."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.command import document, eventually, running, said
from tests.live.nginx import Nginx
from tests.live.test_prometheus import free_port, is_well, load
from tests.patience import PATIENCE_S
from tests.receivers.prometheus import Prometheus, scraping
from tests.receivers.prometheus import until as wait_until

pytestmark = pytest.mark.ebpf

DURATION = "http_server_request_duration_seconds"
FORMATS = pytest.mark.parametrize("native", [False, True], ids=["classic", "native"])


@pytest.fixture
def nginx(work: Path) -> Iterator[Nginx]:
    inner = work / "nginx"
    inner.mkdir()
    with Nginx(inner, 1) as nginx:
        yield nginx


def only(nginx: Nginx, *more: int) -> tuple[str, ...]:
    """Return the flags by which nothing else on this host takes room among the series."""
    return ("--port", ",".join(map(str, (nginx.port, *more))))


def counted(nginx: Nginx, native: bool) -> str:
    """Return the expression of nginx's requests."""
    port = f'{{server_port="{nginx.port}"}}'
    count = f"histogram_count({DURATION}{port})" if native else f"{DURATION}_count{port}"
    unanswered = f'httptop_requests_unanswered_total{{server_port="{nginx.port}",side="server"}}'
    return f"sum({count}) + sum({unanswered})"


def equal(prometheus: Prometheus, nginx: Nginx, native: bool) -> int:
    """Wait until Prometheus has as many requests as nginx; return how many."""
    nginx.wait_until_idle()
    requests = nginx.requests()
    prometheus.await_value(counted(nginx, native), requests)
    return requests


@FORMATS
def test_as_many_requests_as_nginx_had(work: Path, nginx: Nginx, native: bool) -> None:
    """Also after Prometheus was restarted; and quantiles are there by route."""
    port = free_port()
    with (
        running("--quiet", "--prometheus", str(port), *only(nginx)) as run,
        scraping(work, f"127.0.0.1:{port}", native=native) as prometheus,
    ):
        assert eventually(lambda: is_well(port), PATIENCE_S)
        load(nginx, "/users/42")
        load(nginx, "/users/42/missing")
        first = equal(prometheus, nginx, native)
        prometheus.stop()
        load(nginx, "/users/42")
        prometheus.start()
        second = equal(prometheus, nginx, native)
        assert second > first > 100
        histogram = f'{DURATION}{"" if native else "_bucket"}{{server_port="{nginx.port}"}}'
        by = "http_route" if native else "http_route, le"
        found = prometheus.query(f"histogram_quantile(0.5, sum by ({by}) ({histogram}))")
        assert {labels[0][1] for labels in found} == {"/users/{id}", "/users/{id}/missing"}
        assert all(0.000001 < value < 1 for value in found.values())
        [target] = prometheus.targets()
        assert target["health"] == "up", target
        run.terminate()
        run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 0
    print(f"{second} requests, of which {first} before the restart")


@FORMATS
def test_rows_that_become_others_change_nothing(work: Path, nginx: Nginx, native: bool) -> None:
    """Templates change between two loads, as by key m on the screen."""
    port, file = free_port(), work / "config.toml"
    file.write_text("")
    words = ("--quiet", "--prometheus", str(port), *only(nginx), "--config", str(file))
    with (
        running(*words) as run,
        scraping(work, f"127.0.0.1:{port}", native=native) as prometheus,
    ):
        assert eventually(lambda: is_well(port), PATIENCE_S)
        load(nginx, "/shops/north/a")
        load(nginx, "/shops/south/a")
        first = equal(prometheus, nginx, native)
        file.write_text('[paths]\ntemplates = ["/shops/*/a"]\n')
        assert "paths.templates" in next(said(run.stderr))
        load(nginx, "/shops/north/a")
        load(nginx, "/shops/west/a")
        second = equal(prometheus, nginx, native)
        resets = prometheus.query(
            f'resets({DURATION}{"" if native else "_count"}{{server_port="{nginx.port}"}}[10m]) > 0'
        )
        assert resets == {}
        routes = {
            dict(labels)["http_route"]
            for labels in prometheus.query(
                f'httptop_request_bytes_total{{server_port="{nginx.port}",side="server"}}'
            )
        }
        # What was there keeps its name, what is new has the name that it has on the screen.
        assert routes == {"/shops/north/a", "/shops/south/a", "/shops/{id}/a"}
        run.terminate()
        run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 0
    print(f"{first} requests, then {second}")


@FORMATS
def test_slow_bodies_let_no_bucket_fall(work: Path, native: bool) -> None:
    """A response is counted once, by its first byte: its body changes no bucket, when it ends."""
    port, seconds = free_port(), 60
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()
    served = threading.Thread(target=_serve_slowly, args=(listener, stopping), daemon=True)
    served.start()
    address = listener.getsockname()
    words = ("-b", "--format", "json", "-d", "1", "--prometheus", str(port))
    with (
        running(*words, "--port", str(address[1])) as run,
        scraping(work, f"127.0.0.1:{port}", native=native) as prometheus,
    ):
        document(run)
        reading = threading.Thread(target=run.stdout.read, daemon=True)  # type: ignore[union-attr]
        reading.start()
        until_s = time.monotonic() + seconds
        clients = [
            threading.Thread(target=_ask, args=(address, until_s), daemon=True) for _ in range(8)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join(seconds + PATIENCE_S)
        port_label = f'{{server_port="{address[1]}"}}'
        wait_until(
            lambda: (
                prometheus.value(f'sum(http_server_active_requests{{server_port="{address[1]}"}})')
                == 0
            ),
            "the end of all requests",
        )
        series = [DURATION] if native else [f"{DURATION}_bucket", f"{DURATION}_count"]
        for name in series:
            found = prometheus.query(f"resets({name}{port_label}[5m])")
            assert found
            assert set(found.values()) == {0}
        run.terminate()
        run.wait(PATIENCE_S)
    stopping.set()
    listener.close()


def _serve_slowly(listener: socket.socket, stopping: threading.Event) -> None:
    """Answer with a body that takes its time, from 0 to 2 s."""

    def answer(connection: socket.socket, number: int) -> None:
        with connection:
            while connection.recv(4096):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nbody")
                stopping.wait(number % 5 / 2)
                connection.sendall(b"rest")
                number += 1

    number = 0
    while not stopping.is_set():
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(connection, number), daemon=True).start()
        number += 1


def _ask(address: tuple[str, int], until_s: float) -> None:
    with socket.create_connection(address) as connection:
        while time.monotonic() < until_s:
            connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            received = b""
            while not received.endswith(b"bodyrest"):
                received += connection.recv(4096)


def test_a_scrape_is_not_counted_as_a_request_that_httptop_serves(work: Path, nginx: Nginx) -> None:
    port = free_port()
    with (
        running("--quiet", "--prometheus", str(port), *only(nginx, port)) as run,
        scraping(work, f"127.0.0.1:{port}") as prometheus,
    ):
        assert eventually(lambda: is_well(port), PATIENCE_S)
        load(nginx, "/")
        equal(prometheus, nginx, False)
        own = prometheus.query(f'{DURATION}_count{{server_port="{port}"}}')
        assert own == {}
        run.terminate()
        run.communicate(timeout=PATIENCE_S)


def test_the_alerts_and_rules_have_figures(work: Path, nginx: Nginx) -> None:
    from tests.contrib.test_prometheus import PLACE

    port = free_port()
    with (
        running("--quiet", "--prometheus", str(port), *only(nginx)) as run,
        scraping(work, f"127.0.0.1:{port}", rules=PLACE / "rules.yml") as prometheus,
    ):
        assert eventually(lambda: is_well(port), PATIENCE_S)
        load(nginx, "/users/42")
        equal(prometheus, nginx, False)
        load(nginx, "/users/42")
        rate = "instance_service_route:http_server_requests:rate5m"
        wait_until(
            lambda: (prometheus.value(f'{rate}{{http_route="/users/{{id}}"}}') or 0) > 0, rate
        )
        run.terminate()
        run.communicate(timeout=PATIENCE_S)
