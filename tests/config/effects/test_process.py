"""What httptop may do and what it takes of the CPUs: what the kernel says of it while it runs.

Two runs are looked at: one with every setting as it is without a configuration, one in which these
settings are others.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from httptop.config.settings import DEFAULTS
from tests.live.command import (
    NOBODY,
    NOTHING,
    batch,
    children,
    field,
    running,
    screen,
    status,
    threads,
)
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.xdist_group("commands")

BPF_AND_PERFMON: Final = f"{3 << 38:016x}"
SETS: Final = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
NICER: Final = 3
LOADER: Final = b"httptop.bpf.build.loader"


def users() -> tuple[pwd.struct_passwd, pwd.struct_passwd]:
    """Return two users who are neither root nor nobody."""
    first, second, *_ = (one for one in pwd.getpwall() if one.pw_uid not in (0, NOBODY))
    return first, second


def ids(uid: int) -> set[str]:
    return {" ".join([str(uid)] * 4)}


def tasks(run: subprocess.Popen[str]) -> list[int]:
    """Return all threads of a run and of its helper."""
    processes = [run.pid, *children(run.pid).values()]
    return [int(task) for pid in processes for task in os.listdir(f"/proc/{pid}/task")]


def cpus(run: subprocess.Popen[str]) -> set[frozenset[int]]:
    return {frozenset(os.sched_getaffinity(task)) for task in tasks(run)}


def niceness(run: subprocess.Popen[str]) -> set[int]:
    return {os.getpriority(os.PRIO_PROCESS, task) for task in tasks(run)}


@pytest.fixture(scope="module")
def plain() -> Iterator[subprocess.Popen[str]]:
    with batch() as run:
        yield run


@pytest.fixture(scope="module")
def changed() -> Iterator[subprocess.Popen[str]]:
    """A run with other settings, which another user than the named one has started by sudo."""
    named, invoker = users()
    with batch(
        SECURITY__USER=named.pw_name,
        SECURITY__KEEP_NO_CAPABILITIES="false",
        SECURITY__SECCOMP="false",
        PERFORMANCE__NICE=str(os.getpriority(os.PRIO_PROCESS, 0) + NICER),
        PERFORMANCE__CPU_AFFINITY=str(max(os.sched_getaffinity(0))),
        SUDO_UID=str(invoker.pw_uid),
        SUDO_GID=str(invoker.pw_gid),
    ) as run:
        yield run


@pytest.mark.ebpf
@pytest.mark.setting("security.drop_privileges")
def test_root_is_given_up(plain: subprocess.Popen[str]) -> None:
    assert field(plain, "Uid") == field(plain, "Gid") == ids(NOBODY)
    assert field(plain, "NoNewPrivs") == {"1"}
    assert {fields[name] for fields in threads(plain.pid) for name in SETS} == {NOTHING}
    assert list(children(plain.pid)) == ["httptop-helper"]


@pytest.mark.ebpf
@pytest.mark.setting("security.drop_privileges", "security.allow_root_ui")
def test_root_is_kept_where_that_is_switched_off() -> None:
    """Batch mode is not a screen, which may be forbidden to be root's."""
    with batch(SECURITY__DROP_PRIVILEGES="false", SECURITY__ALLOW_ROOT_UI="false") as run:
        assert field(run, "Uid") == ids(0)
        assert NOTHING not in field(run, "CapEff")
        assert children(run.pid) == {}


@pytest.mark.ebpf
@pytest.mark.setting("security.user")
def test_the_user_to_become_is_the_one_named(changed: subprocess.Popen[str]) -> None:
    named, _ = users()
    assert field(changed, "Uid") == ids(named.pw_uid)
    assert field(changed, "Gid") == ids(named.pw_gid)
    groups = sorted(os.getgrouplist(named.pw_name, named.pw_gid))
    assert field(changed, "Groups") == {" ".join(map(str, groups))}


@pytest.mark.ebpf
@pytest.mark.setting("security.keep_no_capabilities")
def test_two_capabilities_are_kept_by_the_thread_that_reads_the_maps(
    plain: subprocess.Popen[str], changed: subprocess.Popen[str]
) -> None:
    assert field(plain, "CapPrm") == {NOTHING}
    kept = {fields["Name"]: fields["CapEff"] for fields in threads(changed.pid)}
    assert field(changed, "CapEff") == field(changed, "CapPrm") == {NOTHING, BPF_AND_PERFMON}, kept
    assert field(changed, "CapInh") == field(changed, "CapAmb") == {NOTHING}


@pytest.mark.ebpf
@pytest.mark.setting("security.seccomp")
def test_each_thread_of_each_process_is_restricted_to_its_system_calls(
    plain: subprocess.Popen[str], changed: subprocess.Popen[str]
) -> None:
    for run, filtered in ((plain, "2"), (changed, "0")):
        assert field(run, "Seccomp") == {filtered}
        assert {status(pid)["Seccomp"] for pid in children(run.pid).values()} == {filtered}


@pytest.mark.ebpf
@pytest.mark.setting("security.allow_root_ui")
def test_a_screen_that_would_be_roots_is_refused_if_asked() -> None:
    stays_root = {"SECURITY__DROP_PRIVILEGES": "false"}
    ends = ("-d", "0.2", "-n", "2")
    code, shown = screen(*ends, SECURITY__ALLOW_ROOT_UI="false", **stays_root)
    assert code == 1
    assert shown.endswith(  # behind who can change what root runs here, if anybody can
        "httptop: the screen may not run as root (security.allow_root_ui is false), and root "
        "is not given up: security.drop_privileges is false\r\n"
    )
    assert "\x1b" not in shown
    for variables in (stays_root, {"SECURITY__ALLOW_ROOT_UI": "false"}):
        code, shown = screen(*ends, **variables)
        assert code == 0, shown[-2000:]


@pytest.mark.ebpf
@pytest.mark.setting("performance.nice")
def test_threads_and_processes_are_as_nice_as_asked(
    plain: subprocess.Popen[str], changed: subprocess.Popen[str]
) -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert len(tasks(changed)) >= 3
    assert niceness(plain) == {max(ours, DEFAULTS.performance.nice)}
    assert niceness(changed) == {ours + NICER}


@pytest.mark.ebpf
@pytest.mark.setting("performance.nice")
def test_the_loader_does_not_wait() -> None:
    """Until the probes are attached there is nothing to give way for."""
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    seen: set[int] = set()
    nothing = ("-b", "-n", "1", "--path", "/nothing")  # fits into a pipe that nobody reads
    with running(*nothing, PERFORMANCE__NICE=str(ours + NICER)) as run:
        while run.poll() is None:
            with contextlib.suppress(OSError):  # it ends when it likes
                for pid in children(run.pid).values():
                    if LOADER in Path(f"/proc/{pid}/cmdline").read_bytes():
                        seen.add(os.getpriority(os.PRIO_PROCESS, pid))
            time.sleep(0.01)
    assert seen == {ours}


@pytest.mark.ebpf
@pytest.mark.setting("performance.cpu_affinity")
def test_threads_and_processes_stay_on_the_cpus_asked_for(
    plain: subprocess.Popen[str], changed: subprocess.Popen[str]
) -> None:
    ours = os.sched_getaffinity(0)
    assert cpus(plain) == {frozenset(ours)}
    assert cpus(changed) == {frozenset([max(ours)])}


@pytest.mark.setting("performance.cpu_affinity")
def test_a_cpu_that_is_not_there_is_an_error() -> None:
    with running("-b", PERFORMANCE__CPU_AFFINITY="0,4000") as run:
        out, errors = run.communicate(timeout=PATIENCE_S)
    assert (run.returncode, out) == (2, "")
    assert errors.startswith("httptop: performance.cpu_affinity: this host has no CPU 4000; it has")
