"""Set how httptop's threads and processes use memory and share the CPUs with others."""

from __future__ import annotations

import contextlib
import gc
import os
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from httptop.errors import HttptopError, UsageError
from httptop.linux.cpus import online_cpus


def settle_memory() -> None:
    """Exempt imported objects from garbage collection and run it less often.

    A tick creates thousands of objects and no cycles. With 5,000 endpoints the default thresholds
    cost 60 ms a tick, these 4 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def bind(cpus: Collection[int], beside: Iterable[int] = ()) -> None:
    """Have this process and others run on these CPUs only; none: on any.

    ``beside``: the ids of our other processes that have already been started. Threads and processes
    that any of these starts inherit it. Raises :class:`UsageError` for a CPU that does not exist,
    or that httptop may not use.
    """
    if not cpus:
        return
    online = online_cpus()
    if missing := sorted(set(cpus) - online):
        raise UsageError(
            f"performance.cpu_affinity: this host has no CPU {', '.join(map(str, missing))}; "
            f"it has {', '.join(map(str, sorted(online)))}"
        )
    for task in _tasks(("self", *map(str, beside))):
        try:
            os.sched_setaffinity(task, cpus)
            allowed = os.sched_getaffinity(task)
        except ProcessLookupError:
            continue
        except OSError:
            allowed = set()
        if missing := sorted(set(cpus) - allowed):
            raise UsageError(
                f"performance.cpu_affinity: httptop may not use CPU "
                f"{', '.join(map(str, missing))}: its control group (cpuset) excludes it"
            )


def renice(value: int, beside: Iterable[int] = ()) -> None:
    """Give this process and others a nice value, -20 to 19; 0: leave theirs.

    ``beside`` as in :func:`bind`. A task that gives way more already, as one started by nice(1)
    does, goes on doing so. Raises :class:`HttptopError` if the value is refused: those below the
    current one need root.
    """
    if not value:
        return
    for task in _tasks(("self", *map(str, beside))):
        try:
            if value < 0 or value > os.getpriority(os.PRIO_PROCESS, task):
                os.setpriority(os.PRIO_PROCESS, task, value)
        except ProcessLookupError:
            continue
        except OSError as error:
            raise HttptopError(
                f"performance.nice: the kernel refuses {value} ({error.strerror}); "
                "values below the current one need root"
            ) from None
    for process in (os.getpid(), *beside):
        if _has_a_session(process):
            _renice_session(process, value)


def _has_a_session(process: int) -> bool:
    """Return whether a process of ours shares its session with nothing but what belongs to it."""
    try:
        leader = os.getsid(process)
        if leader == process:
            return True
        # sudo gives a command a terminal of its own, and stays as the leader of that session.
        parent = leader == os.getppid() and process == os.getpid()
        return parent and Path(f"/proc/{leader}/comm").read_text() == "sudo\n"
    except OSError:
        return False


def _renice_session(process: int, value: int) -> None:
    """Give the session of a process a nice value, where the kernel groups tasks by session.

    There (``kernel.sched_autogroup_enabled``) the nice value of a task counts among those of its
    session only. Where the kernel does not, or refuses, nothing changes.
    """
    group = Path(f"/proc/{process}/autogroup")
    with contextlib.suppress(OSError):
        known = re.search(r"nice (-?\d+)", group.read_text())
        if known is not None and (value < 0 or value > int(known[1])):
            group.write_text(str(value))


def _tasks(processes: Iterable[str]) -> Iterator[int]:
    for process in processes:
        try:
            yield from map(int, os.listdir(f"/proc/{process}/task"))
        except FileNotFoundError:
            continue
