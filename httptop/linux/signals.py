"""Signals that an event loop handles, without a wakeup descriptor.

The loop's own handlers have one: each signal of the process, alarms included, writes a byte into
it, and once it is full a signal may be lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
from collections.abc import Callable, Iterator, Mapping


@contextlib.contextmanager
def handled(
    loop: asyncio.AbstractEventLoop, handlers: Mapping[signal.Signals, Callable[[], object]]
) -> Iterator[None]:
    """Have the loop call a function when a signal comes; for the main thread."""
    former = {
        number: signal.signal(number, functools.partial(_call, loop, handle))
        for number, handle in handlers.items()
    }
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _call(loop: asyncio.AbstractEventLoop, handle: Callable[[], object], *_: object) -> None:
    loop.call_soon_threadsafe(handle)
