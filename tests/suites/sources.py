"""The parsers' packages that bring their test suites, and how they are fetched.

Only the packages' ordinary clients are asked: pip for source distributions, apt for Debian's
packages and sources. Archives are read in memory; nothing is unpacked, nothing of them is run.
"""

from __future__ import annotations

import fnmatch
import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tests.suites.vectors import (
    Kind,
    Reader,
    Vector,
    of_file,
    of_heredocs,
    of_markdown,
    of_python,
    of_source,
    of_treq,
)
from tests.zoo.running import OWN

_KEPT: Final = OWN / "suites"
_TIMEOUT_S: Final = 300
_LARGEST: Final = 4_000_000  # bytes of one file
_ARCHIVE: Final = re.compile(r"(\.orig\.tar\.[a-z0-9]+|-[0-9.]+\.tar\.gz|\.deb)$")


@dataclass(frozen=True)
class Suite:
    """One suite: the package that has it, and its files by pattern."""

    name: str
    by: Literal["pip", "apt", "apt source"]
    package: str
    files: tuple[tuple[str, Reader, Kind | None], ...]


SUITES: Final = (
    Suite(
        "llhttp",
        "pip",
        "aiohttp",
        (
            ("*/vendor/llhttp/test/request/*.md", of_markdown, "request"),
            ("*/vendor/llhttp/test/response/*.md", of_markdown, "response"),
        ),
    ),
    Suite("aiohttp", "pip", "aiohttp", (("*/tests/test_*.py", of_python, None),)),
    Suite(
        "gunicorn",
        "pip",
        "gunicorn",
        (
            ("*/tests/requests/*valid/*.http", of_treq, "request"),
            ("*/tests/test_*.py", of_python, None),
        ),
    ),
    Suite("h11", "pip", "h11", (("*/h11/tests/*.py", of_python, None),)),
    Suite("httptools", "pip", "httptools", (("*/tests/*.py", of_python, None),)),
    Suite("uvicorn", "pip", "uvicorn", (("*/tests/protocols/*.py", of_python, None),)),
    Suite("waitress", "pip", "waitress", (("*/tests/*.py", of_python, None),)),
    Suite("http-parser", "apt source", "http-parser", (("*/test.c", of_source, None),)),
    Suite(
        "lighttpd",
        "apt source",
        "lighttpd",
        (
            ("*/src/t/test_request.c", of_source, "request"),
            ("*/tests/request.t", of_heredocs, "request"),
        ),
    ),
    Suite(
        "jetty",
        "apt source",
        "jetty9",
        (("*/jetty-http/src/test/*.java", of_source, None),),
    ),
    Suite("httparse", "apt", "librust-httparse-dev", (("*.rs", of_source, None),)),
    Suite("hyper", "apt", "librust-hyper-dev", (("*/src/*.rs", of_source, None),)),
    Suite("Go net/http", "apt", "golang-src", (("*/src/net/http/*_test.go", of_source, None),)),
)


class Missing(Exception):
    """A package could not be had."""


def vectors_of(suite: Suite) -> list[Vector]:
    """Return the vectors of a suite, fetched now or kept from before; raises :class:`Missing`."""
    found: list[Vector] = []
    for name, data in _members(_fetched(suite)):
        for pattern, reader, kind in suite.files:
            if fnmatch.fnmatchcase(name, pattern):
                short = "/".join(Path(name).parts[-2:])
                found.extend(of_file(suite.name, short, data, reader, kind))
                break
    return found


def _fetched(suite: Suite) -> list[Path]:
    kept = _KEPT / f"{suite.by} {suite.package}".replace(" ", "-")
    if not kept.exists():
        fresh = kept.with_name(f"{kept.name}.part")
        fresh.mkdir(parents=True, exist_ok=True)
        for command in _commands(suite, fresh):
            done = subprocess.run(
                command, cwd=fresh, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            )
            if done.returncode:
                raise Missing((done.stderr or done.stdout).strip().splitlines()[-1])
        fresh.rename(kept)
    return [path for path in sorted(kept.iterdir()) if _ARCHIVE.search(path.name)]


def _commands(suite: Suite, where: Path) -> Iterator[list[str]]:
    if suite.by == "pip":
        pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
        yield [*pip, "--no-deps", "--no-binary", suite.package, "-d", str(where), suite.package]
    elif suite.by == "apt":
        yield ["apt-get", "-q", "download", _packages_of(suite.package)]
    else:
        apt = ["apt-get", "-q", *_source_lists()]
        yield [*apt, "source", "--download-only", suite.package]


def _packages_of(package: str) -> str:
    """Return what a package that only names another one depends on; else the package."""
    said = _said(["apt-cache", "depends", "--no-recommends", "--no-suggests", package])
    needed = [line.split()[1] for line in said.splitlines() if line.strip().startswith("Depends:")]
    return needed[0] if len(needed) == 1 and needed[0].startswith("golang-") else package


def _source_lists() -> list[str]:
    """Return apt's options for lists of sources, beside the host's own, from the same places."""
    lists = _KEPT / "apt"
    places = {
        "Dir::Etc::sourcelist": f"{lists}/sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": f"{lists}/lists",
    }
    options = [part for name, value in places.items() for part in ("-o", f"{name}={value}")]
    if not (lists / "done").exists():
        (lists / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        form = "deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)"
        known = _said(["apt-get", "indextargets", "--format", form, "Identifier: Packages"])
        ours = sorted({line for line in known.splitlines() if line.endswith(" main")})
        (lists / "sources.list").write_text("\n".join([*ours, ""]))
        _said(["apt-get", "-q", *options, "update"])
        (lists / "done").touch()
    return options


def _said(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode:
        raise Missing(f"{command[0]}: {done.stderr.strip()[-200:]}")
    return done.stdout


def _members(archives: list[Path]) -> Iterator[tuple[str, bytes]]:
    for archive in archives:
        data = archive.read_bytes()
        if archive.suffix == ".deb":
            command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
            done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=True)
            data = done.stdout
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                if member.isfile() and member.size <= _LARGEST:
                    file = tar.extractfile(member)
                    if file is not None:
                        yield member.name, file.read()
