"""What a run holds in memory besides what it needs: no library that only another process uses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.live.command import batch, children, terminal, until

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("commands")]

#: OpenSSL, archives, and what BCC brings: of use to the loader at most.
FOREIGN = re.compile(r"/(lib(?:crypto|ssl|lzma|bz2|bcc|bcc_bpf|bpf|elf|LLVM|clang|stdc\+\+)\b\S*)")


def foreign(pid: int) -> set[str]:
    """Return the libraries that a process maps and should not."""
    return set(FOREIGN.findall(Path(f"/proc/{pid}/maps").read_text()))


def test_a_screen_and_its_helper_map_no_library_of_others() -> None:
    with terminal("-d", "0.2", "--demo") as (run, end):
        until(end, "/products/{id}")
        for pid in (run.pid, children(run.pid)["httptop-helper"]):
            assert foreign(pid) == set()
        end.write(b"q")
        until(end, "\x1b[?1049l")
        assert run.wait(30) == 0


def test_neither_does_a_batch() -> None:
    with batch() as run:
        assert foreign(run.pid) == set()
