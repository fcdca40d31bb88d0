"""The system calls that each process of httptop may make once it has done what needs others.

Each list is groups of names by what they are for. Names of several architectures and C libraries
stand side by side: one that does not exist is skipped. A name with conditions is allowed where the
bits of its arguments are those named; where a name stands twice, either will do.

The module imports very little, so that the helper, which uses it, stays small.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from httptop.linux.seccomp import Call, Condition

    Groups = dict[str, tuple[str | Call, ...]]

_ALL = 0xFFFFFFFF  # of an argument of 32 bits: the rest is not looked at
_CLONE_FLAGS = 1 if os.uname().machine.startswith("s390") else 0  # the argument's number
_CLONE_THREAD = 0x10000
#: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
_CLONE_NAMESPACES = 0x7E020000
#: What makes, changes or empties a file; O_TMPFILE needs O_ACCMODE.
_CHANGES = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC
#: What opens a file to append to it, whatever else: see linux/files.py.
_APPENDS_MASK = os.O_ACCMODE | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW
_APPENDS = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW
_SIOCOUTQ = 0x5411
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_PR_SET_NAME, _PR_SET_VMA = 15, 0x53564D41

#: Fails as if the kernel did not know it: its flags are in memory, where no filter sees them. The
#: C library then calls clone.
UNKNOWN = ("clone3",)


def _when(name: str, *conditions: Condition) -> Call:
    return name, conditions


def _only(name: str, argument: int, *values: int) -> tuple[Call, ...]:
    return tuple((name, ((argument, _ALL, value),)) for value in values)


_OPEN_FOR_READING = (
    _when("openat", (2, _CHANGES, 0)),
    _when("open", (1, _CHANGES, 0)),
)
_OPEN = ("openat", "open")

_ANY_PYTHON: Groups = {
    "memory": ("brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise"),
    "threads, time and waiting": (
        *("futex", "futex_time64", "set_robust_list", "rseq", "membarrier", "sched_yield"),
        *("clock_gettime", "clock_gettime64", "clock_getres", "gettimeofday", "time"),
        *("clock_nanosleep", "clock_nanosleep_time64", "nanosleep", "restart_syscall"),
        *("poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64"),
        *("epoll_create1", "epoll_create", "epoll_ctl", "epoll_wait", "epoll_pwait"),
        *("pipe", "pipe2", "eventfd2", "wait4", "waitid"),
    ),
    "signals of its own": (
        *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "sigaltstack"),
        "setitimer",
    ),
    "what is open": (
        *("read", "readv", "pread64", "write", "writev", "close", "lseek", "_llseek"),
        *("dup", "dup2", "dup3", "fcntl", "fcntl64", "fstat", "fstat64"),
    ),
    "looking at files": (
        *("newfstatat", "fstatat64", "stat", "stat64", "lstat", "lstat64", "statx"),
        *("access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd"),
        *("getdents64", "getdents"),
    ),
    "who and where it is": (
        *("getpid", "gettid", "getppid", "getpgrp", "getpgid", "getsid"),
        *("getuid", "geteuid", "getgid", "getegid", "getuid32", "geteuid32", "getgid32"),
        *("getegid32", "getgroups", "getgroups32", "getresuid", "getresgid"),
        *("uname", "sysinfo", "getrandom", "getrusage", "times", "getcpu"),
        *("sched_getaffinity", "getpriority", "getrlimit", "ugetrlimit"),
        _when("prlimit64", (2, 0xFFFFFFFFFFFFFFFF, 0)),
        *_only("prctl", 0, _PR_SET_NAME, _PR_SET_VMA),
    ),
    "its end": ("exit", "exit_group"),
}
_TERMINAL = _only(
    "ioctl",
    1,
    *(0x5401, 0x5402, 0x5403, 0x5404, 0x540B),  # TCGETS, TCSETS, TCSETSW, TCSETSF, TCFLSH
    *(0x802C542A, 0x402C542B, 0x402C542C, 0x402C542D),  # TCGETS2 and so on: glibc 2.42
    *(0x5413, 0x541B, 0x5421, 0x5450, 0x5451),  # TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
)
_ON_A_TERMINAL: Groups = {
    "a terminal and descriptors; nothing that types on a terminal": (
        *_TERMINAL,
        *("fsync", "fdatasync", "ftruncate", "ftruncate64"),
    ),
    "threads, no processes": (_when("clone", (_CLONE_FLAGS, _CLONE_THREAD, _CLONE_THREAD)),),
}
_FILES_WRITTEN = (
    *_OPEN,
    *("mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat"),
    *("fchmod", "fsync"),
    "fgetxattr",  # whether a directory that a group may write to has a list of others: linux/way.py
)
_SAVING: Groups = {"writing configuration and exported files": _FILES_WRITTEN}
#: Files with the rights of who called sudo.
_AS_CALLER = (*("setgroups", "setgroups32", "setfsuid", "setfsuid32", "setfsgid", "setfsgid32"),)
_A_CHILD = (_when("clone", (_CLONE_FLAGS, _CLONE_NAMESPACES, 0)), "fork", "vfork")
_SOCKETS_HELD = ("recvmsg", "recvfrom", "recv", "sendmsg", "sendto", "send", "shutdown")

_BPF_OF_MAPS = (1, 2, 3, 4, 24, 26)  # look up, update, delete, next key; the first two of many
_BPF_RUN, _BPF_BY_ID, _BPF_INFO, _BPF_ATTACH, _BPF_STATISTICS = 10, 13, 15, 17, 32


def of_outputs(*, files: bool, hosts: bool, sockets: bool) -> Groups:
    """Return what outputs need besides.

    ``files``: some are appended to, and reopened when they are rotated. ``hosts``: connections are
    made to others by their names, which the C library resolves. ``sockets``: Unix sockets.
    """
    groups: Groups = {}
    if files:
        groups["going on in a file of the same name: only at its end, by no link"] = (
            _when("openat", (2, _APPENDS_MASK, _APPENDS)),
            "fchmod",
        )
    if hosts or sockets:
        groups["connections of outputs"] = (
            *("connect", "getsockopt", "setsockopt", "getsockname", "getpeername"),
            *_SOCKETS_HELD,
            *_only("socket", 0, _AF_UNIX),
        )
    if hosts:
        groups["connections to hosts, and their names"] = (
            *("bind", "sendmmsg"),
            *_only("ioctl", 1, _SIOCOUTQ),
            *_only("socket", 0, _AF_INET, _AF_INET6, _AF_NETLINK),
        )
    return groups


def serving() -> Groups:
    """Return what answering on a socket needs that listens already."""
    return {"those who connect": ("accept4", "accept", "getsockname", *_SOCKETS_HELD)}


def live(pid: int, *, helped: bool, more: Groups | None = None) -> Groups:
    """Return what a live run may do, ``pid`` being its own process; ``helped``: it has a helper.

    ``more``: what its outputs need.
    """
    groups: Groups = {
        **_ANY_PYTHON,
        "opening files for reading": _OPEN_FOR_READING,
        **_ON_A_TERMINAL,
        "maps and programs that it holds": _only(
            "bpf", 0, *_BPF_OF_MAPS, _BPF_RUN, _BPF_INFO, _BPF_ATTACH
        ),
        "the helper's socket": _SOCKETS_HELD,
        "processes that it follows, and its own": (
            "pidfd_open",
            *_only("kill", 0, pid),
            *_only("tgkill", 0, pid),
        ),
        **(more or {}),
    }
    if helped:
        return groups
    groups |= _SAVING
    groups["without a helper: what the probes cost, files of who called sudo, the demo's end"] = (
        *_only("bpf", 0, _BPF_STATISTICS, _BPF_BY_ID),
        *_AS_CALLER,
        "kill",
    )
    return groups


def replay(pid: int, *, saves: bool, elevated: bool = False, more: Groups | None = None) -> Groups:
    """Return what a replay may do, ``pid`` being its own process; ``saves``: settings, too.

    ``elevated``: as root, under sudo. ``more``: what its outputs need.
    """
    return {
        **_ANY_PYTHON,
        "opening files for reading": _OPEN_FOR_READING,
        **_ON_A_TERMINAL,
        "itself": (
            *_only("kill", 0, pid),
            *_only("tgkill", 0, pid),
        ),
        "the event loop's wake-ups": (*_only("socketpair", 0, _AF_UNIX), *_SOCKETS_HELD),
        **(_SAVING if saves else {}),
        **({"files of who called sudo": _AS_CALLER} if elevated else {}),
        **(more or {}),
    }


def fleet(pid: int, *, saves: bool, elevated: bool = False) -> Groups:
    """Return what a run that asks a Prometheus server may do; see :func:`replay`."""
    return {
        **replay(pid, saves=saves, elevated=elevated),
        "connections to a server, whose name is looked up": (
            *_only("socket", 0, _AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK),
            *("connect", "bind", "sendmmsg", "recvmmsg"),
            *("getsockname", "getpeername", "getsockopt", "setsockopt"),
        ),
    }


def helper() -> Groups:
    """Return what the helper may do, and the children that reply for it."""
    return {
        **_ANY_PYTHON,
        "writing configuration, exported files and logs": _FILES_WRITTEN,
        "a child for a reply, its time limit": (*_A_CHILD, "alarm"),
        "fewer capabilities, and the files of who called sudo": (
            *("capget", "capset"),
            *_AS_CALLER,
        ),
        "descriptors": _TERMINAL,
        "the programs' times": _only("bpf", 0, _BPF_BY_ID, _BPF_INFO, _BPF_STATISTICS),
        "httptop's socket": _SOCKETS_HELD,
    }


def demo() -> Groups:
    """Return what the demo's services may do, and what starts them."""
    return {
        **_ANY_PYTHON,
        "opening files": _OPEN,
        "descriptors": (*_TERMINAL, "memfd_create", "close_range", "chdir"),
        "processes of its own": (
            *_A_CHILD,
            *("execve", "setpgid", "setsid", "kill", "tgkill", "pidfd_open"),
            *("arch_prctl", "set_tid_address", "prlimit64"),
        ),
        "sockets": (
            *("socket", "socketpair", "bind", "listen", "accept", "accept4", "connect"),
            *("getsockname", "getpeername", "getsockopt", "setsockopt"),
            *_SOCKETS_HELD,
        ),
    }


def calls(groups: Groups) -> Iterator[Call]:
    """Yield the system calls of a process's groups."""
    for names in groups.values():
        for name in names:
            yield (name, ()) if isinstance(name, str) else name


def table() -> str:
    """Return the lists as a table in Markdown, for docs/security.md, which a test compares."""
    lists = {
        "each of them": _ANY_PYTHON,
        "httptop": live(0, helped=True),
        "httptop without a helper, more": live(0, helped=False),
        "httptop, replaying": replay(0, saves=False),
        "httptop, replaying, more on a screen": replay(0, saves=True),
        "httptop, replaying, more under sudo": replay(0, saves=False, elevated=True),
        "httptop with a log in a file, more": {
            **live(0, helped=True, more=of_outputs(files=True, hosts=False, sockets=False))
        },
        "httptop with a log to a Unix socket, more": {
            **live(0, helped=True, more=of_outputs(files=False, hosts=False, sockets=True))
        },
        "httptop with a log to a host, more": {
            **live(0, helped=True, more=of_outputs(files=False, hosts=True, sockets=False))
        },
        "httptop, of a fleet, more than replaying": fleet(0, saves=False),
        "httptop with --prometheus, more": live(0, helped=True, more=serving()),
        "helper": helper(),
        "launcher, demo's services": demo(),
    }
    lines = ["| process | for | system calls |", "|---|---|---|"]
    shown: dict[str, Groups] = {}
    for process, groups in lists.items():
        above = _ANY_PYTHON if process != "each of them" else {}
        if "more" in process:
            above = shown["httptop, replaying" if "replaying" in process else "httptop"]
        shown[process] = groups
        for purpose, names in groups.items():
            if purpose not in above:
                lines.append(f"| {process} | {purpose} | {_shown(names)} |")
                process = ""
    return "\n".join(lines) + "\n"


def _shown(names: tuple[str | Call, ...]) -> str:
    words = (f"`{name}`" if isinstance(name, str) else f"`{name[0]}`*" for name in names)
    return ", ".join(dict.fromkeys(words))
