"""The image and the DaemonSet: linted where the tools are (`pip install .[container-test]`)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from httptop import __version__
from httptop.run.arguments import parse
from tests.contrib import CONTRIB

DOCKERFILE = CONTRIB / "container" / "Dockerfile"
DAEMONSET = CONTRIB / "kubernetes" / "daemonset.yaml"
LINTS = {
    "hadolint": ((), DOCKERFILE, "FROM debian\n"),
    "kubernetes-validate": (("--strict",), DAEMONSET, "      hostPit: true\n"),
}


@pytest.mark.parametrize("lint", LINTS)
def test_its_lint_finds_nothing(lint: str, tmp_path: Path) -> None:
    program = shutil.which(lint, path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip(f"{lint} is not installed (pip install .[container-test])")
    words, file, mistake = LINTS[lint]

    def status(checked: Path) -> int:
        return subprocess.run(
            [program, *words, checked], capture_output=True, check=False
        ).returncode

    assert status(file) == 0
    wrong = tmp_path / file.name
    wrong.write_text(file.read_text() + mistake)
    assert status(wrong) != 0


def test_both_run_httptop_alike() -> None:
    commands = {
        file: re.findall(r"^\s*(?:CMD|args:) \[(.*)\]$", file.read_text(), re.MULTILINE)
        for file in (DOCKERFILE, DAEMONSET)
    }
    (command,) = commands[DOCKERFILE]
    assert commands[DAEMONSET] == [command]
    assert parse(re.findall(r'"([^"]*)"', command)).batch
    assert f"httptop:{__version__}\n" in DAEMONSET.read_text()
    assert all((CONTRIB.parent / name).exists() for name in _copied())


def _copied() -> list[str]:
    lines = re.findall(r"^COPY ((?!--).*) /src\S*$", DOCKERFILE.read_text(), re.MULTILINE)
    assert lines
    return [name for line in lines for name in line.split()]
