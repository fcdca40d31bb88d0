"""How the output of the checks is judged, and the archive that a machine starts from."""

from __future__ import annotations

import gzip
import lzma
import subprocess
from pathlib import Path

import pytest

from tests.kernels import machine
from tests.kernels.__main__ import guest_script
from tests.kernels.checks import CHECKS, Check, judged, log_faults

BY_NAME = {check.name: check for check in CHECKS}

SELFTEST = """\
case                                                tcp     unix
one request, one response                           agrees  agrees

2 played in 0.1 s: 2 agree
"""


def left(results: Path, name: str, output: str, status: str = "0 12", errors: str = "") -> Path:
    for suffix, text in (("out", output), ("status", status), ("err", errors)):
        (results / f"{name}.1.{suffix}").write_text(text)
    return results


def test_a_self_test(tmp_path: Path) -> None:
    outcome = judged(BY_NAME["selftest"], 1, left(tmp_path, "selftest", SELFTEST))
    assert (outcome.seconds, outcome.faults) == (12, [])
    assert outcome.figures == "2 played in 0.1 s: 2 agree"
    assert str(outcome) == "selftest    1      12  ok: 2 played in 0.1 s: 2 agree"


def test_a_self_test_with_a_known_gap(tmp_path: Path) -> None:
    output = SELFTEST.replace("agrees  agrees", "known   agrees\n    known: not yet")
    assert not judged(BY_NAME["selftest"], 1, left(tmp_path, "selftest", output)).faults


def test_a_self_test_that_fails(tmp_path: Path) -> None:
    output = SELFTEST.replace("response  ", "response\n    tcp: not so\nanother one ")
    outcome = judged(BY_NAME["selftest"], 1, left(tmp_path, "selftest", output, "1 9"))
    assert outcome.faults == ["    tcp: not so", "ended with status 1: "]
    assert "FAILED (2)" in str(outcome)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_check_that_was_not_run(tmp_path: Path, name: str) -> None:
    """The machine died before."""
    outcome = judged(BY_NAME[name], 1, tmp_path)
    assert outcome.faults[-1] == "ended with status none: "


def test_the_tests(tmp_path: Path) -> None:
    output = "..F\nFAILED tests/live/test_wire.py::test_calls - no\n1 failed, 2 passed in 3 s\n"
    left(tmp_path, "wire", output, "1 3", "first\nlast words\n")
    outcome = judged(BY_NAME["wire"], 1, tmp_path)
    assert outcome.figures == "1 failed, 2 passed in 3 s"
    assert outcome.faults == [
        "FAILED tests/live/test_wire.py::test_calls - no",
        "ended with status 1: last words",
    ]


def test_the_kernels_log() -> None:
    trouble = "[   50.9] BUG: scheduling while atomic: httptop/331/0x00000002"
    log = f"[    1.0] mtrr: your CPUs had inconsistent fixed MTRR settings\n{trouble}\n"
    assert log_faults(log) == [trouble]


def test_the_script_in_the_machine(tmp_path: Path) -> None:
    """What stands between its start and its end, here with a command of our own."""
    check = Check("odd", "sh -c 'echo out; echo err >&2; exit 3'", 10, lambda output: (output, []))
    script = guest_script([check], 2)
    between = script.removeprefix(machine.PREPARE).removesuffix(machine.POWER_OFF)
    between = between.replace("/results", str(tmp_path)).replace("cd /srv/httptop", "")
    between = "\n".join(line for line in between.splitlines() if "dmesg" not in line)
    subprocess.run(["sh", "-c", between], check=True, capture_output=True)
    for run in (1, 2):
        outcome = judged(check, run, tmp_path)
        assert outcome.figures == "out\n"
        assert outcome.faults == ["ended with status 3: err"]


def test_the_archive_to_start_from(tmp_path: Path) -> None:
    """Names, modes and contents, each at a multiple of four, as the kernel wants it."""
    busybox, module = tmp_path / "busybox", tmp_path / "9p.ko.xz"
    busybox.write_bytes(b"\x7fELF")
    module.write_bytes(lzma.compress(b"a module"))
    data = gzip.decompress(machine.initramfs(busybox, [module], "/guest.sh"))
    found: dict[str, tuple[str, bytes]] = {}
    at = 0
    while at < len(data):
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name = data[at + 110 : at + 110 + fields[11] - 1].decode()
        at += 110 + fields[11] + -(110 + fields[11]) % 4
        found[name] = oct(fields[1]), data[at : at + fields[6]]
        at += fields[6] + -fields[6] % 4
    assert found["bin/busybox"] == ("0o100755", b"\x7fELF")
    assert found["modules/9p.ko"] == ("0o100644", b"a module")
    assert found["modules/order"] == ("0o100644", b"9p.ko\n")
    assert found["proc"] == ("0o40755", b"")
    assert b"/guest.sh" in found["init"][1]
    assert list(found)[-1] == "TRAILER!!!"
