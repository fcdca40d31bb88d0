"""Between whoever makes snapshots (collector, replay) and whoever shows them (app, batch)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from httptop.config.settings import Settings
from httptop.model import Snapshot


class Feed(Protocol):
    """A maker of snapshots, running in a thread of its own."""

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        """Begin; call ``publish`` once a tick and ``fail`` at most once, from another thread."""

    def apply(self, settings: Settings) -> None:
        """Go on with other settings, of which only those count that can change live."""

    def stop(self) -> Snapshot | None:
        """End, detach the probes and return the last snapshot (``final`` set); idempotent."""
