"""Find BCC: the distribution's Python module and its library, and the command that installs them.

BCC does not come from PyPI (the package called ``bcc`` there is something else). The
distribution's module is pure Python over ctypes, so any Python can use it once its directory is on
``sys.path``. Only the short-lived loader process adds it, since that directory contains other
modules, which must not shadow those of our virtual environment.

Run as a program, this file prints that directory, or nothing with exit status 1. The set-up script
runs it before httptop is installed, so it imports nothing from httptop.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

#: Where distributions and BCC's ``make install`` put its Python module; globs below a root.
MODULE_DIRECTORIES: Final = (
    "usr/lib/python3/dist-packages",
    "usr/lib/python3.[0-9]*/site-packages",
    "usr/lib64/python3.[0-9]*/site-packages",
    "usr/local/lib/python3.[0-9]*/dist-packages",
    "usr/local/lib/python3.[0-9]*/site-packages",
    "usr/lib/python3*/dist-packages/bcc-*.egg",
    "usr/local/lib/python3*/*-packages/bcc-*.egg",
)

#: Files that only the BPF Compiler Collection has; PyPI's ``bcc`` has none of them.
MARKS: Final = ("libbcc.py", "table.py", "syscall.py")

#: The library behind the Python module; it contains clang.
LIBRARY: Final = "libbcc.so.0"
LIBRARY_DIRECTORIES: Final = (
    "usr/lib/*-linux-gnu",
    "lib/*-linux-gnu",
    "usr/lib64",
    "usr/lib",
    "usr/local/lib",
    "usr/local/lib64",
    "usr/local/lib/*-linux-gnu",
)

_INSTALL: Final[Mapping[str, str]] = {
    "debian": "apt-get install -y --no-install-recommends python3-bpfcc",
    "ubuntu": "apt-get install -y --no-install-recommends python3-bpfcc",
    "fedora": "dnf install -y python3-bcc",
    "rhel": "dnf install -y python3-bcc",
    "centos": "dnf install -y python3-bcc",
    "arch": "pacman -S --needed python-bcc",
    "suse": "zypper install python3-bcc",
    "opensuse": "zypper install python3-bcc",
    "alpine": "apk add py3-bcc",
    "gentoo": "emerge dev-util/bcc",
}


def is_bcc(package: Path) -> bool:
    """Return whether a directory is the Python package of the BPF Compiler Collection."""
    return all((package / mark).is_file() for mark in MARKS)


def find_bcc(root: Path = Path("/")) -> Path | None:
    """Return the directory to put on ``sys.path`` so that ``import bcc`` imports BCC."""
    for directory in _directories(root, MODULE_DIRECTORIES):
        if is_bcc(directory / "bcc"):
            return directory
    return None


def find_impostor(directories: Iterable[str]) -> Path | None:
    """Return a package in ``directories`` that is called ``bcc`` but is not BCC."""
    for directory in directories:
        package = Path(directory, "bcc")
        if (package / "__init__.py").is_file() and not is_bcc(package):
            return package
    return None


def find_library(root: Path = Path("/")) -> Path | None:
    """Return the path of BCC's library."""
    for directory in _directories(root, LIBRARY_DIRECTORIES):
        if (directory / LIBRARY).exists():
            return directory / LIBRARY
    if root != Path("/"):
        return None
    # Last, since it is slow: ask the dynamic linker's cache.
    import ctypes.util

    found = ctypes.util.find_library(LIBRARY.removeprefix("lib").partition(".so")[0])
    return Path(found) if found else None


def os_release(root: Path = Path("/")) -> dict[str, str]:
    """Return the fields of os-release(5); empty where there is no such file."""
    for path in ("etc/os-release", "usr/lib/os-release"):
        try:
            text = (root / path).read_text("utf-8", "replace")
        except OSError:
            continue
        fields = (line.partition("=") for line in text.splitlines() if "=" in line)
        return {key.strip(): value.strip().strip("\"'") for key, _, value in fields}
    return {}


def install_command(release: Mapping[str, str] | None = None, *, root_user: bool = False) -> str:
    """Return the command that installs BCC on the distribution of ``release`` (default: this host).

    It has no ``sudo`` for the root user. For an unknown distribution the text refers to BCC's own
    list of packages.
    """
    fields = os_release() if release is None else release
    for name in (fields.get("ID", ""), *fields.get("ID_LIKE", "").split()):
        command = _INSTALL.get(name) or _INSTALL.get(name.partition("-")[0])
        if command:
            return command if root_user else f"sudo {command}"
    return "install your distribution's BCC package for Python 3 (see BCC's INSTALL.md)"


def _directories(root: Path, patterns: Iterable[str]) -> Iterable[Path]:
    for pattern in patterns:
        if "*" in pattern:
            yield from sorted(root.glob(pattern), reverse=True)
        else:
            yield root / pattern


if __name__ == "__main__":
    found_directory = find_bcc()
    if found_directory is None:
        sys.exit(1)
    print(found_directory)
