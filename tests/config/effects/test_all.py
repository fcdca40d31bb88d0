"""Every setting has an effect: a test that shows it, marked ``@pytest.mark.setting("key", ...)``.

The marks are read from the files of all tests, so that this holds whichever of them are run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from httptop.config.settings import BY_KEY

_TESTS = Path(__file__).parents[2]


def _marked(file: Path) -> Iterator[tuple[str, str]]:
    """Yield (key, place) of every mark in a file."""
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(attr="setting") as func):
                pass
            case _:
                continue
        if ast.unparse(func) == "pytest.mark.setting":
            place = f"{file.relative_to(_TESTS)}:{node.lineno}"
            assert node.args, f"{place} names no setting"
            for argument in node.args:
                assert isinstance(argument, ast.Constant), f"{place}: write the keys out"
                assert isinstance(argument.value, str), f"{place}: a key is a text"
                yield argument.value, place


@pytest.fixture(scope="module")
def marked() -> list[tuple[str, str]]:
    """All marks in all files of tests."""
    return [found for file in sorted(_TESTS.rglob("test_*.py")) for found in _marked(file)]


def test_every_setting_has_a_test_of_its_effect(marked: list[tuple[str, str]]) -> None:
    missing = BY_KEY.keys() - {key for key, _ in marked}
    assert not missing, sorted(missing)


def test_marks_name_settings_that_there_are(marked: list[tuple[str, str]]) -> None:
    assert [(key, place) for key, place in marked if key not in BY_KEY] == []
