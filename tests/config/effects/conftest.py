"""A host that is made up: httptop as a user starts it, with a feed that does what a test says."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from httptop import console
from httptop.collect.feed import Feed
from httptop.collect.metrics import Metrics
from httptop.config.scope import Scope
from httptop.config.settings import Settings
from httptop.model import EndpointKey, Snapshot
from httptop.run import batch
from tests.factory import snapshot_at
from tests.patience import PATIENCE_S


class ScriptedFeed:
    """Publishes what a script publishes, which runs in the feed's thread."""

    def __init__(self, script: Callable[[ScriptedFeed], None]) -> None:
        self.publish: Callable[[Snapshot], None] = lambda _: None
        self.applied: queue.Queue[Settings] = queue.Queue()
        self.looks_in_flight = False
        self.stopping = threading.Event()
        self.last = snapshot_at(1)
        self._script = script
        self._thread: threading.Thread | None = None

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        def keep(one: Snapshot) -> None:
            self.last = one
            publish(one)

        def run() -> None:
            try:
                self._script(self)
            except BaseException as error:  # noqa: BLE001 - the test shall see it
                fail(error)

        self.publish = keep
        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def apply(self, settings: Settings) -> None:
        self.applied.put(settings)

    def filter_by(self, ready: object) -> None: ...

    def metrics(self, timeout_s: float) -> Metrics | None: ...

    def look_at(self, key: EndpointKey | None) -> None:
        raise NotImplementedError

    def set_window(self, seconds: float) -> None:
        raise NotImplementedError

    def look_in_flight(self, on: bool) -> None:
        self.looks_in_flight = on

    def stop(self) -> Snapshot | None:
        self.stopping.set()
        if self._thread is not None:
            self._thread.join(PATIENCE_S)
        return replace(self.last, final=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home without configuration, of a user who set none of httptop's variables."""
    for name in list(os.environ):
        if name.startswith(("HTTPTOP_", "SUDO_", "XDG_CONFIG")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("httptop.config.load.SYSTEM_FILE", tmp_path / "etc.toml")
    return tmp_path


@pytest.fixture
def live(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Feed]], None]:  # noqa: ARG001
    """Return a function that has httptop trace what another makes of (settings, scope)."""

    def put(make: Callable[[Settings, Scope], Feed]) -> None:
        def open_live(settings: Settings, scope: Scope, *_: object, **__: object) -> Feed:
            return make(settings, scope)

        monkeypatch.setattr("httptop.run.live.open_live", open_live)

    return put


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> queue.Queue[str]:
    """Return the messages of a batch run, besides standard error."""
    messages: queue.Queue[str] = queue.Queue()
    complain = console.complain

    def tell(message: str) -> None:
        complain(message)
        messages.put(message)

    monkeypatch.setattr(batch, "complain", tell)
    return messages
