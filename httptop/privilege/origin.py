"""Find out whether others than root can change what root runs: Python, httptop and its imports."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from httptop.linux.way import Way, offence_of

_OURS: Final = Path(__file__).parents[1]


def offence(paths: Iterable[str] | None = None, ours: Path | None = None) -> str:
    """Return who or what besides root can change what this process runs; empty if nothing can.

    ``paths``: where programs and modules come from, by default those of this process; ``ours``: the
    directory of httptop's modules.
    """
    for path in dict.fromkeys(_own_paths() if paths is None else paths):
        # A directory is entered: so it is looked at as those above it are.
        to = Path(path, "any") if os.path.isdir(path) else Path(path)
        try:
            with Way(to, groups=True) as way:
                if way.found is not None:
                    way.judge_file(way.found)
                if way.offence:
                    return way.offence
        except OSError:
            continue  # nothing there, such as the archive of modules that Python looks for
    for entry in _below(ours or _OURS):
        if offended := offence_of(entry.stat(follow_symlinks=False)):
            return f"{entry.path} {offended}"
    return ""


def told() -> tuple[str, ...]:
    """Return a sentence for the user if this process is root and others can change what it runs."""
    if os.geteuid() != 0 or not (found := offence()):
        return ()
    return (
        f"root runs what others can change: {found}; `sudo make install` makes a copy that "
        "belongs to root",
    )


def _own_paths() -> list[str]:
    return [sys.executable, str(_OURS), *(path for path in sys.path if path)]


def _below(directory: Path) -> Iterator[os.DirEntry[str]]:
    for entry in os.scandir(directory):
        yield entry
        if entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry))
