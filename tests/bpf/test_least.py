"""What user space keeps of the maps."""

from __future__ import annotations

from httptop.bpf import least
from httptop.bpf.build import loader


def test_every_map_is_read_or_written_later_or_not_needed() -> None:
    """What is in neither list is closed once the probes are attached."""
    assert least.READ.isdisjoint(least.WRITTEN)
    later = {"only_cgroups", "next_program", "own_pids"}
    assert {*loader.MAPS, *later} >= least.READ | least.WRITTEN
    not_needed = {"cells", "pages", "free_pages", "parties"}
    assert set(loader.MAPS) - least.READ - least.WRITTEN == not_needed
