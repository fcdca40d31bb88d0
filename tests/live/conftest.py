"""What the tests with real probes share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.live import FRONTS, Watch, new_path
from tests.live.parser import Parser


@pytest.fixture(scope="session")
def parser() -> Parser:
    """The kernel's parser, loaded once."""
    return Parser()


@pytest.fixture
def watch() -> Iterator[Watch]:
    """The probes as a user gets them, watching everything."""
    with Watch() as watch:
        yield watch


@pytest.fixture(params=FRONTS)
def each_watch(request: pytest.FixtureRequest) -> Iterator[Watch]:
    """The probes in each of the ways that there are."""
    with Watch(front=request.param) as watch:
        yield watch


@pytest.fixture
def path() -> str:
    """A path of the test's own."""
    return new_path()
