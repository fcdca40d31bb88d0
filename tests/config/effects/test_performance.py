"""What httptop takes of the CPUs: what the kernel says of its threads and processes."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from tests.live.rights import batch, children, running


def tasks(run_pid: int) -> list[int]:
    """Return all threads of a run and of its helper."""
    processes = [run_pid, *children(run_pid).values()]
    return [int(task) for pid in processes for task in os.listdir(f"/proc/{pid}/task")]


@pytest.mark.ebpf
@pytest.mark.setting("performance.nice")
def test_threads_and_processes_are_as_nice_as_wanted() -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    for wanted in (ours, ours + 3):
        with batch(PERFORMANCE__NICE=str(wanted)) as run:
            found = [os.getpriority(os.PRIO_PROCESS, task) for task in tasks(run.pid)]
            assert len(found) >= 3
            assert set(found) == {wanted}


@pytest.mark.ebpf
@pytest.mark.setting("performance.cpu_affinity")
def test_threads_and_processes_stay_on_the_cpus_wanted() -> None:
    ours = os.sched_getaffinity(0)
    with batch() as run:
        assert all(os.sched_getaffinity(task) == ours for task in tasks(run.pid))
    for cpu in sorted(ours)[:2]:
        with batch(PERFORMANCE__CPU_AFFINITY=str(cpu)) as run:
            assert all(os.sched_getaffinity(task) == {cpu} for task in tasks(run.pid))


@pytest.mark.setting("performance.cpu_affinity")
def test_a_cpu_that_is_not_there_is_a_fault() -> None:
    with running("-b", PERFORMANCE__CPU_AFFINITY="0,4000") as run:
        out, errors = run.communicate(timeout=60)
    assert (run.returncode, out) == (2, "")
    assert errors.startswith("httptop: performance.cpu_affinity: this host has no CPU 4000; it has")


@pytest.mark.ebpf
@pytest.mark.setting("performance.nice")
def test_the_loader_is_as_nice() -> None:
    """It is started before the settings are known, and works the hardest."""
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    seen: set[int] = set()
    with running("-b", "-n", "1", PERFORMANCE__NICE=str(ours + 3)) as run:
        while run.poll() is None:
            with contextlib.suppress(OSError):  # it ends when it likes
                for pid in children(run.pid).values():
                    if b"httptop.bpf.build.loader" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        seen.add(os.getpriority(os.PRIO_PROCESS, pid))
            time.sleep(0.01)
    assert ours + 3 in seen
    assert seen <= {ours, ours + 3}
