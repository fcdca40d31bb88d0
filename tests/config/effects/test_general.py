"""What the settings of the run as a whole change: its pace, its end, its log, its output."""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from httptop.capture.opening import read_capture
from httptop.cli import main
from httptop.collect.feed import Feed
from httptop.collect.source import RawResponse
from httptop.collector import Collector
from httptop.config.load import build
from httptop.model import Health
from httptop.output.json import to_json
from tests.collect.cells import FakeSource, Reading, answered, collecting, delta, endpoint
from tests.config.effects.conftest import ScriptedFeed
from tests.factory import endpoint as made
from tests.factory import key, request, row, snapshot_at
from tests.patience import PATIENCE_S

Live = Callable[[Callable[..., Feed]], None]


def traffic(requests: int) -> Reading:
    """Return a reading with so many more requests of one endpoint."""
    return Reading(
        endpoints={5: endpoint("/a")},
        responses={6: RawResponse(5, 200)},
        deltas=[delta(5, counted=requests), answered(6, requests)],
    )


def hang_up() -> None:
    os.kill(os.getpid(), signal.SIGHUP)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.setting("general.enabled")
@pytest.mark.usefixtures("home")
def test_disabled_it_says_so_and_does_nothing(
    live: Live, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[object] = []
    live(lambda *asked: started.append(asked))  # type: ignore[arg-type]
    monkeypatch.setenv("HTTPTOP_GENERAL__ENABLED", "false")
    assert main(["-b", "--demo"]) == 0
    assert capsys.readouterr() == (
        "",
        "httptop: general.enabled is false (HTTPTOP_GENERAL__ENABLED): nothing to do\n",
    )
    assert started == []
    assert main(["--print-config"]) == 0
    assert "general.enabled = false" in capsys.readouterr().out


@pytest.mark.setting("general.tick")
def test_snapshots_come_once_a_tick(live: Live, capfd: pytest.CaptureFixture[str]) -> None:
    live(lambda settings, scope: Collector(FakeSource(), settings, scope))
    for tick in ("100ms", "250ms"):
        assert main(["-b", "-n", "3", "--format", "json", "-d", tick]) == 0
        lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
        tick_s = int(tick.removesuffix("ms")) / 1000
        assert [line["interval_s"] for line in lines] == [tick_s] * 3
        # Each may be late, and none comes before its time.
        for number, line in enumerate(lines[:-1], 1):
            assert line["uptime_s"] >= number * tick_s - 0.001


@pytest.mark.setting("general.window")
def test_rates_and_latencies_cover_the_window() -> None:
    for window_s, requests, rps in ((10.0, 0, 0.0), (60.0, 40, 2.0)):
        made = collecting(traffic(40), settings=build({"general.window": window_s}))
        made.step(1001.0, 1001.0)
        shown = json.loads(to_json(made.step(1020.0, 1020.0)))
        assert shown["window_s"] == window_s
        (row,) = shown["endpoints"]
        assert (row["requests"], row["rps"]) == (40, rps)
        assert row["latency_ms"]["count"] == requests
        assert row["latency_total_ms"]["count"] == 40


@pytest.mark.setting("output.format")
def test_batch_prints_text_or_json(live: Live, capfd: pytest.CaptureFixture[str]) -> None:
    live(lambda settings, scope: ScriptedFeed(lambda feed: feed.publish(snapshot_at(1))))  # noqa: ARG005
    assert main(["-b", "-n", "1"]) == 0
    text = capfd.readouterr().out
    assert "/users/{id}" in text
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(text)
    assert main(["-b", "-n", "1", "--format", "json"]) == 0
    assert json.loads(capfd.readouterr().out)["schema"] == 1


@pytest.mark.setting("output.active")
def test_batch_prints_active_endpoints_only_if_asked(
    live: Live, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = (row(key("/a"), {200: 7}), replace(row(key("/b"), {200: 9}), rps=0.0, in_flight=0))
    shown = snapshot_at(1, rows)
    live(lambda settings, scope: ScriptedFeed(lambda feed: feed.publish(shown)))  # noqa: ARG005
    for words, paths in ((["--active"], ["/a"]), ([], ["/b", "/a"])):
        assert main(["-b", "-n", "1", "--format", "json", *words]) == 0
        printed = json.loads(capfd.readouterr().out)
        assert [one["path"] for one in printed["endpoints"]] == paths
        assert printed["totals"]["server"]["requests"] == 16
        assert main(["-b", "-n", "1", *words]) == 0
        text = capfd.readouterr().out
        assert [path for path in ("/b", "/a") if f" {path} " in text] == paths


@pytest.mark.setting("output.quiet")
def test_a_quiet_run_writes_only_the_outputs_asked_for(
    home: Path,
    live: Live,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live(lambda settings, scope: ScriptedFeed(lambda feed: feed.publish(snapshot_at(1))))  # noqa: ARG005
    monkeypatch.setattr("httptop.cli.can_draw", lambda _: True)  # --quiet means batch
    file = home / "some.capture"
    assert main(["--quiet", "-n", "1", "--record", str(file)]) == 0
    assert capfd.readouterr() == ("", "")
    with file.open("rb") as opened:
        assert [snapshot.final for snapshot in read_capture(opened)] == [False, True]
    log = home / "log"
    monkeypatch.setattr(sys, "stdout", None)  # nor does it need one
    assert main(["-b", "--set", "output.quiet=true", "-n", "1", "--log-file", str(log)]) == 0
    assert log.read_text().splitlines()[-1].endswith(" info httptop ends")
    assert main(["--quiet"]) == 2
    assert capfd.readouterr() == (
        "",
        "httptop: a quiet run needs an output: --record FILE writes a capture, --export FORMAT "
        "a report, --log requests=DEST a line for each sampled request, --log-file FILE what "
        "httptop has to say; --prometheus serves metrics, --otlp URL pushes them\n",
    )


@pytest.mark.setting("output.sort")
def test_batch_prints_endpoints_in_the_order_asked_for(
    live: Live, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = (
        made(key("/a"), rps=50.0, p50_ms=9.0),
        made(key("/c"), rps=99.0, p50_ms=1.0),
        made(key("/b"), rps=1.0, p50_ms=70.0),
    )
    live(lambda s, c: ScriptedFeed(lambda feed: feed.publish(snapshot_at(1, rows))))  # noqa: ARG005
    for words, paths in (
        ([], ["/c", "/a", "/b"]),
        (["--sort", "p99"], ["/b", "/a", "/c"]),
        (["--sort", "path"], ["/a", "/b", "/c"]),
        (["--set", "output.sort=rps"], ["/c", "/a", "/b"]),
    ):
        assert main(["-b", "-n", "1", "--format", "json", *words]) == 0
        printed = json.loads(capfd.readouterr().out)["endpoints"]
        assert [one["path"] for one in printed] == paths
        assert main(["-b", "-n", "1", *words]) == 0
        text = capfd.readouterr().out
        assert sorted(paths, key=lambda path: text.index(f" {path} ")) == paths


@pytest.mark.setting("general.shutdown_timeout")
@pytest.mark.parametrize(("timeout", "read"), [("1s", False), ("60s", True)])
def test_the_last_snapshot_has_so_long_to_be_read(
    timeout: str, read: bool, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    got: list[bytes] = []

    def gather() -> None:
        while more := os.read(reader, 1 << 16):
            got.append(more)

    late = threading.Timer(1.0, gather)

    def script(feed: ScriptedFeed) -> None:
        rows = tuple(snapshot_at(1).endpoints) * 2000  # more than a pipe holds
        feed.publish(replace(snapshot_at(1), endpoints=rows))
        terminate()
        if read:
            late.start()

    live(lambda settings, scope: ScriptedFeed(script))  # noqa: ARG005
    with monkeypatch.context() as patched, open(writer, "w") as output:
        patched.setattr(sys, "stdout", output)
        # With a second it ends although nobody reads.
        assert main(["-b", "--format", "json", "--set", f"general.shutdown_timeout={timeout}"]) == 0
    if read:
        late.join(PATIENCE_S)
        last = b"".join(got).splitlines()[-1]
        assert json.loads(last)["final"] is True
    else:
        assert b"\n" not in os.read(reader, 1 << 20)  # what fitted into the pipe
    os.close(reader)


@pytest.mark.setting("general.log_file", "general.log_level")
def test_the_log_tells_as_much_as_it_is_to(home: Path, live: Live) -> None:
    def script(feed: ScriptedFeed) -> None:
        feed.publish(replace(snapshot_at(1), notes=(), health=Health()))
        feed.publish(replace(snapshot_at(2), notes=(), health=Health(lost_samples=3)))

    live(lambda settings, scope: ScriptedFeed(script))  # noqa: ARG005
    words = ["-b", "-n", "2", "--filter", "path = /a"]
    assert main(words) == 0
    assert sorted(os.listdir(home)) == []
    weights: dict[str, list[str]] = {}
    for level in ("error", "warning", "info", "debug"):
        log = home / f"{level}.log"
        assert main([*words, "--log-file", str(log), "--set", f"general.log_level={level}"]) == 0
        weights[level] = [line.split(" ", 1)[1] for line in log.read_text().splitlines()]
    assert weights["error"] == []
    assert weights["warning"] == [
        "warning samples lost: 3, and counting",
        "warning samples lost: 3, no more for now",
    ]
    assert weights["info"][1:3] == [
        'info general.log_file = "' + str(home / "info.log") + '"',
        'info filter.expression = "path = /a"',
    ]
    assert weights["info"][-1] == "info httptop ends"
    assert set(weights["warning"]) < set(weights["info"])
    assert any(line.startswith("debug snapshot at 1.0 s: ") for line in weights["debug"])


@pytest.mark.setting("security.redact_captures")
def test_a_capture_is_redacted_at_least_so_strictly(home: Path, live: Live) -> None:
    raw = request(1, path="/users/42?a=s3cr3t", request_head=("Host: h", "Cookie: s3cr3t"))

    def script(feed: ScriptedFeed) -> None:
        feed.publish(replace(snapshot_at(1), recent=(raw,)))

    live(lambda settings, scope: ScriptedFeed(script))  # noqa: ARG005
    strict = ("/users/{id}?***", ("Host: ***", "Cookie: ***"))
    default = ("/users/42?a=***", ("Host: h", "Cookie: ***"))
    for captures, screen, (path, head) in (
        (None, "off", strict),
        ("strict", "default", strict),
        ("default", "off", default),
        ("off", "default", default),
        ("off", "strict", strict),
        ("off", "off", (raw.path, raw.request_head)),
    ):
        file = home / f"{captures}-{screen}"
        words = ["-b", "-n", "1", "--redact", screen, "--record", str(file)]
        if captures is not None:
            words += ["--set", f"security.redact_captures={captures}"]
        assert main(words) == 0
        with file.open("rb") as opened:
            *_, last = read_capture(opened)
        (written,) = last.recent
        assert (written.path, written.request_head) == (path, head)
    assert b"s3cr3t" not in (home / "None-off").read_bytes()


def test_a_log_that_cannot_be_written_ends_it_at_once(
    home: Path, live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    live(lambda settings, scope: 1 // 0)  # type: ignore[arg-type, return-value]  # noqa: ARG005
    assert main(["-b", "--log-file", str(home)]) == 2
    assert capsys.readouterr().err == (f"httptop: general.log_file: {home}: is a directory\n")


# Settings that change while it runs


def test_on_a_signal_batch_follows_and_names_what_it_cannot(
    home: Path, live: Live, told: queue.Queue[str], capfd: pytest.CaptureFixture[str]
) -> None:
    file = home / "my.toml"
    file.write_text("general.auto_reload = false\n")

    def script(feed: ScriptedFeed) -> None:
        feed.publish(snapshot_at(1))
        file.write_text(
            "[general]\nauto_reload = false\ntick = '2s'\nwindow = '5s'\n[output]\nformat = 'json'"
        )
        hang_up()
        assert feed.applied.get(timeout=PATIENCE_S).general.tick_s == 2
        assert "again: general.tick" in told.get(timeout=PATIENCE_S)
        told.get(timeout=PATIENCE_S)
        feed.publish(snapshot_at(2))
        file.write_text("[general]\ntik = 1")
        hang_up()
        assert "has errors" in told.get(timeout=PATIENCE_S)
        told.get(timeout=PATIENCE_S)
        feed.publish(snapshot_at(3))
        terminate()

    live(lambda settings, scope: ScriptedFeed(script))  # noqa: ARG005
    log = home / "log"
    assert main(["-b", "--config", str(file), "--log-file", str(log)]) == 0
    out, err = capfd.readouterr()
    assert err.splitlines() == [
        'httptop: the configuration was read again: general.tick = "2s", output.format = "json"',
        "httptop: only a restart changes general.window",
        "httptop: the configuration has errors; the settings are unchanged:",
        f"httptop: {file}:2: general.tik: unknown key; did you mean 'tick'?",
    ]
    for line in err.splitlines():
        assert line.removeprefix("httptop: ") in log.read_text()
    text, *lines = out.split("\n{")
    assert "/users/{id}" in text
    assert next(json.loads("{" + line)["uptime_s"] for line in lines) == 2


@pytest.mark.setting("general.auto_reload")
@pytest.mark.parametrize("auto", [True, False])
def test_a_file_that_changes_is_read_again_if_wanted(
    auto: bool, home: Path, live: Live, told: queue.Queue[str]
) -> None:
    file = home / ".config" / "httptop" / "config.toml"
    seen: list[str] = []

    def script(feed: ScriptedFeed) -> None:
        feed.publish(snapshot_at(1))
        file.parent.mkdir(parents=True)
        file.write_text("[sampling]\nper_second = 7")  # it was not there before
        try:
            seen.append(told.get(timeout=PATIENCE_S if auto else 2))
        except queue.Empty:
            seen.append("")
        terminate()

    live(lambda settings, scope: ScriptedFeed(script))  # noqa: ARG005
    words = [] if auto else ["--set", "general.auto_reload=false"]
    assert main(["-b", *words]) == 0
    assert ["again: sampling.per_second = 7" in message for message in seen] == [auto]


def test_flags_and_environment_go_on_to_win(
    home: Path, live: Live, told: queue.Queue[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / "my.toml"
    file.write_text("")
    monkeypatch.setenv("HTTPTOP_SAMPLING__BURST", "9")

    def script(feed: ScriptedFeed) -> None:
        feed.publish(snapshot_at(1))
        file.write_text("general.tick = '3s'\nsampling = {burst = 8, per_second = 7}")
        hang_up()
        applied = feed.applied.get(timeout=PATIENCE_S)
        assert (applied.general.tick_s, applied.sampling.burst) == (2, 9)
        assert applied.sampling.per_second == 7
        assert told.get(timeout=PATIENCE_S).endswith("again: sampling.per_second = 7")
        terminate()

    live(lambda settings, scope: ScriptedFeed(script))  # noqa: ARG005
    assert main(["-b", "--config", str(file), "-d", "2"]) == 0
