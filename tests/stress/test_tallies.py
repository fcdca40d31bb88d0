"""What was made and what was counted: the comparison itself."""

from __future__ import annotations

from collections import Counter

import pytest

from httptop.model import IDLE_PATH
from tests.stress.tallies import Tally, differences

MADE: Tally = Counter({("server", "/a", "200"): 5, ("server", "/b", "200"): 3})


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({}, []),
        ({"/a": -2, IDLE_PATH: 2}, []),  # a row that made room
        ({"/a": -2}, ["server 200: 2 more made than counted"]),
        ({"/a": -2, IDLE_PATH: 3}, ["server 200: -1 more made than counted"]),
        ({"/a": 1, "/b": -1}, ["server /a 200: 1 more counted than made"]),
        (
            {"/c": 1},  # what nobody made
            ["server /c 200: 1 more counted than made", "server 200: -1 more made than counted"],
        ),
    ],
)
def test_what_a_path_lacks_must_be_in_the_row_of_the_idle_ones(
    changes: dict[str, int], faults: list[str]
) -> None:
    found = MADE.copy()
    for path, more in changes.items():
        found["server", path, "200"] += more
    assert differences(MADE, found) == faults
