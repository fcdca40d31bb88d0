"""What was made against what was counted, where rows may have made room for others."""

from __future__ import annotations

from collections import Counter

from httptop.model import IDLE_PATH

#: How often (side, path or kind, outcome).
Tally = Counter[tuple[str, str, str]]


def differences(wanted: Tally, found: Tally) -> list[str]:
    """Return what was counted wrongly.

    Beside other loads rows make room: what a path lacks must be in ``~idle``, and nothing else may
    be there.
    """
    faults = []
    lacking: Counter[tuple[str, str]] = Counter()
    for side, path, outcome in sorted(wanted | found):
        less = wanted[side, path, outcome] - found[side, path, outcome]
        lacking[side, outcome] += less
        if less < 0 and path != IDLE_PATH:
            faults.append(f"{side} {path} {outcome}: {-less} more counted than made")
    faults += [
        f"{side} {outcome}: {less} more made than counted"
        for (side, outcome), less in lacking.items()
        if less
    ]
    return faults
