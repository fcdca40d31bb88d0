"""What is in contrib/, for distributions and services."""

from pathlib import Path

import httptop

CONTRIB = Path(httptop.__file__).parents[1] / "contrib"
