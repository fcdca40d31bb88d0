"""Boot a Linux kernel in an emulated machine over a directory, run a shell script there, power off.

The machine is QEMU's, with two CPUs. Its root file system is the directory itself, shared over 9p
and written to as it stands, so results need no other way out. Emulation, not KVM, is wanted: it
needs nothing of the host, and an instruction takes long enough there that threads are preempted in
the middle of a probe in every run, which on hardware is rare.
"""

from __future__ import annotations

import gzip
import lzma
import stat
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

QEMU: Final = "qemu-system-x86_64"
CPUS: Final = 2
MEMORY_MIB: Final = 3072

#: What the kernel may have as modules and the root file system needs, in no particular order.
_MODULES: Final = ("virtio_pci", "9pnet_virtio", "9p")

#: A kernel that is stuck for two minutes says where, and ends the machine.
_COMMAND_LINE: Final = (
    "console=ttyS0 quiet panic=-1 softlockup_panic=1 watchdog_thresh=60 mitigations=off"
)

_INIT: Final = """\
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
while read -r module; do $b insmod "/modules/$module"; done </modules/order
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose tree /root
for system in proc sys dev; do $b mount --move /$system /root/$system; done
exec $b switch_root /root /bin/sh {script}
"""

#: Before the script: what a distribution's own start would have set up. BPF statistics are on for
#: good, since QEMU 7.2 may never see that the kernel has patched its code to switch them, which
#: httptop asks for in every other tick; both CPUs are stuck then.
PREPARE: Final = """\
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8 TERM=dumb
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for place in /dev/shm /run /tmp; do mount -t tmpfs -o mode=1777 tmpfs $place; done
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t debugfs debugfs /sys/kernel/debug
echo 1 >/proc/sys/kernel/bpf_stats_enabled
ip link set lo up
ulimit -n 65536
"""

#: After it: emulated power, switched off by the kernel without anybody's help.
POWER_OFF: Final = """\
sync
echo o >/proc/sysrq-trigger
while :; do :; done
"""


class Died(Exception):
    """The machine did not come to the end of its script."""


def boot(
    tree: Path, kernel: Path, initramfs: Path, limit_s: float, *, append: str = ""
) -> Iterator[str]:
    """Boot ``kernel`` over ``tree`` and yield the lines of its serial console until it is off.

    The initramfs says which script runs (:func:`initramfs`). ``append`` is added to the kernel's
    command line. Raises :class:`Died` if that took longer than ``limit_s``, or QEMU failed.
    """
    path = str(tree).replace(",", ",,")  # in QEMU's words
    share = f"local,id=tree,path={path},security_model=none,multidevs=remap"
    command = [
        *(QEMU, "-nodefaults", "-no-reboot", "-display", "none"),
        *("-machine", "q35", "-cpu", "max", "-accel", "tcg,thread=multi"),
        *("-smp", str(CPUS), "-m", str(MEMORY_MIB)),
        *("-kernel", str(kernel), "-initrd", str(initramfs)),
        *("-append", f"{_COMMAND_LINE} {append}"),
        *("-fsdev", share, "-device", "virtio-9p-pci,fsdev=tree,mount_tag=tree"),
        *("-serial", "stdio"),
    ]
    machine = subprocess.Popen(
        ["timeout", f"{limit_s:.0f}", "nice", "-n", "10", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with machine:
        assert machine.stdout is not None
        try:
            for line in machine.stdout:
                yield line.decode(errors="replace").rstrip("\r\n")
        finally:
            machine.terminate()
    if machine.returncode:
        why = f"after {limit_s:.0f} s" if machine.returncode == 124 else f"({machine.returncode})"
        raise Died(f"QEMU ended {why} before the machine switched itself off")


def initramfs(busybox: Path, modules: Sequence[Path], script: str) -> bytes:
    """Return a compressed archive that mounts the tree and hands over to ``script`` in it.

    ``modules`` are loaded in this order; compressed ones are unpacked.
    """
    unpacked = [(path.name.partition(".ko")[0] + ".ko", _unpacked(path)) for path in modules]
    files: list[tuple[str, int, bytes]] = [
        (name, stat.S_IFDIR | 0o755, b"")
        for name in ("bin", "modules", "proc", "sys", "dev", "root")
    ]
    files += [
        ("bin/busybox", stat.S_IFREG | 0o755, busybox.read_bytes()),
        ("init", stat.S_IFREG | 0o755, _INIT.format(script=script).encode()),
        ("modules/order", stat.S_IFREG | 0o644, "".join(f"{n}\n" for n, _ in unpacked).encode()),
    ]
    files += [(f"modules/{name}", stat.S_IFREG | 0o644, data) for name, data in unpacked]
    return gzip.compress(b"".join(_cpio(files)), compresslevel=1)


def modules_of(tree: Path, directory: str, version: str) -> list[Path]:
    """Return the modules that the root file system needs, each after those that it needs itself.

    ``directory`` holds ``lib/modules`` and is seen from ``tree``, whose ``modprobe`` is asked.
    """
    found: dict[Path, None] = {}
    for module in _MODULES:
        shown = subprocess.run(
            ["chroot", tree, "modprobe", "-d", directory, "-S", version, "--show-depends", module],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for line in shown.splitlines():
            if line.startswith("insmod "):  # the others are "builtin"
                found[tree / line.split()[1].lstrip("/")] = None
    return list(found)


def _unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def _cpio(files: Iterable[tuple[str, int, bytes]]) -> Iterator[bytes]:
    """Yield an archive in the format "newc", the only one that the kernel reads."""
    for number, (name, mode, data) in enumerate((*files, ("TRAILER!!!", 0, b"")), start=1):
        size_of_name = len(name) + 1
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, size_of_name, 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        yield head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
