"""What the tests with real probes share."""

from __future__ import annotations

import pytest

from tests.ebpf.parser import Parser


@pytest.fixture(scope="session")
def parser() -> Parser:
    """The kernel's parser, loaded once."""
    return Parser()
