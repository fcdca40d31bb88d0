"""What the set-up compiles ahead is what the first start takes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from httptop.bpf.build.child import Loading
from httptop.bpf.plan import plan_of
from httptop.config.load import build
from httptop.config.scope import Scope, limited
from httptop.linux.cpus import possible_cpus
from tests.live.command import NOBODY, readable

ROOT = Path(__file__).parents[2]


def warm(cache: str, user: int | None = None) -> subprocess.CompletedProcess[str]:
    """Fill a cache as the set-up does, as this or another user."""
    python, environ = readable()
    return subprocess.run(
        [python, "-P", "-m", "httptop.run.warm"],
        env={**environ, "HTTPTOP_PERFORMANCE__CACHE": cache, "HOME": "/"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )


def held(directory: Path) -> set[tuple[str, int]]:
    """Return the names and inodes in a cache; a file that is written again has another inode."""
    return {(file.name, file.stat().st_ino) for file in directory.iterdir()}


@pytest.mark.ebpf
def test_the_first_start_finds_what_it_needs(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    done = warm(str(cache))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    made = held(cache)
    assert sorted(name.partition(".")[2] for name, _ in made) == ["image", "image", "layout"]
    settings = build({"performance.cache": str(cache)})
    for scope in (Scope(), limited("comm = nginx and status = 5xx or port = 80")):
        loading = Loading()
        loading.give(plan_of(settings, scope, possible_cpus()))
        loading.wait().close()
        assert held(cache) == made
    assert warm(str(cache)).returncode == 0
    assert held(cache) == made


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_who_may_not_trace_is_told_in_one_line(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    done = warm(str(cache), NOBODY)
    assert (done.returncode, done.stdout) == (77, "")
    assert len(done.stderr.splitlines()) == 1
    assert not cache.exists()


def test_a_wrong_configuration_is_told_in_one_line() -> None:
    done = warm("not/absolute")
    assert (done.returncode, done.stdout) == (2, "")
    assert "HTTPTOP_PERFORMANCE__CACHE: " in done.stderr


def script(tmp_path: Path, sudo: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/warm in a tree of its own, as somebody who is not root."""
    (tmp_path / "scripts").mkdir()
    for name in ("warm", "as-root"):
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    tools = {python: 'echo "ran: $*"; exit 77', tmp_path / "id": "echo 1000"}
    for file, text in {**tools, tmp_path / "sudo": sudo}.items():
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
    return subprocess.run(
        [tmp_path / "scripts" / "warm"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_nobody_is_asked_for_a_password(tmp_path: Path) -> None:
    done = script(tmp_path, '[ "$1" != -n ] && echo asked >&2; exit 1')
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_set_up_says_why_it_could_not(tmp_path: Path) -> None:
    done = script(tmp_path, '[ "$1" = -n ] && exit; exec "$@"')
    assert done.returncode == 1
    reason = "ran: -P -m httptop.run.warm"
    assert done.stdout == f"the probes were not compiled ahead: {reason}\n"


def test_it_writes_no_bytecode_into_the_tree(tmp_path: Path) -> None:
    done = script(tmp_path, '[ "$1" = -n ] && exit; echo "$*"; exit 1')
    assert "env PYTHONDONTWRITEBYTECODE=1" in done.stdout
