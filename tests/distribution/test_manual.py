"""The manual page: all flags and settings are in it, and what reads such pages has no objection."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from distribution.manual import manual
from httptop.config.settings import SETTINGS
from httptop.run.arguments import command_line

PAGE = manual("2026-01-01")
#: Programs that find mistakes in such pages.
LINTS = {
    "man": ("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"),
    "mandoc": ("mandoc", "-T", "lint", "-W", "warning"),
}


def plain(text: str) -> str:
    return text.replace(r"\-", "-").replace(r"\fB", "").replace(r"\fR", "").replace(r"\(dq", '"')


def test_every_flag_and_every_setting_is_in_it() -> None:
    lines = plain(PAGE).splitlines()
    terms = [after for line, after in itertools.pairwise(lines) if line == ".TP"]
    options = {re.split(r" |\[", flag)[0] for term in terms for flag in term.split(", ")}
    flags = {name for action in command_line()._actions for name in action.option_strings}
    assert flags <= options
    named = {term.split(" = ")[0] for term in terms if " = " in term}
    assert named == {setting.key for setting in SETTINGS}


def test_nothing_in_it_is_taken_for_a_command() -> None:
    known = r"\.(TH|nh|SH|SS|TP|PP|B|br)\b"
    requests = [line for line in PAGE.splitlines() if line.startswith((".", "'"))]
    assert [line for line in requests if not re.match(known, line)] == []
    assert PAGE.isascii()


@pytest.mark.parametrize("lint", LINTS)
def test_what_reads_it_has_no_objection(lint: str, tmp_path: Path) -> None:
    if shutil.which(lint) is None:
        pytest.skip(f"{lint} is not installed")
    page = tmp_path / "httptop.1"

    def objections() -> str:
        environment = os.environ | {"LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
        ran = subprocess.run(
            [*LINTS[lint], page], capture_output=True, text=True, env=environment, check=False
        )
        return ran.stderr + (ran.stdout if lint == "mandoc" else "")

    page.write_text(PAGE)
    assert objections() == ""
    page.write_text(PAGE + ".nosuchmacro x\n")
    assert "nosuchmacro" in objections()
