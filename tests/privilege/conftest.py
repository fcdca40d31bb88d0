"""What tests of the helper share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from httptop.privilege.helper import Helper


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory of root's that everybody may pass."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture
def helper() -> Iterator[Helper]:
    made = Helper()
    yield made
    made.end()
