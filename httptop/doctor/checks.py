"""Report what this host can trace, what is missing and the command that fixes it.

``checks`` evaluates a :class:`~httptop.doctor.host.Host`, in the order in which a user would fix
things. ``refusal`` is the first check that forbids tracing, as one line, and is cheap. ``main`` is
``httptop --doctor``: it prints the whole table and loads the probes at the end.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from httptop.bpf.build.child import Loading
from httptop.bpf.build.find_bcc import install_command
from httptop.bpf.plan import plan_of
from httptop.config.load import build, load
from httptop.config.scope import Scope
from httptop.console import say
from httptop.coverage import report
from httptop.coverage.processes import survey
from httptop.doctor import host as hosts
from httptop.doctor.host import Host
from httptop.errors import HttptopError
from httptop.linux.cpus import possible_cpus
from httptop.linux.files import invoking_user
from httptop.linux.processes import FIRST_PID_NAMESPACE, own_pid_namespace

#: Exit status if live tracing is not possible.
CANNOT_TRACE: Final = 77

#: The kernels that introduced what the probes need last: access to a task's registers from BPF;
#: and BPF memory charged to the control group instead of RLIMIT_MEMLOCK.
OLDEST_KERNEL: Final = (5, 15)
CGROUP_MEMORY_KERNEL: Final = (5, 11)
#: From this kernel on, programs at tracepoints can be preempted (bpf/build/variants.py).
PREEMPTIBLE_KERNEL: Final = (7, 0)

#: Small tables suffice for a trial.
_TRIAL: Final = {
    "performance.max_connections": 1024,
    "performance.max_endpoints": 64,
    "performance.max_histograms": 1024,
    "performance.max_pipelined": 1024,
    "performance.ring_buffer": 1 << 16,
}

#: The fronts of bpf/build/variants.py: where the probes see bytes pass.
_FRONTS: Final = {
    "records": "at the sockets, as perf's: other system calls cost nothing",
    "triples": "at the sockets: other system calls cost nothing",
    "sockets": "at the sockets: other system calls cost nothing",
    "syscalls": "at every system call: this kernel has no tracepoints at sockets (Linux 6.3 has)",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding about a host."""

    name: str
    ok: bool | None  # False: no live tracing. None: a note, tracing works nevertheless
    finding: str
    remedy: str = ""  # a command or a sentence; empty if there is nothing to do


def checks(host: Host) -> list[Check]:
    """Check a host. The first check whose ``ok`` is False is what to fix first."""
    found = [
        _architecture(host),
        _proc(host) or _privileges(host),
        _bcc(host),
        _library(host),
        _lockdown(host),
    ]
    if host.machine in hosts.MACHINES:  # bpf(2) was not tried elsewhere: its number differs
        found += [_bpf(host), _kernel(host)]
    return [*found, _btf(host), *_notes(host)]


def refusal(host: Host | None = None) -> str | None:
    """Return why this host cannot be traced and what to do about it, in one line; None if it can.

    It takes a few milliseconds, since it does not load the probes.
    """
    for check in checks(host or hosts.this_host()):
        if check.ok is False:
            return f"{check.finding}: {check.remedy}" if check.remedy else check.finding
    return None


def _architecture(host: Host) -> Check:
    if host.machine in hosts.MACHINES:
        return Check("Architecture", True, host.machine)
    known = " and ".join(hosts.MACHINES)
    return Check(
        "Architecture",
        False,
        f"live tracing does not work on {host.machine}",
        f"run httptop on {known}, or open a capture with httptop --replay FILE",
    )


def _privileges(host: Host) -> Check:
    if host.own_users:
        return Check(
            "Privileges",
            False,
            "a user namespace's capabilities do not count for tracing (a rootless container, "
            "PrivateUsers)",
            "run httptop, or the container, as root of the host",
        )
    if host.euid == 0 and host.privileged:
        return Check("Privileges", True, "root")
    if host.privileged:
        return Check("Privileges", True, "the capabilities suffice")
    if host.euid == 0:
        return Check(
            "Privileges",
            False,
            "root lacks the capabilities for tracing (CAP_BPF and CAP_PERFMON), as in a container",
            "start the container with --cap-add=BPF --cap-add=PERFMON --pid=host",
        )
    return Check("Privileges", False, "live tracing needs root", f"sudo {host.command}")


def _proc(host: Host) -> Check | None:
    """Return what is wrong with /proc, if there is something."""
    if not host.proc:
        finding = "/proc is not mounted"
    elif not host.own_proc:
        finding = "/proc shows the processes of another namespace than httptop's own"
    else:
        return None
    return Check("/proc", False, finding, "mount -t proc proc /proc")


def _bcc(host: Host) -> Check:
    if host.bcc is not None:
        return Check("BCC", True, f"in {host.bcc}")
    install = install_command(host.distribution, root_user=host.euid == 0)
    if host.impostor is not None:
        finding = f"BCC is not installed ({host.impostor} from PyPI is something else)"
    else:
        finding = "BCC is not installed"
    return Check("BCC", False, finding, install)


def _library(host: Host) -> Check:
    if host.libbcc is not None:
        return Check("libbcc", True, str(host.libbcc))
    install = install_command(host.distribution, root_user=host.euid == 0)
    return Check("libbcc", False, "BCC's library libbcc.so.0 is missing", install)


def _lockdown(host: Host) -> Check:
    if host.lockdown == "confidentiality":
        return Check(
            "Lockdown",
            False,
            "the kernel is locked down (confidentiality) and refuses tracing",
            "boot with lockdown=integrity, or without lockdown=confidentiality",
        )
    return Check("Lockdown", True, host.lockdown or "none")


def _bpf(host: Host) -> Check:
    name, code = "bpf(2)", host.bpf_errno
    if code == 0:
        return Check(name, True, f"works on kernel {host.release}")
    if code == errno.ENOSYS:
        return Check(
            name,
            False,
            f"this kernel ({host.release}) was built without BPF",
            "boot a kernel with CONFIG_BPF_SYSCALL, such as your distribution's own",
        )
    if code == errno.EPERM and host.kernel < CGROUP_MEMORY_KERNEL and host.privileged:
        return Check(
            name,
            False,
            f"the kernel refuses memory to BPF (limit: {_memory(host.memlock_bytes)})",
            f"ulimit -l unlimited && {host.command}",
        )
    if code == errno.EPERM and host.privileged:
        return Check(
            name,
            False,
            "the bpf system call is forbidden here (a container or a seccomp filter)",
            "give the container a seccomp profile that allows bpf and perf_event_open, or "
            "--security-opt seccomp=unconfined",
        )
    if code == errno.EPERM:
        return Check(name, None, "cannot be tried without privileges")
    return Check(name, False, f"the bpf system call fails: {os.strerror(code)}")


def _kernel(host: Host) -> Check:
    version = ".".join(map(str, OLDEST_KERNEL))
    if host.missing_helper is not None:
        release = ".".join(map(str, host.kernel))
        return Check(
            "Kernel",
            False,
            f"Linux {release} lacks {host.missing_helper}; {version} has it",
            f"boot Linux {version} or newer",
        )
    if host.ring_buffer_errno == 0 and host.kernel < OLDEST_KERNEL:
        return Check(
            "Kernel",
            None,
            f"{host.release}; the probes need {version} or newer and load on an older kernel only "
            "if its distribution has added what they need",
        )
    if host.ring_buffer_errno == 0 and host.kernel >= PREEMPTIBLE_KERNEL:
        return Check(
            "Kernel",
            True,
            f"{host.release}; it may preempt programs, so each has two others that stand in for it "
            "where the kernel skips it",
        )
    if host.ring_buffer_errno == 0:
        return Check("Kernel", True, host.release)
    if host.ring_buffer_errno == errno.EPERM:  # reported by _bpf()
        return Check("Kernel", None, f"{host.release}; cannot be tried without privileges")
    if host.kernel < OLDEST_KERNEL or host.ring_buffer_errno == errno.EINVAL:
        return Check(
            "Kernel",
            False,
            f"kernel {host.release} is too old, it has no BPF ring buffer",
            f"boot Linux {version} or newer",
        )
    reason = os.strerror(host.ring_buffer_errno)
    return Check("Kernel", False, f"the kernel cannot create a BPF ring buffer: {reason}")


def _btf(host: Host) -> Check:
    if host.btf:
        return Check("BTF", True, "/sys/kernel/btf/vmlinux")
    return Check(
        "BTF",
        False,
        "this kernel does not describe its types (no /sys/kernel/btf/vmlinux)",
        "boot a kernel with CONFIG_DEBUG_INFO_BTF, such as your distribution's own; "
        "in a container mount /sys",
    )


def _notes(host: Host) -> Iterator[Check]:
    """Yield notes, which do not prevent tracing."""
    if host.jit == 0:
        yield Check(
            "BPF JIT",
            None,
            "off: the probes are interpreted, which costs the traced services far more",
            "sudo sysctl net.core.bpf_jit_enable=1",
        )
    else:
        yield Check("BPF JIT", True, "on" if host.jit else "not known, probably on")
    if host.kernel < CGROUP_MEMORY_KERNEL:
        yield Check("Locked memory", None, _memory(host.memlock_bytes))
    if host.pid_namespace not in (FIRST_PID_NAMESPACE, None):
        yield Check(
            "Container",
            None,
            "httptop runs in a process id namespace of its own: it sees the requests of the whole "
            "host; processes outside it have names, but no process ids here",
            "start the container with --pid=host",
        )
    elif host.proc:
        yield Check("Container", True, "none, or with the host's processes")
    if host.own_groups:
        yield Check(
            "Control groups",
            None,
            "httptop sees only those below its own: filters by container find no others",
            "start the container with --cgroupns=host",
        )
    if host.io_uring_disabled == 2:
        yield Check("io_uring", True, "disabled: no request can bypass the probes")
    else:
        yield Check("io_uring", None, "requests that a program sends through it are not seen")


def _memory(limit: int | None) -> str:
    return "unlimited" if limit is None else f"{limit // 1024} KiB"


def bcc_version(host: Host) -> Check:
    """Import BCC in a separate process, as the loader does, and report its version."""
    if host.bcc is None:
        return _bcc(host)
    code = "import sys; sys.path.append(sys.argv[1]); import bcc; print(bcc.__version__)"
    command = [sys.executable, "-P", "-c", code, str(host.bcc)]  # not from the current directory
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return Check("BCC", True, f"{result.stdout.strip()} in {host.bcc}")
    reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
    install = install_command(host.distribution, root_user=host.euid == 0)
    return Check("BCC", False, f"BCC in {host.bcc} cannot be imported ({reason})", install)


def probe_load() -> Check:
    """Load and attach the probes for a moment; takes seconds."""
    name = "Probes"
    try:
        loading = Loading()
        trial = build({**_TRIAL, "performance.cache": _cache()})
        loading.give(plan_of(trial, Scope(), possible_cpus(), own_pid_namespace()))
        loaded = loading.wait()
        try:
            loaded.attach()
        finally:
            loaded.close()
    except (HttptopError, OSError) as error:
        return Check(name, False, f"they cannot be loaded: {' '.join(str(error).split())}")
    how = f"load and attach, {_FRONTS[loaded.front]}"
    if loaded.refused:
        parts = "; ".join(f"{program} ({why})" for program, why in loaded.refused.items())
        return Check(name, None, f"{how}; refused: {parts}")
    return Check(name, True, how)


def _cache() -> str:
    """Return where a run keeps what it compiles; empty where the configuration is wrong."""
    try:
        return load({}, os.environ, invoking_user(os.environ)).settings.performance.cache
    except HttptopError:
        return ""


def table(findings: Sequence[Check]) -> str:
    """Return the findings as an aligned table, a remedy on a line below its finding."""
    marks = {True: "ok  ", False: "FAIL", None: "note"}
    width = max(len(check.name) for check in findings)
    lines = []
    for check in findings:
        lines.append(f"{marks[check.ok]}  {check.name:<{width}}  {check.finding}")
        if check.remedy:
            lines.append(f"{'':<{width + 8}}→ {check.remedy}")
    return "\n".join(lines)


def tried(host: Host) -> list[Check]:
    """Check a host, load BCC, and the probes if nothing forbids it; takes seconds."""
    findings = [bcc_version(host) if check.name == "BCC" else check for check in checks(host)]
    if all(check.ok is not False for check in findings):
        findings.append(probe_load())
    return findings


def main(host: Host | None = None) -> int:
    """Print checks and processes; return 0 if live tracing works and 77 if it does not."""
    host = host or hosts.this_host()
    findings = tried(host)
    say(table(findings))
    if host.proc:
        say("")
        say(report.table(survey(time.time())))
    say("")
    return verdict(findings, "httptop can trace this host", "httptop cannot trace this host")


def verdict(findings: Sequence[Check], good: str, bad: str) -> int:
    """Say how it stands, and what to mend first; return the exit status."""
    first = next((check for check in findings if check.ok is False), None)
    if first is None:
        say(f"{good}.")
        return 0
    say(f"{bad}: {first.finding}.")
    if first.remedy:
        say(f"To fix it: {first.remedy}")
    return CANNOT_TRACE


if __name__ == "__main__":
    sys.exit(main())
