"""The wheel: built, unpacked elsewhere, and used from there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import httptop
from distribution.completions import PLACES
from distribution.hook import SHIPPED
from tests.capture.test_recording import written
from tests.patience import PATIENCE_S

SOURCES = Path(httptop.__file__).parent


def _run(words: Sequence[str | Path], cwd: Path | None = None, **environment: str) -> str:
    ran = subprocess.run(
        words,
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with httptop and nothing else in it, as pip installs it from the wheel."""
    made, into = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("installed")
    python = sys.executable
    _run([python, "-m", "hatchling", "build", "-t", "wheel", "-d", made], cwd=SOURCES.parent)
    (wheel,) = made.glob("*.whl")
    offline = ("--no-deps", "--no-index", "--disable-pip-version-check")
    _run([python, "-m", "pip", "install", "--quiet", *offline, "--target", into, wheel])
    return into


def test_every_file_of_the_package_is_in_the_wheel(installed: Path) -> None:
    def files(directory: Path) -> set[str]:
        return {
            str(path.relative_to(directory))
            for path in directory.rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }

    found = files(SOURCES)
    assert files(installed / "httptop") == found
    assert {Path(name).suffix for name in found} >= {".c", ".h", ".toml", ".tcss", ".typed"}


def test_nothing_else_is_installed(installed: Path) -> None:
    version = httptop.__version__
    assert {path.name for path in installed.iterdir()} == {
        "bin",
        "httptop",
        f"httptop-{version}.dist-info",
        "share",
    }
    shared = {path for path in (installed / "share").rglob("*") if path.is_file()}
    assert {str(path.relative_to(installed / "share")) for path in shared} == {
        "man/man1/httptop.1",
        *PLACES.values(),
        *SHIPPED,
    }
    assert all(path.read_text() for path in shared)


def test_the_installed_command_works(installed: Path, tmp_path: Path) -> None:
    def httptop_says(*words: str) -> str:
        return _run([installed / "bin" / "httptop", *words], PYTHONPATH=str(installed))

    where = "import httptop; print(httptop.__file__)"
    used = _run([sys.executable, "-P", "-c", where], PYTHONPATH=str(installed))
    assert Path(used.strip()).is_relative_to(installed)

    assert httptop_says("--version") == f"httptop {httptop.__version__}\n"
    capture = written(tmp_path / "some.capture")
    shown = httptop_says("--replay", str(capture), "-b", "-n", "1", "--format", "json")
    assert json.loads(shown)["schema"] == 1
