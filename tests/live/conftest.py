"""What the tests with real probes share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.live import Watch, new_path
from tests.live.parser import Parser


@pytest.fixture(scope="session")
def parser() -> Parser:
    """The kernel's parser, loaded once."""
    return Parser()


@pytest.fixture
def watch(request: pytest.FixtureRequest) -> Iterator[Watch]:
    """The probes as a user gets them, watching everything; or a front that a test is about."""
    with Watch(front=getattr(request, "param", None)) as watch:
        yield watch


@pytest.fixture
def path() -> str:
    """A path of the test's own."""
    return new_path()
