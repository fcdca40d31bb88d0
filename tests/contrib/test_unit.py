"""The unit of the service: systemd knows each word of it, and it gives away little."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from httptop.privilege.system_calls import calls, live, of_outputs, serving
from httptop.run.arguments import parse
from tests.contrib import CONTRIB
from tests.patience import PATIENCE_S

UNIT = CONTRIB / "systemd" / "httptop.service"
COMMAND = "/usr/local/bin/httptop"

systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def analyzed(unit: Path, *words: str) -> str:
    """Return what systemd says of a unit, without its rating if that is all."""
    said = subprocess.run(
        ["systemd-analyze", *words, unit],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout + said.stderr


@systemd
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(COMMAND, "/bin/true"))
    assert analyzed(unit, "verify", "--man=no") == ""
    unit.write_text(unit.read_text() + "\n[Service]\nProtectAll=yes\n")
    assert "ProtectAll" in analyzed(unit, "verify", "--man=no")


@systemd
def test_it_is_exposed_to_little(tmp_path: Path) -> None:
    said = analyzed(UNIT, "security", "--offline=yes", "--no-pager")
    rating = re.search(r"exposure level for httptop.service: ([0-9.]+)", said)
    assert rating is not None
    assert float(rating[1]) <= 2.1, said
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    assert ": 9." in analyzed(bare, "security", "--offline=yes", "--no-pager")


def group(name: str) -> set[str]:
    """Return the system calls of one of systemd's groups, and of those in it."""
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True
    )
    words = [line.strip() for line in said.stdout.splitlines()[1:]]
    found: set[str] = set()
    for word in words:
        found |= group(word) if word.startswith("@") else {word} - {""}
    return {word for word in found if not word.startswith("#")}


@systemd
def test_it_allows_what_httptop_does_and_to_allow_itself_less() -> None:
    (line,) = re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.MULTILINE)
    allowed = {call for name in line.split() if name.startswith("@") for call in group(name)}
    allowed |= set(line.split())
    outputs = serving() | of_outputs(files=True, hosts=True, sockets=True)
    assert {name for name, _ in calls(live(1, helped=False, more=outputs))} - allowed == set()
    assert {"seccomp", "perf_event_open"} <= allowed  # once, before


def test_its_command_is_one_of_httptops() -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)
    command, *words = shlex.split(line.replace("${LOGS_DIRECTORY}", "/var/log/httptop"))
    assert command == COMMAND
    asked = parse(words)
    assert asked.batch
    assert asked.settings["general.log_file"].texts == ("/var/log/httptop/httptop.log",)


def test_its_reload_is_a_signal_to_it(tmp_path: Path) -> None:
    """Without a program called kill, which small systems lack."""
    (line,) = re.findall(r"^ExecReload=(.*)$", UNIT.read_text(), re.MULTILINE)
    got = tmp_path / "got"
    script = f"trap 'echo > {got}; exit 0' HUP; echo; while :; do sleep 0.01; done"
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        run.stdout.readline()  # it is prepared
        words = [word.replace("${MAINPID}", str(run.pid)) for word in shlex.split(line)]
        subprocess.run(words, check=True, env={"PATH": str(tmp_path)})
        assert run.wait(60) == 0
    assert got.exists()
