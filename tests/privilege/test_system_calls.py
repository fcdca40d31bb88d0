"""The lists of system calls, each applied to a process for real: what fails there, what works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import httptop
from httptop.errors import HttptopError
from httptop.linux import seccomp
from httptop.privilege import confine, system_calls
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root, or most of it would be refused anyway"
)

#: Applies a list, as the process has it, and prints what each try came to.
PROGRAM = """
import ctypes, errno, fcntl, json, os, pty, resource, signal, socket, struct, subprocess, sys
import tempfile, termios, threading, time
from httptop.linux import bpf_syscall, capabilities, seccomp
from httptop.privilege import system_calls

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
place = tempfile.mkdtemp()
existing = os.path.join(place, "existing")
open(existing, "w").close()
ours, theirs = pty.openpty()
pair = socket.socketpair()
listener = socket.create_server(("127.0.0.1", 0))
listener.setblocking(False)
limit = struct.pack("=2Q", *resource.getrlimit(resource.RLIMIT_NOFILE))
waiting = threading.Event()
other = threading.Thread(target=waiting.wait, daemon=True)
other.start()
nothing = subprocess.DEVNULL
bystander = subprocess.Popen(  # ends with us
    ["cat"], stdin=subprocess.PIPE, stdout=nothing, stderr=nothing
)

def call(name, *arguments):
    number = seccomp._library().seccomp_syscall_resolve_name(name.encode())
    ctypes.set_errno(0)
    if libc.syscall(ctypes.c_long(number), *arguments) < 0:
        raise OSError(ctypes.get_errno(), name)

def bpf(command):
    bpf_syscall.bpf(command, bytearray(144))

def fork():
    if (child := os.fork()) == 0:
        os._exit(0)
    os.waitpid(child, 0)

def thread():
    made = threading.Thread(target=lambda: None)
    made.start()
    made.join()

def passes():
    pair[0].send(b"x")
    return pair[1].recv(1)

def types():
    fcntl.ioctl(theirs, termios.TIOCSTI, b"x")

def spawn():
    subprocess.run(["true"], check=True)

def clock():
    signal.setitimer(signal.ITIMER_REAL, 0)

tries = {
    "read": lambda: open(existing).read(),
    "write": lambda: open(existing, "w"),
    "append": lambda: os.open(existing, os.O_WRONLY | os.O_APPEND),
    "go on": lambda: os.open(existing, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW),
    "create": lambda: os.open(existing + "2", os.O_RDONLY | os.O_CREAT),
    "truncate": lambda: os.open(existing, os.O_RDONLY | os.O_TRUNC),
    "temporary": lambda: os.open(place, os.O_RDWR | os.O_TMPFILE),
    "openat2": lambda: call("openat2", -100, existing.encode(), struct.pack("=3Q", 1, 0, 0), 24),
    "rename": lambda: os.rename(existing, existing),
    "unlink": lambda: os.unlink(existing + "3"),
    "chmod": lambda: os.chmod(existing, 0o777),
    "chown": lambda: os.chown(existing, 0, 0),
    "link": lambda: os.link(existing, existing + "4"),
    "mknod": lambda: os.mkfifo(existing + "5"),
    "handle": lambda: call("open_by_handle_at", -100, bytes(16), 0),
    "thread": thread,
    "fork": fork,
    "spawn": spawn,
    "execve": lambda: os.execv("/nonexistent", ["x"]),
    "execveat": lambda: call("execveat", -100, b"/nonexistent", 0, 0, 0),
    "inet": lambda: socket.socket(socket.AF_INET).close(),
    "inet6": lambda: socket.socket(socket.AF_INET6).close(),
    "unix": lambda: socket.socket(socket.AF_UNIX).close(),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "packet": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    "socketpair": lambda: socket.socketpair(),
    "sockets held": passes,
    "accept": lambda: listener.accept(),
    "listen elsewhere": lambda: listener.bind(("127.0.0.1", 0)),
    "kill itself": lambda: os.kill(os.getpid(), 0),
    "kill another": lambda: os.kill(bystander.pid, 0),
    "kill all": lambda: os.kill(-1, 0),
    "kill a group": lambda: os.kill(0, 0),
    "by pidfd": lambda: signal.pidfd_send_signal(os.pidfd_open(bystander.pid), 0),
    "take a descriptor": lambda: call("pidfd_getfd", os.pidfd_open(bystander.pid), 0, 0),
    "terminal": lambda: termios.tcgetattr(theirs),
    "type": types,
    "timer": clock,
    "limits": lambda: resource.getrlimit(resource.RLIMIT_NOFILE),
    "set limits": lambda: call("prlimit64", 0, resource.RLIMIT_NOFILE, limit, 0),
    "setuid": lambda: os.setuid(os.getuid()),
    "setresgid": lambda: os.setresgid(-1, -1, -1),
    "setgroups": lambda: os.setgroups(os.getgroups()),
    "setfsuid": lambda: call("setfsuid", 0),
    "dumpable": lambda: capabilities.make_undumpable(),
    "ptrace": lambda: call("ptrace", 16, bystander.pid, 0, 0),
    "vm_read": lambda: call("process_vm_readv", bystander.pid, 0, 0, 0, 0, 0),
    "vm_write": lambda: call("process_vm_writev", bystander.pid, 0, 0, 0, 0, 0),
    "mount": lambda: call("mount", 0, 0, 0, 0, 0),
    "unshare": lambda: call("unshare", 0),
    "setns": lambda: call("setns", -1, 0),
    "new namespace": lambda: call("clone", 0x10000000 | 17, 0, 0, 0, 0),
    "chroot": lambda: os.chroot("/"),
    "io_uring": lambda: call("io_uring_setup", 1, bytes(120)),
    "userfaultfd": lambda: call("userfaultfd", 1),
    "keyring": lambda: call("keyctl", 0, 0, 0, 0, 0),
    "perf": lambda: call("perf_event_open", bytes(128), 0, -1, -1, 0),
    "module": lambda: call("finit_module", -1, b"", 0),
    "reboot": lambda: call("kexec_load", 0, 0, 0, 0),
    "personality": lambda: call("personality", -1),
    "bpf map": lambda: bpf(1),
    "bpf run": lambda: bpf(10),
    "bpf new map": lambda: bpf(0),
    "bpf load": lambda: bpf(5),
    "bpf pin": lambda: bpf(6),
    "bpf map by id": lambda: bpf(14),
    "bpf program by id": lambda: bpf(13),
    "bpf link": lambda: bpf(28),
    "bpf statistics": lambda: bpf(32),
    "capset": lambda: capabilities.keep_only(()),  # so nothing may come behind it
}

with seccomp.Filter(system_calls.calls({groups}), system_calls.UNKNOWN) as made:
    made.apply()
assert not list(seccomp.unrestricted_tasks())
refused = []
for name, action in tries.items():
    try:
        action()
    except OSError as error:
        if error.errno == errno.EPERM:
            refused.append(name)
    except subprocess.SubprocessError:
        pass
os.write(1, json.dumps([refused, sorted(tries)]).encode())
os._exit(0)
"""

READS: Final = {
    *("read", "thread", "sockets held", "kill itself", "terminal", "timer", "limits"),
}
MAPS: Final = {"bpf map", "bpf run"}
SAVES: Final = {"write", "append", "go on", "create", "truncate", "temporary", "rename", "unlink"}
#: What the outputs of a run need besides.
OUTPUTS: Final = {
    "files=True, hosts=False, sockets=False": {"go on"},
    "files=False, hosts=False, sockets=True": {"unix"},
    "files=False, hosts=True, sockets=False": {
        *("unix", "inet", "inet6", "netlink", "listen elsewhere")
    },
}
WORKS: Final = {
    **{
        f"live(os.getpid(), helped=True, more=system_calls.of_outputs({needs}))": READS
        | MAPS
        | works
        for needs, works in OUTPUTS.items()
    },
    "live(os.getpid(), helped=True)": READS | MAPS,
    "live(os.getpid(), helped=True, more=system_calls.serving())": READS | MAPS | {"accept"},
    "live(os.getpid(), helped=False)": READS
    | MAPS
    | SAVES
    | {"kill another", "kill all", "kill a group", "setgroups", "setfsuid"}
    | {"bpf program by id", "bpf statistics"},
    "replay(os.getpid(), saves=False)": READS | {"socketpair"},
    "replay(os.getpid(), saves=True)": READS | SAVES | {"socketpair"},
    "helper()": READS - {"kill itself", "thread"}
    | SAVES
    | {"fork", "thread", "setgroups", "setfsuid", "capset"}
    | {"bpf program by id", "bpf statistics"},
    "demo()": READS
    | {"write", "append", "go on", "create", "truncate", "temporary", "fork", "spawn", "execve"}
    | {"accept", "listen elsewhere"}
    | {"inet", "inet6", "unix", "netlink", "packet", "socketpair", "set limits"}
    | {"kill another", "kill all", "kill a group"},
}


@pytest.mark.parametrize("groups", WORKS)
def test_what_a_process_may_do_and_nothing_else(groups: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{groups}", f"system_calls.{groups}")],
        cwd=Path(httptop.__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    refused, tried = json.loads(ran.stdout)
    assert WORKS[groups] <= set(tried)
    assert set(tried) - set(refused) == WORKS[groups]


def test_no_name_is_misspelt() -> None:
    """Every name is a system call somewhere: on this architecture, or as the library knows it."""
    library = seccomp._library()
    lists = (
        system_calls.live(1, helped=False, more=system_calls.serving()),
        system_calls.replay(1, saves=True, elevated=True),
        system_calls.helper(),
        system_calls.demo(),
        system_calls.of_outputs(files=True, hosts=True, sockets=True),
    )
    names = {name for groups in lists for name, _ in system_calls.calls(groups)}
    unknown = {n for n in names if library.seccomp_syscall_resolve_name(n.encode()) == -1}
    assert unknown == set()


def test_where_the_library_is_missing_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "_LIBRARY", "libmissing.so.2")
    assert confine.filters_of_others(wanted=True) == confine.Confinement()
    assert confine.confine(system_calls.helper()) == (
        "system calls are not restricted: libmissing.so.2 is missing",
    )


def test_a_thread_that_was_left_out_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "unrestricted_tasks", lambda: iter(["7"]))
    with pytest.raises(HttptopError, match=r"in all threads; --set security\.seccomp"):
        confine.confine(system_calls.helper())


def test_filters_of_others_are_made_only_if_wanted() -> None:
    assert confine.filters_of_others(wanted=False) == confine.Confinement()
    made = confine.filters_of_others(wanted=True)
    assert made.helper
    assert made.demo
    assert made.helper != made.demo


def test_the_document_has_the_lists() -> None:
    page = Path(__file__).parents[2] / "docs" / "security.md"
    assert system_calls.table() in page.read_text()
