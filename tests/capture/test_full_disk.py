"""A recording that cannot be written: the run goes on, says so, and ends with status 1."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from httptop.cli import main
from httptop.config.scope import Scope
from httptop.config.settings import Settings
from httptop.model import Snapshot
from tests.factory import snapshot_at


class Four:
    """Publishes as many snapshots at once as wait for whoever prints them."""

    def start(
        self,
        publish: Callable[[Snapshot], None],
        fail: Callable[[BaseException], None],  # noqa: ARG002
    ) -> None:
        for number in range(1, 5):
            publish(snapshot_at(number))

    def apply(self, settings: Settings) -> None:
        raise NotImplementedError

    def filter_by(self, ready: object) -> None: ...

    def metrics(self, timeout_s: float) -> None: ...

    def look_at(self, key: object) -> None:
        raise NotImplementedError

    def set_window(self, seconds: float) -> None:
        raise NotImplementedError

    def look_in_flight(self, on: bool) -> None:
        raise NotImplementedError

    def stop(self) -> Snapshot | None:
        return snapshot_at(5, final=True)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have httptop trace what is made up."""

    def open_live(settings: Settings, scope: Scope, *_: object, **__: object) -> Four:  # noqa: ARG001
        return Four()

    for name in list(os.environ):
        if name.startswith(("HTTPTOP_", "SUDO_", "XDG_CONFIG")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("httptop.config.load.SYSTEM_FILE", tmp_path / "etc.toml")
    monkeypatch.setattr("httptop.run.live.open_live", open_live)


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("name", ["a.capture", "a.capture.gz"])
def test_it_is_told_on_all_ways(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("httptop.capture.recorder.LARGEST_FILE", 3000)
    log = tmp_path / "log"
    words = [
        "--format",
        "json",
        "-n",
        "4",
        "--record",
        str(tmp_path / name),
        "--log-file",
        str(log),
    ]
    assert main(["-b", *words]) == 1
    out, err = capfd.readouterr()
    documents = [json.loads(line) for line in out.splitlines()]
    assert len(documents) == 4
    trouble = documents[-1]["notes"][-1]
    assert trouble.endswith(f"cannot record to {tmp_path / name}: it would grow too large")
    assert trouble not in documents[0].get("notes", ())
    assert err == f"httptop: {trouble}\n"
    assert log.read_text().count(trouble) == 1


@pytest.mark.usefixtures("run")
def test_one_that_works_is_no_trouble(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["-b", "-n", "2", "--record", str(tmp_path / "a")]) == 0
    assert capfd.readouterr().err == ""
