"""Messages from other threads to the app."""

from __future__ import annotations

from textual.message import Message

from httptop.config.reload import Reload


class SnapshotArrived(Message):
    """The feed published a snapshot. A slow screen skips to the newest one."""


class FeedFailed(Message):
    """The feed ended with an error; there will be no more snapshots."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        super().__init__()


class StartStep(Message):
    """The start of the run has begun its next step, one of ``widgets.empty_state.STEPS``."""

    def __init__(self, step: str) -> None:
        self.step = step
        super().__init__()


class DemoStarted(Message):
    """The demo services were started, or could not be (``error``)."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        super().__init__()


class Said(Message):
    """Something is to be told to the user."""

    def __init__(self, text: str, *, wrong: bool) -> None:
        self.text, self.wrong = text, wrong
        super().__init__()


class SettingsReloaded(Message):
    """The configuration was read again."""

    def __init__(self, reload: Reload) -> None:
        self.reload = reload
        super().__init__()
