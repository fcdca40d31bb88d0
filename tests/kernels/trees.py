"""What a machine boots: a Debian release, its kernel, and a checkout that is set up in it.

All of it comes by the distribution's own clients: the tree by ``debootstrap``, the kernel by the
tree's ``apt-get download``, and what httptop needs by ``scripts/setup test`` in the tree. So each
kernel is tested with the BCC and the Python of its time. Trees are kept; remove one to renew it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.kernels import machine

#: In the order of their kernels: Linux 6.1, 6.12, and the newest that Debian has.
RELEASES: Final = ("bookworm", "trixie", "sid")
MIRROR: Final = "http://deb.debian.org/debian"
#: Where the checkout is in a tree.
CHECKOUT: Final = "srv/httptop"

#: Beside the smallest system: what starts the machine, and what the tests look at.
_PACKAGES: Final = ("busybox-static", "ca-certificates", "iproute2", "kmod", "procps")
#: A mirror that lags behind, or one that is frozen on purpose, will do.
_APT: Final = 'Acquire::Check-Valid-Until "false";\n'
#: Authorities that this host trusts beside the usual ones, as behind a proxy.
_CERTIFICATES: Final = Path("/usr/local/share/ca-certificates")
_KERNEL: Final = "kernel"
#: The packages with a kernel's files: one until Linux 6, several since then.
_KERNEL_FILES: Final = re.compile(r"linux-(image|base|binary|modules)-\d")


@dataclass(frozen=True, slots=True)
class Tree:
    """A release that is ready to boot."""

    root: Path
    version: str  # as `uname -r` says it
    kernel: Path
    modules: tuple[Path, ...]  # to load before the root file system is there, in this order


def prepare(work: Path, release: str, checkout: Path) -> Tree:
    """Return the tree of a release below ``work``, with ``checkout`` as it is now.

    Raises CalledProcessError; what failed has said why on standard error.
    """
    root = work / release
    complete = root / ".complete"
    if not complete.exists():
        shutil.rmtree(root, ignore_errors=True)
        work.mkdir(parents=True, exist_ok=True)
        _make(root, release)
        complete.touch()
    _copy(checkout, root / CHECKOUT)
    _run("chroot", root, "/bin/sh", "-c", f"cd /{CHECKOUT} && scripts/setup test")
    (version,) = (path.name for path in (root / _KERNEL / "lib/modules").iterdir())
    modules = machine.modules_of(root, f"/{_KERNEL}", version)
    return Tree(root, version, root / _KERNEL / "vmlinuz", tuple(modules))


def _make(root: Path, release: str) -> None:
    packages = ",".join(_PACKAGES)
    _run("debootstrap", "--variant=minbase", f"--include={packages}", release, root, MIRROR)
    (root / "etc/apt/apt.conf.d/90tests").write_text(_APT)
    for certificate in _CERTIFICATES.glob("*.crt"):
        shutil.copy(certificate, root / _CERTIFICATES.relative_to("/"))
    _run("chroot", root, "update-ca-certificates")
    _run("chroot", root, "apt-get", "-q", "update")
    _fetch_kernel(root, root / _KERNEL)


def _fetch_kernel(root: Path, where: Path) -> None:
    """Unpack the release's kernel to ``where``, a directory in the tree."""
    inside = f"/{where.relative_to(root)}"
    where.mkdir()
    images = [name for name in _needed_by(root, "linux-image-amd64") if _KERNEL_FILES.match(name)]
    parts = [name for image in images for name in _needed_by(root, image)]
    for name in {*images, *filter(_KERNEL_FILES.match, parts)}:
        download = f"cd {inside} && apt-get -q -o APT::Sandbox::User=root download {name}"
        _run("chroot", root, "/bin/sh", "-c", download)
    for package in where.glob("*.deb"):
        _run("chroot", root, "dpkg", "-x", f"{inside}/{package.name}", inside)
        package.unlink()
    if not (where / "lib").exists():
        (where / "lib").symlink_to("usr/lib")
    (version,) = (path.name for path in (where / "lib/modules").iterdir())
    (image,) = (*where.glob("boot/vmlinuz-*"), *where.glob("lib/modules/*/vmlinuz"))
    (where / "vmlinuz").symlink_to(image.relative_to(where))
    _run("chroot", root, "depmod", "-b", inside, version)


def _needed_by(root: Path, package: str) -> list[str]:
    """Return the names of the packages that a package depends on."""
    command = ["chroot", str(root), "apt-cache", "depends", "--important", package]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.findall(r"Depends: ([a-z]\S*)", shown)


def _copy(checkout: Path, to: Path) -> None:
    """Make ``to`` hold the files of a checkout that git knows or would add; keep its ``.venv``."""
    command = ["git", "-c", f"safe.directory={checkout}", "ls-files", "-z", "--cached", "--others"]
    listed = subprocess.run(
        [*command, "--exclude-standard"], cwd=checkout, capture_output=True, text=True, check=True
    ).stdout
    to.mkdir(parents=True, exist_ok=True)
    for old in to.iterdir():
        if old.is_dir() and old.name != ".venv":
            shutil.rmtree(old)
        elif not old.is_dir():
            old.unlink()
    for name in filter(None, listed.split("\0")):
        if (checkout / name).is_file():  # not one that was removed but not yet from the index
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(checkout / name, to / name)


def _run(*command: object) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    subprocess.run([str(word) for word in command], check=True, env=environment)
