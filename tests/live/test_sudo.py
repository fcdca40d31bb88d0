"""sudo itself, and a user who may call nothing but httptop by it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

import httptop
from tests.live.command import (
    NOBODY,
    NOTHING,
    PATIENCE,
    document,
    eventually,
    family,
    readable,
    threads,
    until,
    until_shown,
)
from tests.live.pool import cache_directory
from tests.patience import PATIENCE_S, comes

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a user"),
    pytest.mark.skipif(shutil.which("sudo") is None, reason="sudo is not installed"),
    pytest.mark.skipif(shutil.which("useradd") is None, reason="there is no useradd here"),
    pytest.mark.xdist_group("sudo"),
]

SUDOERS = Path("/etc/sudoers.d")


class Caller:
    """A user made for the test; ``command`` is all that sudo runs for them."""

    def __init__(self, place: Path) -> None:
        self.name = f"httptop-test-{os.getpid()}"
        self.home, self.command = place / "home", place / "httptop"
        self.may = SUDOERS / self.name
        self.home.mkdir(mode=0o755)
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "-d", self.home, self.name], check=True
        )
        self.uid = pwd.getpwnam(self.name).pw_uid
        self.gid = pwd.getpwnam(self.name).pw_gid
        os.chown(self.home, self.uid, self.gid)
        self.runs(sys.executable, "")
        self.may.write_text(f"{self.name} ALL=(root) NOPASSWD: {self.command}\n")
        self.may.chmod(0o440)

    def runs(self, python: str, modules: str) -> None:
        """Have the command run httptop by some Python, with modules from a directory."""
        self.command.write_text(
            f"#!/bin/sh\nPYTHONPATH={modules} HTTPTOP_PERFORMANCE__CACHE={cache_directory()}\n"
            f"HTTPTOP_GENERAL__SHUTDOWN_TIMEOUT={PATIENCE}\n"
            "export PYTHONPATH HTTPTOP_PERFORMANCE__CACHE HTTPTOP_GENERAL__SHUTDOWN_TIMEOUT\n"
            f'exec {python} -P -m httptop "$@"\n'
        )
        self.command.chmod(0o755)

    def start(self, *arguments: str | Path, **how: Any) -> subprocess.Popen[str]:
        """Call httptop by sudo, as a shell of the user's would."""
        return subprocess.Popen(
            ["sudo", "-n", self.command, *arguments],
            cwd=self.home,
            env={
                "HOME": str(self.home),
                "PATH": os.environ["PATH"],
                "LANG": "C.UTF-8",
                "TERM": "xterm-256color",
            },
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            text=True,
            **how,
        )

    def sudo(self, *arguments: str | Path) -> tuple[int, str]:
        """Call httptop by sudo and wait for its end; return its status and errors."""
        with self.start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            _, errors = run.communicate(timeout=PATIENCE_S)
            return run.returncode, errors

    def remove(self) -> None:
        self.may.unlink(missing_ok=True)
        subprocess.run(["userdel", self.name], check=True, capture_output=True)


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    made = Caller(place)
    try:
        yield made
    finally:
        made.remove()
        shutil.rmtree(place)


def test_it_gives_no_file_of_roots_away(caller: Caller, tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        directory.chmod(0o755)
    shadow = tmp_path / "shadow"
    shadow.write_text("root:secret\n")
    shadow.chmod(0o640)
    (caller.home / "link").symlink_to(shadow)
    os.lchown(caller.home / "link", caller.uid, caller.gid)
    attempts: tuple[tuple[str | Path, ...], ...] = (
        ("-b", "-n", "1", "--log-file", shadow),
        ("-b", "-n", "1", "--log-file", caller.home / "link"),
        ("--save-config", tmp_path / "x.service"),
        ("--print-config", "--config", shadow),
    )
    for words in attempts:
        status, errors = caller.sudo(*words)
        assert status == 2
        assert "belongs to another user (root)" in errors or f"for {caller.name}, who" in errors
        assert "secret" not in errors
    assert os.listdir(tmp_path) == ["shadow"]
    found = shadow.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o640)
    assert shadow.read_text() == "root:secret\n"


def test_it_does_not_do_what_the_callers_file_says_of_files(caller: Caller, tmp_path: Path) -> None:
    file = caller.home / ".config/httptop/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f"[general]\nlog_file = '{tmp_path}/ld.so.preload'\n")
    for path in (file, file.parent, file.parent.parent):
        os.chown(path, caller.uid, caller.gid)
    status, errors = caller.sudo("-b", "-n", "1")
    assert status == 2
    assert f"{file}:2: general.log_file: under sudo only a file of root's may set this" in errors
    file.unlink()
    status, errors = caller.sudo("--save-config", "-d", "3")
    assert status == 0
    assert (file.stat().st_uid, file.stat().st_gid) == (caller.uid, caller.gid)
    assert os.listdir(tmp_path) == []
    file.unlink()


@pytest.mark.ebpf
def test_from_a_directory_of_the_callers(caller: Caller) -> None:
    """As from a clone: it runs, files are the caller's, and it says who can change what root runs.

    Whatever lies in the current directory is not imported.
    """
    copy = caller.home / "clone"
    shutil.copytree(Path(httptop.__file__).parent, copy / "httptop")
    for path in (copy, *copy.rglob("*")):
        os.chown(path, caller.uid, caller.gid)
    for module in ("bcc", "json", "socket", "selectors"):
        (caller.home / f"{module}.py").write_text(f"open('{caller.home}/imported', 'w')\n")
    caller.runs(sys.executable, str(copy))
    status, errors = caller.sudo("-b", "-n", "2", "-d", "0.2", "--record", "some.capture")
    assert status == 0, errors
    (line,) = [line for line in errors.splitlines() if "root runs what others can change" in line]
    assert " belongs to " in line  # the caller, or whoever has this Python
    assert (caller.home / "some.capture").stat().st_uid == caller.uid
    assert not (caller.home / "imported").exists()


@pytest.fixture
def checkout(caller: Caller) -> Iterator[Caller]:
    """A checkout with an environment of its own below a home directory that others cannot enter."""
    _, environ = readable()
    clone = caller.home / "checkout"
    site = clone / f".venv/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    shutil.copytree(environ["PYTHONPATH"], site, copy_function=os.link)
    (clone / ".venv/bin").mkdir()
    python = clone / ".venv/bin/python"
    python.symlink_to(getattr(sys, "_base_executable", sys.executable))
    (clone / ".venv/pyvenv.cfg").write_text(f"home = {python.resolve().parent}\n")
    caller.runs(str(python), "")
    caller.home.chmod(0o700)
    yield caller
    caller.home.chmod(0o755)
    caller.runs(sys.executable, "")
    shutil.rmtree(clone)


def below(sudo: subprocess.Popen[str]) -> dict[str, int]:
    """Return what runs below sudo, which may have another process of its own between."""
    found = family(sudo.pid)
    helper = Path(f"/proc/{found['httptop-helper']}/stat").read_bytes()
    found["httptop"] = int(helper.rpartition(b")")[2].split()[1])  # whose child it is
    return {name: pid for name, pid in found.items() if name != "sudo"}


def require_nobody(*processes: int) -> None:
    for fields in (fields for pid in processes for fields in threads(pid)):
        assert fields["Uid"] == " ".join([str(NOBODY)] * 4), fields["Name"]
        assert fields["CapPrm"] == fields["CapEff"] == fields["CapBnd"] == NOTHING
        assert fields["Seccomp"] == "2"


@pytest.mark.ebpf
def test_from_a_checkout_below_a_closed_home(checkout: Caller) -> None:
    """Root is given up although whom it becomes can read neither httptop nor its Python's links."""
    words = ("--demo", "-b", "-n", "2", "-d", "0.3", "--format", "json")
    with checkout.start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        document(run)
        found = below(run)
        require_nobody(*(pid for name, pid in found.items() if name != "httptop-helper"))
        assert {"shop-catalog", "shop-gateway", "shop-load", "shop-orders"} <= found.keys()
        last = document(run)
        assert run.wait(PATIENCE_S) == 0
    assert last["totals"]["server"]["requests"] > 0
    assert not [note for note in last.get("notes", ()) if "stays root" in note]


@pytest.mark.ebpf
def test_on_a_screen_from_a_checkout_below_a_closed_home(checkout: Caller) -> None:
    saved = checkout.home / ".config/httptop/config.toml"
    ours, theirs = os.openpty()
    os.fchown(theirs, checkout.uid, -1)
    on_it = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
    with (
        checkout.start("-d", "0.3", **on_it) as run,
        open(ours, "r+b", buffering=0) as end,  # closed first: that ends what still runs
    ):
        os.close(theirs)
        until_shown(end, "own cost")  # with the first figures
        require_nobody(below(run)["httptop"])
        end.write(b"d")
        until_shown(end, "/products/{id}")
        end.write(b"s9w")
        assert eventually(saved.exists)
        for keys, shown in (
            (b"\r", "server side"),
            (b"h", "in ui.keys"),
            (b"n", "seen and missed since start"),
            (b"y", "without a request"),
        ):
            end.write(keys)
            until_shown(end, shown)
            end.write(b"\x1b")
            time.sleep(0.2)  # or it would be the Alt of the next key
        end.write(b"q")
        with contextlib.suppress(OSError):
            while end.read(65536):
                pass
        assert run.wait(PATIENCE_S) == 0
    assert saved.stat().st_uid == checkout.uid
    shutil.rmtree(checkout.home / ".config")


@pytest.mark.ebpf
def test_what_is_exported_is_the_callers_and_where_they_are(caller: Caller) -> None:
    """The helper writes it, since httptop itself could not."""
    ours, theirs = os.openpty()
    os.fchown(theirs, caller.uid, -1)
    on_it = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
    with (
        caller.start("--demo", "-d", "0.3", **on_it) as run,
        open(ours, "r+b", buffering=0) as end,  # closed first: that ends what still runs
    ):
        os.close(theirs)
        until(end, "own cost")  # with the first figures
        require_nobody(below(run)["httptop"])
        for letter, kind in (("t", "txt"), ("j", "json"), ("s", "svg")):
            end.write(f"e{letter}".encode())
            assert eventually(partial(_exports, end, caller, kind))
        end.write(b"q")
        with contextlib.suppress(OSError):
            while end.read(65536):
                pass
        assert run.wait(PATIENCE_S) == 0
    for kind, begins in (("txt", "httptop"), ("json", '{"schema":'), ("svg", "<svg ")):
        (path,) = _exported(caller, kind)
        found = path.lstat()
        whose = (found.st_uid, found.st_gid, found.st_mode)
        assert whose == (caller.uid, caller.gid, stat.S_IFREG | 0o600)
        assert path.read_text().lstrip().startswith(begins)
        path.unlink()


def _exports(end: FileIO, caller: Caller, kind: str) -> bool:
    """Read what the screen has written, or it would wait; return whether there is a file."""
    while comes(end, 0.01):
        end.read(65536)
    return bool(_exported(caller, kind))


def _exported(caller: Caller, kind: str) -> list[Path]:
    """Return the exported files of a kind that have contents."""
    return [path for path in caller.home.glob(f"httptop-*.{kind}") if path.stat().st_size]
