"""What user space keeps of the maps."""

from __future__ import annotations

from httptop.bpf import least
from httptop.bpf.abi import READY
from httptop.bpf.build import loader
from httptop.bpf.build.variants import SUMS


def test_every_map_is_read_or_written_later_or_not_needed() -> None:
    """What is in neither list is closed once the probes are attached."""
    assert least.READ.isdisjoint(least.WRITTEN)
    later = {"only_cgroups", "next_program", "own_pids"}
    assert {*loader.MAPS, *later} >= least.READ | least.WRITTEN
    not_needed = {"cells", "pages", "free_pages", "parties"}
    assert set(loader.MAPS) - least.READ - least.WRITTEN == not_needed


def test_programs_that_user_space_runs_are_kept() -> None:
    assert {
        *SUMS, loader.LET_GO, loader.END_PARTY, loader.SWEEP, READY
    } == least.KEPT  # fmt: skip
