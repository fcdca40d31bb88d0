"""What the settings of the log of requests change: where lines go, and what stands in them."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from httptop.cli import main
from httptop.collect.feed import Feed
from httptop.collect.new_requests import NewRequests
from httptop.model import Health, Snapshot
from tests.config.effects.conftest import ScriptedFeed
from tests.factory import request, snapshot_at

Live = Callable[[Callable[..., Feed]], None]

pytestmark = pytest.mark.usefixtures("home")


def nothing_lost(second: int) -> Snapshot:
    return replace(snapshot_at(second), health=Health())


class Sampled(ScriptedFeed):
    """A live feed with some sampled requests in each of two ticks, and with the last snapshot."""

    def __init__(self, destinations: int) -> None:
        self.new_requests = tuple(NewRequests() for _ in range(destinations))
        super().__init__(self._run)
        self._serial = 0

    def _run(self, feed: ScriptedFeed) -> None:
        for tick in (1, 2):
            self._add(3)
            feed.publish(replace(nothing_lost(tick), recent=(request(99),)))
        self._add(1)

    def _add(self, requests: int) -> None:
        for _ in range(requests):
            self._serial += 1
            head = ("User-Agent: curl/8.5", "Authorization: secret")
            sampled = request(self._serial, request_head=head)
            for new in self.new_requests:
                new.add(sampled)


@pytest.fixture
def sampled(live: Live) -> None:
    """Have runs sample seven requests."""
    live(lambda settings, scope: Sampled(len(settings.request_log.to)))  # noqa: ARG005


@pytest.mark.setting("request_log.to")
@pytest.mark.usefixtures("sampled")
def test_all_sampled_requests_go_where_they_are_asked_for(
    home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    assert (
        main(["--quiet", "-n", "2", "--log", f"requests=a.log,{home}/b", "--log", "requests=./c"])
        == 0
    )
    assert capfd.readouterr() == ("", "")
    for name in ("a.log", "b", "c"):
        found = [json.loads(line) for line in (home / name).read_text().splitlines()]
        assert [one["serial"] for one in found] == list(range(1, 8))
        assert found[0]["target"] == "/users/{id}"  # as captures are redacted
        assert found[0]["request_head"] == ["User-Agent: ***", "Authorization: ***"]


@pytest.mark.usefixtures("sampled")
def test_on_standard_output_are_requests_and_no_snapshots(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for words in ([], ["--format", "json"], ["--quiet"]):
        assert main(["-b", "-n", "2", "--log", "requests", *words]) == 0
        out, err = capfd.readouterr()
        found = [json.loads(line) for line in out.splitlines()]
        assert [one["serial"] for one in found] == list(range(1, 8))
        assert found[0]["target"] == "/users/1"  # as the screen is
        assert err == ""


@pytest.mark.setting("request_log.format")
@pytest.mark.usefixtures("sampled")
def test_the_format_is_that_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    for format, expected in (
        ("%>s %U %{User-agent}i", "200 /users/1 curl/8.5"),
        ("text", '"GET /users/1 HTTP/1.1" 200 1.500ms 2048 nginx[12]'),
    ):
        assert main(["-b", "-n", "2", "--log", "requests", "--log-format", format]) == 0
        assert capfd.readouterr().out.splitlines()[0].endswith(expected)
    assert main(["-b", "--log", "requests", "--log-format", "%h %y"]) == 2
    assert "unknown letter 'y' at character 4" in capfd.readouterr().err


def test_a_dead_destination_ends_no_start_and_a_refused_file_does(
    home: Path, live: Live, capfd: pytest.CaptureFixture[str]
) -> None:
    live(lambda settings, scope: Sampled(len(settings.request_log.to)))  # noqa: ARG005
    assert main(["--quiet", "-n", "2", "--log", f"requests=unix://{home}/nobody"]) == 1
    told = capfd.readouterr().err
    assert "httptop: the request log" in told
    assert "no such file or directory" in told
    (home / "some").write_text("something else\n")
    assert main(["--quiet", "-n", "1", "--log", f"requests={home}/some"]) == 2
    assert "request_log.to: " in (told := capfd.readouterr().err)
    assert "httptop has not written it" in told
    assert main(["-b", "--log", "requests=tcp://a"]) == 2
    assert main(["-b", "--log", "snapshots"]) == 2
    assert "requests or requests=DEST is needed, found 'snapshots'" in capfd.readouterr().err


def test_a_screen_leaves_no_room_on_standard_output(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("httptop.cli.can_draw", lambda _: True)
    assert main(["--log", "requests"]) == 2
    assert "standard output has the screen" in capfd.readouterr().err
    assert main(["--replay", "x", "--export", "csv", "--log", "requests=/a"]) == 2
    assert "--log needs it played" in capfd.readouterr().err
    assert main(["--from", "prometheus:http://127.0.0.1:9", "--log", "requests=/a"]) == 2
    assert "--from and --log exclude each other" in capfd.readouterr().err


def test_a_closed_standard_output_is_told(
    live: Live, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    live(lambda settings, scope: Sampled(len(settings.request_log.to)))  # noqa: ARG005
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["--quiet", "-n", "1", "--log", "requests"]) == 1
    assert "standard output is closed" in capfd.readouterr().err


def test_on_a_hang_up_the_log_goes_on_in_the_file_that_has_the_name(
    home: Path, live: Live, capfd: pytest.CaptureFixture[str]
) -> None:
    file, old = home / "a.log", home / "a.log.1"
    new = NewRequests()

    def script(feed: ScriptedFeed) -> None:
        new.add(request(1))
        feed.publish(nothing_lost(1))
        while not file.read_text():
            feed.stopping.wait(0.001)
        file.rename(old)
        os.kill(os.getpid(), signal.SIGHUP)
        for serial in range(2, 100_000):
            new.add(request(serial))
            feed.publish(nothing_lost(serial))
            if file.exists():
                break
            feed.stopping.wait(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    feed = ScriptedFeed(script)
    feed.new_requests = (new,)  # type: ignore[attr-defined]
    live(lambda settings, scope: feed)  # noqa: ARG005
    assert main(["--quiet", "--log", f"requests={file}"]) == 0
    lines = [json.loads(line) for line in (old.read_text() + file.read_text()).splitlines()]
    serials = [line["serial"] for line in lines]
    assert serials == list(range(1, len(serials) + 1))
    assert json.loads(file.read_text().splitlines()[0])["serial"] > 1
    assert "the configuration was read again" in capfd.readouterr().err
