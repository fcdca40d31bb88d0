"""A Python that is too old says so in one line, instead of a traceback."""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path

import pytest

import httptop

PACKAGE = Path(httptop.__file__).parent


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py"])
def test_an_old_python_can_read_what_it_starts_with(name: str) -> None:
    tree = ast.parse((PACKAGE / name).read_text(), feature_version=(3, 6))
    futures = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module]
    assert "__future__" not in {n.module for n in futures}


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 9, 2), (3, 10, 0)])
def test_an_old_python_is_refused_in_one_line(
    version: tuple[int, int, int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(PACKAGE / "__main__.py"))
    assert ended.value.code == 2
    needed = f"httptop: needs Python 3.11 or newer; this is Python 3.{version[1]}\n"
    assert capsys.readouterr().err == needed


def test_a_new_python_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 11, 0))
    assert callable(runpy.run_path(str(PACKAGE / "__main__.py"))["main"])
