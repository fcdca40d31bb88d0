"""Set how httptop's threads and processes use memory and share the CPUs with others."""

from __future__ import annotations

import gc
import os
from collections.abc import Collection, Iterable, Iterator

from httptop.config.settings import Performance
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


def schedule(performance: Performance, beside: Iterable[int] = ()) -> None:
    """Apply ``performance.nice`` and ``performance.cpu_affinity`` to this process and others.

    ``beside``: the ids of our other processes that have already been started.

    Both belong to a thread; threads and processes that it starts inherit them. So call this before
    starting others. Raises :class:`UsageError` for a CPU that does not exist, and
    :class:`HttptopError` if the nice value is refused.
    """
    tasks = list(_tasks(("self", *map(str, beside))))
    if performance.cpu_affinity:
        _bind(performance.cpu_affinity, tasks)
    if performance.nice:
        _renice(performance.nice, tasks)


def _bind(cpus: Collection[int], tasks: Iterable[int]) -> None:
    online = online_cpus()
    if missing := sorted(set(cpus) - online):
        raise UsageError(
            f"performance.cpu_affinity: this host has no CPU {', '.join(map(str, missing))}; "
            f"it has {', '.join(map(str, sorted(online)))}"
        )
    for task in tasks:
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


def _renice(value: int, tasks: Iterable[int]) -> None:
    for task in tasks:
        try:
            os.setpriority(os.PRIO_PROCESS, task, value)
        except ProcessLookupError:
            continue
        except OSError as error:
            raise HttptopError(
                f"performance.nice: the kernel refuses {value} ({error.strerror}); "
                "values below the current one need root"
            ) from None


def _tasks(processes: Iterable[str]) -> Iterator[int]:
    for process in processes:
        try:
            yield from map(int, os.listdir(f"/proc/{process}/task"))
        except FileNotFoundError:
            continue
