"""What tests of receivers share: their mark, and a directory that daemons can use."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs receivers."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.receivers)


@pytest.fixture
def work() -> Iterator[Path]:
    """A directory for a daemon that is not root."""
    work = Path(tempfile.mkdtemp(prefix="httptop-receivers-"))
    work.chmod(0o755)
    yield work
    shutil.rmtree(work, ignore_errors=True)
