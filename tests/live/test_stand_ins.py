"""Three programs for each tracepoint: whichever the kernel skips, a call counts once.

The kernel skips a program while another task is held up in it. Here it is taken away instead, for
an exchange; the order of those that are there stays.
"""

from __future__ import annotations

import pytest

from httptop.bpf.abi import END, LATER, tracepoint_of
from tests.live.live import RECORDS, TRIPLES, Watch, connected, exchange, request, response

pytestmark = pytest.mark.ebpf

#: Exchanges one after the other, and which programs are skipped in each: first, second or third.
CASES = (
    *("- - -", "1 1 1", "2 2", "3 3", "12 12", "13 13", "23 23"),
    "3 1",  # the mark of the second is still there when the second has to stand in
    "12 3 1 2 - 13 1",
)


def place(program: str) -> str:
    """Return which of its tracepoint's programs this is."""
    return next((suffix[1:] for suffix in LATER if program.endswith(suffix)), "1")


def stood_in(watch: Watch) -> int:
    """Return how often a program has handled a call that another was skipped for."""
    return watch.source._reader.losses()[1]


@pytest.mark.parametrize("skips", CASES)
@pytest.mark.parametrize("watch", [RECORDS, TRIPLES], indirect=True)
def test_a_call_counts_once(watch: Watch, path: str, skips: str) -> None:
    before, expected = stood_in(watch), 0
    with connected() as ends:
        for skipped in ("-", *skips.split()):  # what earlier tests have left in the task is gone
            watch.probes.detach()
            for name in watch.probes.points:
                if tracepoint_of(name) == END or place(name) not in skipped:
                    watch.probes.attach_one(name)
            exchange(*ends, request(path), response(200))
            expected += 4 * ("1" in skipped)
    watch.expect(path, {200: 1 + len(skips.split())})
    found = stood_in(watch) - before
    assert found >= expected  # calls of others are among them, while the first is away
    # The kernel itself skips the first of perf's while another task has lost the CPU within bpf(2).
    assert expected or found < 4 * (1 + len(skips.split()))
