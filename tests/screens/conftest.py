"""Local time is UTC, so that no test depends on where it runs; stylesheets are parsed once."""

import time
from collections.abc import Iterator

import pytest

from tests.stylesheets import parse_once


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    """Set the time zone for the test, and set it back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        parse_once(patch)
        yield
    time.tzset()
