"""CPU affinity and niceness: what is refused, and that threads and helpers are included."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from httptop.errors import HttptopError, UsageError
from httptop.linux.cpus import online_cpus
from httptop.run.scheduling import bind, renice
from tests.patience import PATIENCE_S

SCHEDULED = """
import os, subprocess, sys, threading
from httptop.run.scheduling import bind, renice
helper = subprocess.Popen(["sleep", "60"])
before = min(os.sched_getaffinity(0))
bind((before,), [helper.pid])
renice(7, [helper.pid])
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
    subprocess.run([sys.executable, "-c", SCHEDULED], check=True, timeout=PATIENCE_S)


def test_a_cpu_that_is_not_there_is_named() -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(UsageError, match=r"cpu_affinity: this host has no CPU 4000; it has "):
        bind((min(online_cpus()), 4000))
    assert os.sched_getaffinity(0) == before


def test_nothing_asked_changes_nothing() -> None:
    before = os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)
    bind(())
    renice(0)
    assert (os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)) == before


NICE_ALREADY = """
import os
from httptop.run.scheduling import renice
os.nice(15)
before = os.getpriority(os.PRIO_PROCESS, 0)
renice(10)
assert os.getpriority(os.PRIO_PROCESS, 0) == before
"""


def test_who_is_nice_already_stays_so() -> None:
    subprocess.run([sys.executable, "-c", NICE_ALREADY], check=True, timeout=PATIENCE_S)


IN_A_SESSION = """
import re
from pathlib import Path
from httptop.run.scheduling import renice
def group():
    return re.fullmatch(r"(/autogroup-[0-9]+) nice (-?[0-9]+)", own.read_text().strip()).groups()
own = Path("/proc/self/autogroup")
name, nice = group()
renice({value})
print(nice, group()[1])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: others may do this every 100 ms only")
@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="no groups by session here")
@pytest.mark.parametrize(("leads", "value"), [(True, 10), (True, 4), (False, 10)])
def test_a_session_of_its_own_gives_way_as_a_whole(leads: bool, value: int) -> None:
    """Where the kernel groups tasks by session, their nice values do not count beyond it."""
    text = IN_A_SESSION.replace("{value}", str(value))
    command = [sys.executable, "-c", text] if leads else ["sh", "-c", '"$@"; exit', "sh"]
    command += [] if leads else [sys.executable, "-c", text]
    done = subprocess.run(
        command,
        check=True,
        timeout=PATIENCE_S,
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    before, after = done.stdout.split()
    assert int(after) == (value if leads else int(before))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to stop being it")
def test_a_nice_value_that_is_refused_says_so() -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setresuid(65534, 65534, 65534)
            try:
                renice(-5)
            except HttptopError as error:
                status = 0 if "performance.nice: the kernel refuses -5" in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
