"""A terminal without a terminal: the app draws as on a real one, and what it sends is kept."""

from __future__ import annotations

from typing import Any

from textual.drivers.headless_driver import HeadlessDriver


class RecordingDriver(HeadlessDriver):
    """Keeps what is sent; keys and sizes come from a pilot."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take the arguments of HeadlessDriver."""
        super().__init__(*arguments, **named)
        self._sent: list[str] = []

    @property
    def is_headless(self) -> bool:
        """Return False: Textual sends nothing to headless drivers."""
        return False

    def write(self, data: str) -> None:
        """Keep what would go to the terminal."""
        self._sent.append(data)

    def take(self) -> str:
        """Return what was sent since the last time."""
        sent = "".join(self._sent)
        self._sent.clear()
        return sent
