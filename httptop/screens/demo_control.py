"""The demo, started from the screen: once, in a thread, and what is said of it."""

from __future__ import annotations

import asyncio

from httptop.screens.base import Httptop, RunControls
from httptop.screens.messages import DemoStarted


class DemoControl:
    """Starts the demo services."""

    def __init__(self, app: Httptop) -> None:
        self._app = app
        self.state = ""  # in words; empty until it is started

    @property
    def is_allowed(self) -> bool:
        """Whether the run allows it."""
        run = self._app.run_controls
        return run is not None and run.can_demo

    def start(self) -> None:
        """Start the services, unless they were."""
        app, run = self._app, self._app.run_controls
        if run is None or not self.is_allowed or self.state:
            return
        self._say("Starting the demo services...")
        app.run_worker(self._run(run), exit_on_error=False)

    async def _run(self, run: RunControls) -> None:
        try:
            await asyncio.to_thread(run.start_demo)
        except Exception as error:  # noqa: BLE001 - whatever it is, the user must see it
            self._app.post_message(DemoStarted(error))
        else:
            self._app.post_message(DemoStarted())

    def started(self, error: BaseException | None) -> None:
        """Say whether it is running."""
        if error is None:
            self._say("The demo services are running; their requests will appear in a moment.")
        else:
            self._say(f"The demo could not be started: {error}")

    def _say(self, text: str) -> None:
        self.state = text
        self._app.refresh_screens()
