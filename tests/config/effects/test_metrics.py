"""What the settings of metrics change: where they are served, and to whom."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from dataclasses import replace

import pytest

from httptop.cli import main
from httptop.collect.feed import Feed
from httptop.collect.metrics import Metrics
from tests.config.effects.conftest import ScriptedFeed
from tests.factory import snapshot_at
from tests.output.prometheus.readings import BUSY

Live = Callable[[Callable[..., Feed]], None]


class MeasuredFeed(ScriptedFeed):
    """A feed that has metrics."""

    def metrics(self, timeout_s: float) -> Metrics | None:
        assert timeout_s > 0
        return BUSY


def fetched(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    response = connection.getresponse()
    found = response.status, response.read()
    connection.close()
    return found


@pytest.mark.setting("prometheus.listen")
def test_metrics_are_served_where_asked_for(live: Live, capfd: pytest.CaptureFixture[str]) -> None:
    found: list[tuple[int, bytes]] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    def script(feed: ScriptedFeed) -> None:
        found.append(fetched(port, "/healthz"))
        feed.publish(snapshot_at(1))
        found.append(fetched(port, "/healthz"))
        found.append(fetched(port, "/metrics"))
        feed.publish(replace(snapshot_at(2), uptime_s=2))

    live(lambda *_: MeasuredFeed(script))
    assert main(["--quiet", "--prometheus", str(port), "-n", "2"]) == 0
    assert [status for status, _ in found] == [503, 200, 200]
    assert b'httptop_sink_sent_total{sink="prometheus"} 0\n' in found[2][1]
    assert b'http_server_request_duration_seconds_count{http_route="/users/{id}"' in found[2][1]
    assert capfd.readouterr() == ("", "")
    socket.create_server(("127.0.0.1", port)).close()  # it listens no more


@pytest.mark.usefixtures("home")
def test_neither_a_capture_nor_a_fleet_is_served(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--replay", "some.capture", "--prometheus"]) == 2
    assert capsys.readouterr().err == (
        "httptop: --replay and --prometheus exclude each other: Prometheus asks how things are "
        "now, and a capture is of another time\n"
    )
    assert main(["--from", "prometheus:http://127.0.0.1:1", "--prometheus"]) == 2
    assert "--from and --prometheus exclude each other" in capsys.readouterr().err


@pytest.mark.usefixtures("home")
def test_an_address_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (":9742", "127.0.0.1:0", "web-1:9742", "127.0.0.1", "[::1]"):
        assert main(["-b", "--prometheus", wrong]) == 2
        assert "127.0.0.1:9742 or [::1]:9742" in capsys.readouterr().err
