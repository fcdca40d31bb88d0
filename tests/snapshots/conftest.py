"""A picture depends on the snapshot and the keys alone: fixed time zone, colours, no motion."""

import time
from collections.abc import Iterator

import pytest

from tests.screens import docs_tables
from tests.snapshots import docs_pictures
from tests.stylesheets import parse_once


@pytest.fixture(autouse=True)
def still() -> Iterator[None]:
    """Set time zone and colours for the picture, and set them back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        patch.setenv("TEXTUAL_ANIMATIONS", "none")
        for name in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_FILTERS"):
            patch.delenv(name, raising=False)
        time.tzset()
        parse_once(patch)
        yield
    time.tzset()


@pytest.hookimpl(trylast=True)  # when the pictures are written
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With ``--snapshot-update`` the docs get their pictures and tables anew, too."""
    if session.config.getoption("update_snapshots"):
        docs_pictures.write()
        docs_tables.write()
