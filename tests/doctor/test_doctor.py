"""The doctor's judgement of hosts that are described, and the finding of BCC in made-up trees."""

from __future__ import annotations

import errno
import time
from dataclasses import replace
from pathlib import Path

import pytest

from httptop.bpf.build import find_bcc
from httptop.doctor import checks
from httptop.doctor.host import Host, missing_helper, this_host
from httptop.linux.capabilities import CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN
from httptop.linux.processes import FIRST_PID_NAMESPACE
from tests.live.pool import cache_directory

DEBIAN = {"ID": "debian", "VERSION_ID": "12"}

GOOD = Host(
    machine="x86_64",
    release="6.1.0-37-amd64",
    euid=0,
    proc=True,
    own_proc=True,
    capabilities=(1 << 41) - 1,
    bcc=Path("/usr/lib/python3/dist-packages"),
    impostor=None,
    libbcc=Path("/usr/lib/x86_64-linux-gnu/libbcc.so.0"),
    bpf_errno=0,
    ring_buffer_errno=0,
    missing_helper=None,
    lockdown="none",
    btf=True,
    jit=1,
    memlock_bytes=8 << 20,
    io_uring_disabled=0,
    pid_namespace=FIRST_PID_NAMESPACE,
    own_users=False,
    own_groups=False,
    distribution=DEBIAN,
    command="/opt/httptop/.venv/bin/httptop",
)
USER = replace(GOOD, euid=1000, capabilities=0, bpf_errno=errno.EPERM, ring_buffer_errno=1)


def test_nothing_is_imported_from_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doctor imports BCC in a process of its own, as root where it is called as root."""
    for directory in ("here", "there"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "bcc.py").write_text(f"__version__ = {directory!r}\n")
    monkeypatch.chdir(tmp_path / "here")
    found = checks.bcc_version(replace(this_host(), bcc=tmp_path / "there"))
    assert found.finding == f"there in {tmp_path / 'there'}"


def test_a_good_host_is_not_refused() -> None:
    assert checks.refusal(GOOD) is None
    assert all(check.ok is not False for check in checks.checks(GOOD))


@pytest.mark.parametrize(
    ("host", "reason", "remedy"),
    [
        pytest.param(USER, "needs root", "sudo /opt/httptop/.venv/bin/httptop", id="not root"),
        pytest.param(
            replace(GOOD, capabilities=1 << CAP_PERFMON, bpf_errno=errno.EPERM),
            "root lacks the capabilities",
            "--cap-add=BPF --cap-add=PERFMON --pid=host",
            id="root in a container",
        ),
        pytest.param(
            replace(GOOD, own_users=True, bpf_errno=errno.EPERM),
            "a user namespace's capabilities do not count",
            "as root of the host",
            id="a rootless container",
        ),
        pytest.param(
            replace(GOOD, bcc=None),
            "BCC is not installed",
            ": apt-get install -y --no-install-recommends python3-bpfcc",
            id="no BCC",
        ),
        pytest.param(
            replace(GOOD, bcc=None, impostor=Path("/x/site-packages/bcc")),
            "/x/site-packages/bcc from PyPI is something else",
            "apt-get install",
            id="the bcc of PyPI",
        ),
        pytest.param(
            replace(GOOD, libbcc=None), "libbcc.so.0 is missing", "apt-get", id="no libbcc"
        ),
        pytest.param(
            replace(GOOD, release="5.4.0-150", ring_buffer_errno=errno.EINVAL),
            "kernel 5.4.0-150 is too old",
            "Linux 5.15 or newer",
            id="an old kernel",
        ),
        pytest.param(
            replace(GOOD, bpf_errno=errno.ENOSYS, ring_buffer_errno=errno.ENOSYS),
            "built without BPF",
            "CONFIG_BPF_SYSCALL",
            id="a kernel without BPF",
        ),
        pytest.param(
            replace(GOOD, btf=False), "no /sys/kernel/btf", "CONFIG_DEBUG_INFO_BTF", id="no BTF"
        ),
        pytest.param(
            replace(GOOD, lockdown="confidentiality"),
            "locked down",
            "lockdown=integrity",
            id="lockdown",
        ),
        pytest.param(
            replace(GOOD, machine="riscv64"),
            "does not work on riscv64",
            "on x86_64,",
            id="architecture",
        ),
        pytest.param(
            replace(GOOD, bpf_errno=errno.EPERM, ring_buffer_errno=errno.EPERM),
            "forbidden here",
            "a seccomp profile that allows bpf",
            id="seccomp",
        ),
        pytest.param(
            replace(GOOD, release="5.10.0-30", bpf_errno=errno.EPERM, memlock_bytes=65536),
            "limit: 64 KiB",
            "ulimit -l unlimited",
            id="locked memory",
        ),
        pytest.param(
            replace(GOOD, release="5.10.0-32", missing_helper="bpf_get_current_task_btf"),
            "Linux 5.10 lacks bpf_get_current_task_btf; 5.15 has it",
            "Linux 5.15 or newer",
            id="a kernel without a helper",
        ),
        pytest.param(
            replace(GOOD, proc=False, capabilities=0),
            "/proc is not mounted",
            "mount -t proc proc /proc",
            id="no /proc",
        ),
        pytest.param(
            replace(GOOD, own_proc=False),
            "/proc shows the processes of another namespace",
            "mount -t proc proc /proc",
            id="the /proc of others",
        ),
        pytest.param(
            replace(GOOD, ring_buffer_errno=errno.ENOMEM), "Cannot allocate", "", id="no memory"
        ),
    ],
)
def test_a_host_that_cannot_be_traced_is_refused_in_one_line(
    host: Host, reason: str, remedy: str
) -> None:
    refusal = checks.refusal(host)
    assert refusal is not None
    assert reason in refusal
    assert remedy in refusal
    assert "\n" not in refusal


def test_what_cannot_be_known_on_another_architecture_is_not_said() -> None:
    other = replace(GOOD, machine="aarch64", bpf_errno=errno.ENOSYS, ring_buffer_errno=errno.ENOSYS)
    found = [check for check in checks.checks(other) if check.ok is False]
    assert [check.name for check in found] == ["Architecture"]
    assert "Kernel" not in {check.name for check in checks.checks(other)}


def test_without_proc_nothing_is_said_of_capabilities() -> None:
    found = checks.checks(replace(GOOD, proc=False, capabilities=0))
    assert [check.name for check in found if check.ok is False] == ["/proc"]
    assert "Privileges" not in {check.name for check in found}


@pytest.mark.ebpf
def test_a_function_that_the_kernel_lacks_is_named() -> None:
    there = {"bpf_get_current_task_btf": 158}
    assert missing_helper() is None
    assert missing_helper({**there, "bpf_of_tomorrow": 1 << 20}) == "bpf_of_tomorrow"


@pytest.mark.parametrize(
    "capabilities", [1 << CAP_SYS_ADMIN, 1 << CAP_BPF | 1 << CAP_PERFMON], ids=["admin", "two"]
)
def test_capabilities_do_instead_of_root(capabilities: int) -> None:
    assert checks.refusal(replace(GOOD, euid=1000, capabilities=capabilities)) is None


def test_one_capability_alone_is_not_enough() -> None:
    host = replace(GOOD, euid=1000, capabilities=1 << CAP_BPF)
    assert "needs root" in str(checks.refusal(host))


def test_lockdown_for_integrity_does_not_hinder() -> None:
    assert checks.refusal(replace(GOOD, lockdown="integrity")) is None


@pytest.mark.parametrize(
    ("host", "note"),
    [
        (replace(GOOD, jit=0), "BPF JIT"),
        (replace(GOOD, pid_namespace=4026532001), "Container"),
        (replace(GOOD, own_groups=True), "Control groups"),
        (replace(GOOD, io_uring_disabled=None), "io_uring"),
        (replace(GOOD, release="5.9.1"), "Locked memory"),
    ],
)
def test_what_is_good_to_know_refuses_nothing(host: Host, note: str) -> None:
    assert [check.ok for check in checks.checks(host) if check.name == note] == [None]
    assert checks.refusal(host) is None


def test_the_table_is_aligned_and_names_remedies() -> None:
    lines = checks.table(checks.checks(replace(GOOD, bcc=None))).splitlines()
    findings = [line for line in lines if "→" not in line]
    assert len({len(line) - len(line[6:].partition("  ")[2].lstrip()) for line in findings}) == 1
    assert [line[:4] for line in findings].count("FAIL") == 1
    assert sum("python3-bpfcc" in line for line in lines) == 1


def test_the_doctor_tells_why_and_how_to_fix_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert checks.main(USER) == 77
    said = capsys.readouterr().out
    assert said.endswith("To fix it: sudo /opt/httptop/.venv/bin/httptop\n")


@pytest.mark.ebpf
def test_this_host_can_be_traced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPTOP_PERFORMANCE__CACHE", cache_directory())
    assert checks.main() == 0
    assert capsys.readouterr().out.endswith("httptop can trace this host.\n")


def test_a_refusal_is_cheap() -> None:
    checks.refusal()
    began = time.process_time()
    for _ in range(10):
        checks.refusal()
    assert (time.process_time() - began) / 10 < 0.02


@pytest.mark.parametrize(
    ("release", "version"),
    [
        ("6.18.44-fc", (6, 18)),
        ("5.4", (5, 4)),
        ("4.19+", (4, 19)),
        ("odd", (0, 0)),
        ("5.x", (5, 0)),
    ],
)
def test_kernel_releases_are_read_as_versions(release: str, version: tuple[int, int]) -> None:
    assert replace(GOOD, release=release).kernel == version


def test_facts_are_read_from_files(tmp_path: Path) -> None:
    for name, text in {
        "proc/self/status": "Name:\tx\nCapEff:\t000000c000000000\n",
        "proc/self/uid_map": "         0       1000          1\n",
        "proc/sys/net/core/bpf_jit_enable": "0\n",
        "sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
        "sys/kernel/btf/vmlinux": "",
        "etc/os-release": 'ID="fedora"\n# comment\nNAME=Fedora Linux\n',
        "usr/lib64/libbcc.so.0": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    make_bcc(tmp_path / "usr/lib/python3.12/site-packages")
    host = this_host(tmp_path)
    assert host.proc
    assert host.privileged
    assert not host.capable(CAP_SYS_ADMIN)
    assert (host.jit, host.lockdown, host.btf) == (0, "integrity", True)
    assert host.own_users
    assert host.io_uring_disabled is None
    assert host.pid_namespace is None
    assert host.bcc == tmp_path / "usr/lib/python3.12/site-packages"
    assert host.libbcc == tmp_path / "usr/lib64/libbcc.so.0"
    assert host.distribution["ID"] == "fedora"


def test_a_missing_proc_is_noticed(tmp_path: Path) -> None:
    assert not this_host(tmp_path).proc


def make_bcc(directory: Path) -> None:
    (directory / "bcc").mkdir(parents=True)
    for name in ("__init__.py", *find_bcc.MARKS):
        (directory / "bcc" / name).touch()


@pytest.mark.parametrize(
    "place",
    [
        "usr/lib/python3/dist-packages",
        "usr/lib/python3.13/site-packages",
        "usr/local/lib/python3.11/dist-packages",
        "usr/lib/python3/dist-packages/bcc-0.30.0-py3.12.egg",
    ],
)
def test_bcc_is_found_where_distributions_put_it(tmp_path: Path, place: str) -> None:
    assert find_bcc.find_bcc(tmp_path) is None
    make_bcc(tmp_path / place)
    assert find_bcc.find_bcc(tmp_path) == tmp_path / place


def test_another_package_of_that_name_is_not_bcc(tmp_path: Path) -> None:
    directory = tmp_path / "usr/lib/python3/dist-packages"
    (directory / "bcc").mkdir(parents=True)
    (directory / "bcc/__init__.py").touch()
    assert find_bcc.find_bcc(tmp_path) is None
    assert find_bcc.find_impostor(["", str(tmp_path), str(directory)]) == directory / "bcc"
    make_bcc(tmp_path / "real")
    assert find_bcc.find_impostor([str(tmp_path / "real")]) is None


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ({"ID": "ubuntu"}, "sudo apt-get install -y --no-install-recommends python3-bpfcc"),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, "sudo apt-get install -y"),
        ({"ID": "fedora"}, "sudo dnf install -y python3-bcc"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "sudo dnf install -y python3-bcc"),
        ({"ID": "arch"}, "sudo pacman -S --needed python-bcc"),
        ({"ID": "opensuse-tumbleweed", "ID_LIKE": "opensuse suse"}, "sudo zypper install"),
        ({}, "install your distribution's BCC package"),
    ],
)
def test_the_command_that_installs_bcc_fits_the_distribution(
    release: dict[str, str], command: str
) -> None:
    assert find_bcc.install_command(release).startswith(command)
    assert "headers" not in find_bcc.install_command(release)
    assert not find_bcc.install_command(release, root_user=True).startswith("sudo")


def test_an_older_kernel_that_may_do_is_told_and_not_refused() -> None:
    older = replace(GOOD, release="5.14.0-427.el9")
    (kernel,) = (check for check in checks.checks(older) if check.name == "Kernel")
    assert kernel.ok is None
    assert "5.15" in kernel.finding
    assert checks.refusal(older) is None


@pytest.mark.parametrize(("release", "preempts"), [("6.19.0", False), ("7.0.0-rc1", True)])
def test_a_kernel_that_preempts_programs_is_named(release: str, preempts: bool) -> None:
    host = replace(GOOD, release=release)
    (kernel,) = (check for check in checks.checks(host) if check.name == "Kernel")
    assert checks.refusal(host) is None
    assert kernel.ok
    assert ("may preempt programs" in kernel.finding) is preempts
