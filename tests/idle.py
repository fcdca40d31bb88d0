"""Wait until an app that is tested has nothing left to do, however busy the machine is.

Textual takes a process for idle that has used next to no CPU time in 20 ms, as one has that was
not scheduled.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from textual import _wait, pilot

from tests.patience import PATIENCE_S


async def wait_for_idle(min_sleep: float = _wait.SLEEP_GRANULARITY, max_sleep: float = 1.0) -> None:
    """Wait as Textual does, and until nothing is ready to run on the event loop."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    until_s = time.monotonic() + PATIENCE_S
    while True:
        await _wait.wait_for_idle(min_sleep, max_sleep)
        if not ready or time.monotonic() > until_s:
            return


def see_what_is_ready(patch: pytest.MonkeyPatch) -> None:
    """Have all pauses of tests wait so."""
    patch.setattr(pilot, "wait_for_idle", wait_for_idle)
