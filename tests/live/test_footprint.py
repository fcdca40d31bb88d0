"""What a run holds in memory besides what it needs: no library that only another process uses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from httptop.bpf.plan import plan_of
from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS
from httptop.linux.cpus import possible_cpus
from tests.live.command import batch, children, descriptors, terminal, until, until_shown
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("commands")]

#: OpenSSL, archives, and what BCC brings: of use to the loader at most.
FOREIGN = re.compile(r"/(lib(?:crypto|ssl|lzma|bz2|bcc|bcc_bpf|bpf|elf|LLVM|clang|stdc\+\+)\b\S*)")
#: Of the kernel's memory: for what is there once, and for the counters of each shard.
MOST_ONCE, MOST_A_SHARD = 17.9 * (1 << 20), 6.55 * (1 << 20)


def foreign(pid: int) -> set[str]:
    """Return the libraries that a process maps and should not."""
    return set(FOREIGN.findall(Path(f"/proc/{pid}/maps").read_text()))


def test_a_screen_and_its_helper_map_no_library_of_others() -> None:
    with terminal("-d", "0.2", "--demo") as (run, end):
        until_shown(end, "/products/{id}")
        for pid in (run.pid, children(run.pid)["httptop-helper"]):
            assert foreign(pid) == set()
        end.write(b"q")
        until(end, "\x1b[?1049l")
        assert run.wait(PATIENCE_S) == 0


def test_neither_does_a_batch() -> None:
    with batch() as run:
        assert foreign(run.pid) == set()


def test_maps_that_hold_little_take_little() -> None:
    shards = plan_of(DEFAULTS, Scope(), possible_cpus()).sizes["SHARDS"]
    with batch() as run:
        found = [facts for _, facts in descriptors(run.pid)]
    maps = {facts["map_id"]: int(facts["memlock"]) for facts in found if "map_id" in facts}
    assert len(maps) > 10
    assert sum(maps.values()) < MOST_ONCE + MOST_A_SHARD * shards
