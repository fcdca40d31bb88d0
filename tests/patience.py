"""How long a test waits for what is sure to come."""

from __future__ import annotations

from typing import Final

#: Longer than it takes on the slowest machine, beside whatever else runs there: it ends a test that
#: has failed anyway. Nothing waits for it to pass.
PATIENCE_S: Final = 180.0
