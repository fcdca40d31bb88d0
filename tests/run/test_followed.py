"""--pid selects processes, not numbers."""

from __future__ import annotations

import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from httptop.config.scope import limited
from httptop.errors import UsageError
from httptop.linux.processes import Process
from httptop.run.followed import Followed


def unused_pids() -> tuple[int, int]:
    """Return two numbers that no process has: they are beyond the largest."""
    most = int(Path("/proc/sys/kernel/pid_max").read_text())
    return most + 1, most + 2


def test_one_that_is_not_there_is_an_error() -> None:
    one, two = unused_pids()
    ours = os.getpid()
    before = len(os.listdir("/proc/self/fd"))
    for filter_, why in (
        (f"pid = {one},{ours}", f"no process {one}"),
        (f"pid = {two} and pid = {one},{ours} and comm = x", f"no processes {one}, {two}"),
    ):
        with pytest.raises(UsageError) as error:
            Followed(limited(filter_))
        assert str(error.value) == why
        assert error.value.exit_status == 2
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("filter_", ["not pid = {}", "pid = {} or port = 80"])
def test_one_that_need_not_be_there_is_never_selected(filter_: str) -> None:
    one, _ = unused_pids()
    followed = Followed(limited(filter_.format(one)))
    assert followed.starts == {one: 0}
    assert followed.news() == ()


def test_a_filter_without_ids_follows_nothing() -> None:
    for filter_ in ("pid != 1", "pid >= 7", "pid = 2-9", "method = GET"):
        assert Followed(limited(filter_)).starts == {}


def test_a_thread_is_no_process() -> None:
    with ThreadPoolExecutor(1) as pool:
        thread = pool.submit(threading.get_native_id).result()
        with pytest.raises(UsageError, match=f"no process {thread}$"):
            Followed(limited(f"pid = {thread}"))


@pytest.mark.parametrize("hold", [True, False])
def test_its_end_is_told_once_and_for_all(hold: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("httptop.run.followed._MOST_HELD", int(hold))
    before = len(os.listdir("/proc/self/fd"))
    with subprocess.Popen(["sleep", "60"]) as child:
        while Path(f"/proc/{child.pid}/comm").read_text() != "sleep\n":
            pass  # it is about to become that
        followed = Followed(limited(f"pid = {child.pid}"), lambda: 0.0)
        assert len(os.listdir("/proc/self/fd")) == before + hold
        started = int(Path(f"/proc/{child.pid}/stat").read_text().split()[21]) * 10_000_000
        assert followed.starts == {child.pid: started}
        assert followed.news() == ()
        child.kill()
        child.wait()
    (told,) = followed.news()
    assert told.startswith(f"process {child.pid} (sleep) ended at ")
    assert followed.news() == (told,)
    followed.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_nobody_has_number_0_and_none_is_negative() -> None:
    for pid in (0, -1, 1 << 40):
        with pytest.raises(ProcessLookupError):
            Process(pid)
