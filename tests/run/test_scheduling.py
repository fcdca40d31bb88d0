"""CPU affinity and niceness: what is refused, and that threads and helpers are included."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from httptop.config.settings import Performance
from httptop.errors import HttptopError, UsageError
from httptop.linux.cpus import online_cpus
from httptop.run.scheduling import schedule

SCHEDULED = """
import os, subprocess, sys, threading
from httptop.run.scheduling import schedule
from httptop.config.settings import Performance
helper = subprocess.Popen(["sleep", "60"])
before = min(os.sched_getaffinity(0))
schedule(Performance(nice=7, cpu_affinity=(before,)), [helper.pid])
seen = []
def look():
    seen.append((os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0)))
later = threading.Thread(target=look)
later.start()
later.join()
look()
seen.append((os.getpriority(os.PRIO_PROCESS, helper.pid), os.sched_getaffinity(helper.pid)))
helper.kill()
assert seen == [(7, {before})] * 3, seen
"""


def test_threads_to_come_and_helpers_are_scheduled_alike() -> None:
    subprocess.run([sys.executable, "-c", SCHEDULED], check=True, timeout=60)


def test_a_cpu_that_is_not_there_is_named() -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(UsageError, match=r"cpu_affinity: this host has no CPU 4000; it has "):
        schedule(Performance(cpu_affinity=(min(online_cpus()), 4000)))
    assert os.sched_getaffinity(0) == before


def test_defaults_change_nothing() -> None:
    before = os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)
    schedule(Performance())
    assert (os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to stop being it")
def test_a_nice_value_that_is_refused_says_so() -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setresuid(65534, 65534, 65534)
            try:
                schedule(Performance(nice=-5))
            except HttptopError as error:
                status = 0 if "performance.nice: the kernel refuses -5" in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
