"""The containers that processes run in, looked up where somebody looks at a row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from httptop.linux.owners import container_of_process

#: After so many seconds a process is looked at again: its id may be another's.
_LASTS_S: Final = 60.0
_MOST_PROCESSES: Final = 16384


class Containers:
    """Remembers what containers processes run in; for any thread."""

    def __init__(
        self,
        look: Callable[[int], str | None] = container_of_process,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look, self._clock = look, clock
        self._known: dict[int, tuple[str, float]] = {}  # (container, when it is looked up again)

    def of(self, pids: Iterable[int]) -> tuple[str, ...]:
        """Return the containers of some processes, each once, in order; of those known to have one.

        A process that has ended keeps the one that it was last seen in.
        """
        now_s, found = self._clock(), set()
        for pid in pids:
            container, due_s = self._known.get(pid, ("", 0.0))
            if now_s >= due_s:
                seen = self._look(pid)
                container = container if seen is None else seen
                if len(self._known) >= _MOST_PROCESSES:
                    self._known.clear()
                self._known[pid] = container, now_s + _LASTS_S
            found.add(container)
        return tuple(sorted(found - {""}))
