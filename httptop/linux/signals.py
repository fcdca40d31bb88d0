"""What signals do, before and while there is an event loop."""

from __future__ import annotations

import contextlib
import functools
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


def end_at_interrupt() -> None:
    """Have SIGINT end the process as SIGTERM does, by itself, until it is handled.

    Python would raise an error wherever it is, in an import, too. An ignored one stays ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def handled(
    loop: asyncio.AbstractEventLoop,
    handlers: Mapping[signal.Signals, Callable[[], object]],
    at_once: Callable[[int], object],
) -> Iterator[None]:
    """Have the loop call a function when a signal comes; for the main thread.

    The loop's own handlers have a wakeup descriptor: each signal of the process, alarms included,
    writes a byte into it, and once it is full a signal may be lost. ``at_once`` is called where the
    signal finds the thread, which may wait for what never comes.
    """
    former = {
        number: signal.signal(number, functools.partial(_call, loop, at_once, handle))
        for number, handle in handlers.items()
    }
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _call(
    loop: asyncio.AbstractEventLoop,
    at_once: Callable[[int], object],
    handle: Callable[[], object],
    number: int,
    _: object,
) -> None:
    at_once(number)
    loop.call_soon_threadsafe(handle)
