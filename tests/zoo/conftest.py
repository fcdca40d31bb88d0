"""What the zoo shares: probes, a directory that any user can read, and the file of results."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from httptop.config.scope import limited
from tests.live.live import Watch, new_path
from tests.zoo.results import RESULTS, Cell


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here loads probes, and is in the zoo."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.ebpf)
            item.add_marker(pytest.mark.zoo)


@pytest.fixture(scope="session")
def watch() -> Iterator[Watch]:
    """The probes, watching the paths of this run: other traffic on this host fills no table."""
    ours = new_path().rpartition("-")[0]
    with Watch(scope=limited(f"path ~ {ours}-*")) as watch:
        yield watch


@pytest.fixture
def path() -> str:
    """A path of the test's own."""
    return new_path()


@pytest.fixture
def work() -> Iterator[Path]:
    """A directory for a server whose workers are not root."""
    work = Path(tempfile.mkdtemp(prefix="httptop-zoo-"))
    work.chmod(0o755)
    yield work
    shutil.rmtree(work, ignore_errors=True)


@pytest.fixture(scope="session")
def cells() -> Iterator[list[Cell]]:
    """Where each test leaves its result; written to a file at the end of the run."""
    cells: list[Cell] = []
    yield cells
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps(
            {
                "date": time.strftime("%Y-%m-%d", time.gmtime()),
                "kernel": platform.release(),
                "cells": [cell.as_dict() for cell in cells],
            },
            indent=1,
        )
    )
