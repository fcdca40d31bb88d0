"""What the screen can change in a run."""

from __future__ import annotations

import pytest

from httptop.run.arguments import parse
from httptop.run.screen import fixed_window


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ((), ""),
        (("--window", "5m"), ""),
        (("--record", "file"), "The window stays as it is while the run is recorded"),
        (("--replay", "file"), "A capture has figures of one window"),
    ],
)
def test_the_window_is_fixed_where_snapshots_are_written_or_read(
    flags: tuple[str, ...], why: str
) -> None:
    assert fixed_window(parse(list(flags))) == why
