"""The processes that a run selects by their ids: these processes, whoever has the ids later."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from httptop.config.scope import Scope
from httptop.errors import UsageError
from httptop.filters import Compare, comparisons
from httptop.linux.processes import Process, own_pid_namespace
from httptop.printable import clean

#: A start that no process has.
_NEVER: Final = 0
#: For how many a descriptor is kept.
_MOST_HELD: Final = 64


class Followed:
    """Watches the processes of a run; for one thread at a time."""

    def __init__(self, scope: Scope, clock: Callable[[], float] = time.time) -> None:
        """Find them; ``clock`` returns Unix time.

        Raises :class:`UsageError` if one that must be selected does not exist.
        """
        self._clock = clock
        self._processes: dict[int, Process] = {}
        self._ended: list[str] = []
        #: When each was started, as Process has it; no process is selected by other ids.
        self.starts: dict[int, int] = {}
        needed = {pid for item in scope.kernel for pid in _selected(item)}
        absent = []
        for item in scope.kernel:
            for compared in comparisons(item):
                for pid in _selected(compared):
                    if not self._find(pid) and pid in needed and pid not in absent:
                        absent.append(pid)
        if absent:
            self.close()
            raise UsageError(_absence(sorted(absent)))

    def _find(self, pid: int) -> bool:
        if pid not in self.starts:
            self.starts[pid] = _NEVER
            try:
                hold = len(self._processes) < _MOST_HELD
                self._processes[pid] = found = Process(pid, hold=hold)
            except ProcessLookupError:
                return False
            self.starts[pid] = found.started_ns
        return self.starts[pid] != _NEVER

    def news(self) -> tuple[str, ...]:
        """Return a sentence for each that has ended."""
        for pid, process in list(self._processes.items()):
            if process.has_ended:
                at = time.strftime("%H:%M:%S", time.localtime(self._clock()))
                self._ended.append(f"process {pid} ({clean(process.name)}) ended at {at}")
                self._processes.pop(pid).close()
        return tuple(self._ended)

    def close(self) -> None:
        """Let go of the processes; idempotent."""
        for process in self._processes.values():
            process.close()
        self._processes = {}


def _selected(item: object) -> Iterator[int]:
    """Yield the ids that a comparison selects; a range is one of numbers."""
    if isinstance(item, Compare) and (item.name, item.operator) == ("pid", "="):
        for value in item.values:
            if value.low == value.high:
                yield int(value.low)


def _absence(pids: list[int]) -> str:
    within = "" if own_pid_namespace() is None else " in httptop's process id namespace"
    return f"no process{'es' if len(pids) > 1 else ''} {', '.join(map(str, pids))}{within}"
