"""Giving up root: the user it becomes, when it fails, and that no thread keeps privileges."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from httptop.config.settings import Security
from httptop.errors import HttptopError
from httptop.linux.capabilities import CAP_BPF, CAP_PERFMON
from httptop.privilege import drop as drop_module
from httptop.privilege.drop import Drop, User, plan_drop, reads_code, user_of
from tests.patience import PATIENCE_S

NOBODY = 65534
SOMEONE = pwd.getpwuid(1)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def test_without_a_name_it_is_nobody_whoever_called_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "1")
    monkeypatch.setenv("SUDO_GID", "1")
    assert user_of("").uid == pwd.getpwnam("nobody").pw_uid


def test_a_name_or_number_wins_and_brings_its_groups() -> None:
    by_name, by_number = user_of(SOMEONE.pw_name), user_of("1")
    assert by_name == by_number
    assert (by_name.uid, by_name.gid) == (1, SOMEONE.pw_gid)
    assert set(by_name.groups) == set(os.getgrouplist(SOMEONE.pw_name, SOMEONE.pw_gid))


def test_a_number_that_has_no_name_gets_the_group_of_nobody() -> None:
    assert user_of("4000000000") == User("4000000000", 4000000000, NOBODY, ())


def test_who_is_not_root_has_nothing_to_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for security in (Security(), Security(allow_root_ui=False)):
        assert plan_drop(security, screen=True) == Drop()


@needs_root
def test_a_drop_that_is_switched_off_matters_to_a_screen_only() -> None:
    stays = Security(drop_privileges=False)
    assert plan_drop(stays, screen=True) == Drop()
    strict = Security(drop_privileges=False, allow_root_ui=False)
    assert plan_drop(strict, screen=False) == Drop()
    with pytest.raises(HttptopError, match=r"may not run as root .*drop_privileges is false"):
        plan_drop(strict, screen=True)


@needs_root
@pytest.mark.parametrize("whose", ["ours", "python"])
def test_code_that_the_other_user_cannot_read_is_found(
    whose: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Made with umask 077, or in a directory that is closed to others."""
    for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        directory.chmod(0o755)
    file = tmp_path / "below" / "some.py"
    file.parent.mkdir()
    file.touch()
    monkeypatch.setattr(drop_module, "_LATE", ())
    monkeypatch.setattr(drop_module, "_OURS", tmp_path if whose == "ours" else tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    if whose == "python":
        monkeypatch.setattr(os, "__file__", str(file))
    assert reads_code(user_of(""))
    for found, closed, opened in ((file, 0o600, 0o644), (file.parent, 0o700, 0o755)):
        found.chmod(closed)
        assert not reads_code(user_of(""))
        found.chmod(opened)
    assert reads_code(user_of(""))


MAY_NOT_CHANGE = """
from httptop.linux.capabilities import keep_only
from httptop.privilege.drop import plan_drop
from httptop.config.settings import Security
keep_only(set(range(40)) - {6, 7})
print(*plan_drop(Security(), screen=True).notes)
"""


@needs_root
def test_who_may_not_change_its_user_stays_root() -> None:
    command = [sys.executable, "-c", MAY_NOT_CHANGE]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    assert run.stdout == (
        "httptop stays root: it may not become another user here (CAP_SETUID and CAP_SETGID are "
        "missing)\n"
    )


@needs_root
def test_what_the_kernel_needs_is_kept_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_module, "_may_become", lambda _: True)
    plan = plan_drop(Security(), screen=True, needed={CAP_BPF})
    assert plan.kept == {CAP_BPF}
    assert plan.notes == ("httptop keeps CAP_BPF: this kernel requires it for reading BPF maps",)
    assert plan_drop(Security(), screen=True).kept == frozenset()
    both = plan_drop(Security(keep_no_capabilities=False), screen=True, needed={CAP_BPF})
    assert both.kept == {CAP_BPF, CAP_PERFMON}
    assert both.notes == ()


GIVES_UP = """
import os, threading
from pathlib import Path
from httptop.privilege.drop import Drop, User

prepared = {prepared}
drop = Drop(User("nobody", 65534, 65534, (65534, 7)), frozenset({kept}))
if prepared:
    drop.prepare()
leave = threading.Event()

def report():
    lines = Path("/proc/thread-self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    print(*" ".join(fields[name] for name in ("Uid", "Groups", "CapEff", "NoNewPrivs")).split())

def wait():
    leave.wait()
    report()

def give_up():
    try:
        drop.give_up()
    except Exception as error:
        print(error)
    report()

waiting = threading.Thread(target=wait)
waiting.start()
if not prepared:
    drop.prepare()
giving_up = threading.Thread(target=give_up)
giving_up.start()
giving_up.join()
report()
leave.set()
waiting.join()
try:
    os.setresuid(0, 0, 0)
except PermissionError:
    print("no way back")
"""


#: Users, groups, capabilities, no new privileges.
LEFT = "65534 65534 65534 65534 7 65534 0000000000000000 1"


def given_up(*, kept: str = "()", prepared: bool = True) -> list[str]:
    program = GIVES_UP.format(kept=kept, prepared=prepared)
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    return run.stdout.splitlines()


@needs_root
def test_every_thread_gives_up_everything() -> None:
    assert given_up() == [LEFT, LEFT, LEFT, "no way back"]


@needs_root
def test_what_is_kept_is_kept_by_the_thread_that_gave_up() -> None:
    keeps = LEFT.replace("0000000000000000", "0000008000000000")
    assert given_up(kept="(39,)") == [keeps, LEFT, LEFT, "no way back"]


@needs_root
def test_a_thread_that_was_there_before_is_found() -> None:
    said = given_up(prepared=False)
    assert said[0] == (
        "root could not be given up (a thread may gain privileges); "
        "--set security.drop_privileges=false runs httptop as root instead"
    )
