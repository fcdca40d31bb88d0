"""How long a test waits for what is sure to come."""

from __future__ import annotations

import select
from typing import IO, Any, Final

#: Longer than it takes on the slowest machine, beside whatever else runs there: it ends a test that
#: has failed anyway. Nothing waits for it to pass.
PATIENCE_S: Final = 180.0


def comes(end: int | IO[Any], within_s: float = PATIENCE_S) -> bool:
    """Return whether something can be read, or nothing ever will, within some seconds.

    A process of tests may have more descriptors than select(2) takes.
    """
    waiting = select.poll()
    waiting.register(end, select.POLLIN)
    return bool(waiting.poll(within_s * 1000))
