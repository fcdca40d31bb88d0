"""httptop as its users run it, and what the kernel says of its threads and processes.

Root is given up only where the user to become can read Python and httptop. So these runs are made
with a Python, and with copies of the packages, that everybody can read.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

import pytest

import httptop
from httptop.linux import bpf_syscall
from tests.live.pool import cache_directory
from tests.patience import PATIENCE_S, comes

HELPER: Final = "httptop-helper"
LAUNCHER: Final = "httptop-demo"
PROGRAMS, LINKS = "prog_id", "link_id"
_NEXT_ID: Final = {PROGRAMS: 11, LINKS: 31}
NOBODY: Final = 65534
NOTHING: Final = "0" * 16
#: general.shutdown_timeout, where it is not what is tested: the longest that it may be.
PATIENCE: Final = "60s"

_NEEDED: Final = (
    "google", "linkify_it", "markdown_it", "mdit_py_plugins", "mdurl", "msgspec", "opentelemetry",
    "platformdirs", "psutil", "pygments", "rich", "textual", "tomli_w", "typing_extensions.py",
    "uc_micro", "zstandard",
)  # fmt: skip
#: 12 MB, for other Pythons than CPython.
_NOT_LOADED: Final = shutil.ignore_patterns("_cffi.*")


@functools.cache
def readable() -> tuple[str, dict[str, str]]:
    """Return a Python that nobody can run httptop with, and its environment."""
    below = Path(tempfile.mkdtemp(prefix="httptop-readable-"))
    atexit.register(shutil.rmtree, below, ignore_errors=True)
    below.chmod(0o755)
    shutil.copytree(Path(httptop.__file__).parent, below / "httptop")
    site = Path(sys.modules["pytest"].__file__ or "").parents[1]
    for name in _NEEDED:
        if (site / name).is_dir():
            shutil.copytree(site / name, below / name, ignore=_NOT_LOADED)
        elif (site / name).exists():
            shutil.copy(site / name, below / name)
    for directory, _, files in os.walk(below):
        os.chmod(directory, 0o755)
        for file in files:
            os.chmod(os.path.join(directory, file), 0o644)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("HTTPTOP_", "SUDO_"))}
    environ |= {
        "PYTHONPATH": str(below),
        "TERM": "xterm-256color",
        "HTTPTOP_PERFORMANCE__CACHE": cache_directory(),
    }
    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            code = "import sys, psutil, textual; sys.exit(sys.version_info < (3, 11))"
            subprocess.run(
                [python, "-c", code],
                check=True,
                env=environ,
                cwd="/",
                capture_output=True,
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
            )
            return python, environ
    pytest.skip("there is no Python here that nobody can read")


@contextlib.contextmanager
def _started(
    arguments: tuple[str, ...], variables: Mapping[str, str], terminal: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    python, environ = readable()
    environ = (
        environ
        | {"HTTPTOP_GENERAL__SHUTDOWN_TIMEOUT": PATIENCE}
        | {
            name if name.startswith("SUDO_") else f"HTTPTOP_{name}": value
            for name, value in variables.items()
        }
    )
    with subprocess.Popen(
        [python, "-P", "-m", "httptop", *arguments],
        stdin=terminal,
        stdout=subprocess.PIPE if terminal is None else terminal,
        stderr=subprocess.PIPE if terminal is None else terminal,
        text=True,
        env=environ,
        cwd="/",
        start_new_session=terminal is not None,
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def running(
    *arguments: str, **variables: str
) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    """Run httptop with settings by environment variables: ``SECURITY__USER="daemon"``."""
    return _started(arguments, variables)


@contextlib.contextmanager
def batch(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Run httptop in batch mode, and wait for its first snapshot: root is given up by then."""
    words = ("-b", "--format", "json", "-d", "0.2", *arguments)
    with running(*words, **variables) as run:
        document(run)
        yield run


def screen(*arguments: str, **variables: str) -> tuple[int, str]:
    """Run httptop on a terminal to its end; return its exit status and all that it wrote there."""
    with terminal(*arguments, **variables) as (run, end):
        written = bytearray()
        with contextlib.suppress(OSError):
            while some := end.read(65536):
                written += some
        return run.wait(PATIENCE_S), written.decode("utf-8", "replace")


@contextlib.contextmanager
def terminal(*arguments: str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], FileIO]]:
    """Run httptop on a terminal; the other end of that is to be read, and to type on."""
    ours, theirs = os.openpty()
    with (
        open(ours, "r+b", buffering=0) as end,
        _started(arguments, variables, theirs) as run,
    ):
        os.close(theirs)
        yield run, end


#: What has been read of a terminal behind the last text that was waited for.
_rests: Final[WeakKeyDictionary[FileIO, str]] = WeakKeyDictionary()


def until(end: FileIO, text: str) -> None:
    """Read a terminal until a text has been written, behind the one waited for before.

    The screen draws again what has changed only, so it may never come again.
    """
    written, until_s = _rests.pop(end, ""), time.monotonic() + PATIENCE_S
    while text not in written:
        more = comes(end) and time.monotonic() < until_s
        assert more, f"{text!r} did not come"
        written = written[-4096:] + end.read(65536).decode("utf-8", "replace")
    _rests[end] = written.partition(text)[2]


def until_shown(end: FileIO, text: str) -> None:
    """Wait until the screen shows a text, wherever it came from.

    Only cells that differ are sent, so a text may come in pieces: the screen is drawn again.
    """
    written, drawn_s = _rests.pop(end, ""), time.monotonic()
    until_s = drawn_s + PATIENCE_S
    while text not in written:
        assert time.monotonic() < until_s, f"{text!r} was not shown"
        if time.monotonic() - drawn_s > 1:
            end.write(b"\x0c")  # Ctrl-L
            drawn_s = time.monotonic()
        if comes(end, 0.2):
            written = written[-65536:] + end.read(65536).decode("utf-8", "replace")
    _rests[end] = written.partition(text)[2]


def document(run: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the next snapshot."""
    assert run.stdout is not None
    line = run.stdout.readline()
    assert line, run.stderr.read() if run.stderr else ""
    return dict(json.loads(line))


def said(lines: Iterable[str] | None) -> Iterator[str]:
    """Yield what a run wrote to standard error, but not that it takes long to load on this host."""
    assert lines is not None
    for line in lines:
        if "are still being compiled and loaded" not in line:
            yield line.removeprefix("httptop: ").rstrip("\n")


def status(pid: int, task: int | None = None) -> Mapping[str, str]:
    """Return the fields of a process's, or a thread's, status in /proc."""
    text = Path(f"/proc/{pid}/task/{task or pid}/status").read_text("utf-8", "replace")
    return {name: " ".join(rest.split()) for name, rest in re.findall(r"^(\w+):(.*)$", text, re.M)}


def threads(pid: int) -> list[Mapping[str, str]]:
    """Return the status of every thread of a process."""
    return [status(pid, int(task)) for task in os.listdir(f"/proc/{pid}/task")]


def children(pid: int) -> dict[str, int]:
    """Return the children of a process, by their names."""
    found = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
            found[Path(f"/proc/{child}/comm").read_text().strip()] = int(child)
    return found


def family(pid: int) -> dict[str, int]:
    """Return what runs below a process, by name: children, their children and so on."""
    found = children(pid)
    for child in tuple(found.values()):
        with contextlib.suppress(FileNotFoundError):  # it has ended
            found |= family(child)
    return found


def field(run: subprocess.Popen[str], name: str) -> set[str]:
    """Return what the threads of a run have in a field of their status."""
    return {fields[name] for fields in threads(run.pid)}


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> bool:
    """Return whether a condition is met within some time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def ids_of(kind: str) -> set[int]:
    """Return the ids of every program, or link, that the kernel has."""
    found: set[int] = set()
    number = 0
    while True:
        attr = bytearray(struct.pack("<III", number, 0, 0))
        try:
            bpf_syscall.bpf(_NEXT_ID[kind], attr)
        except FileNotFoundError:
            return found
        number = struct.unpack_from("<I", attr, 4)[0]
        found.add(number)


def descriptors(pid: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what each descriptor of a process is of, and what the kernel tells of it.

    Those that are closed meanwhile are left out.
    """
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            of = os.readlink(f"/proc/{pid}/fd/{number}")
            info = Path(f"/proc/{pid}/fdinfo/{number}").read_text()
            yield of, dict(re.findall(r"^(\w+):\s*(\S+)$", info, re.M))


def held_by(pid: int) -> dict[str, set[int]]:
    """Return the programs and links that a process has descriptors of."""
    found: dict[str, set[int]] = {PROGRAMS: set(), LINKS: set()}
    for _, facts in descriptors(pid):
        for name in found.keys() & facts.keys():
            found[name].add(int(facts[name]))
    return found


def released(held: dict[str, set[int]]) -> None:
    """Wait until the kernel has released these, which it does after a grace period."""
    deadline = time.monotonic() + PATIENCE_S
    while any(held[kind] & ids_of(kind) for kind in held):
        assert time.monotonic() < deadline, {kind: held[kind] & ids_of(kind) for kind in held}
        time.sleep(0.02)
