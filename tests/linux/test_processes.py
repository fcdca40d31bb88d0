"""Other processes, and the namespaces that /proc shows them in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from httptop.linux import processes
from httptop.linux.processes import Process, shows_others
from tests.patience import PATIENCE_S


def test_proc_is_known_to_be_of_other_processes(tmp_path: Path) -> None:
    assert not shows_others()
    assert not shows_others(tmp_path)  # it is not known
    (tmp_path / "self").symlink_to(str(os.getpid() + 1))
    assert shows_others(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs unshare(1)")
@pytest.mark.parametrize("mounted", [[], ["--mount-proc"]], ids=["proc of others", "own proc"])
def test_a_process_is_found_by_its_id_in_the_namespace(mounted: list[str]) -> None:
    """And what is known of it is its own, whichever processes /proc shows."""
    program = (
        "import subprocess\n"
        "from httptop.linux.processes import Process, shows_others\n"
        "with subprocess.Popen(['sleep', '60']) as child:\n"
        "    while (found := Process(child.pid)).name != b'sleep':\n"
        "        pass\n"  # it is about to become that
        "    print(child.pid < 99, found.started_ns > 0, found.has_ended, shows_others())\n"
        "    child.kill()\n"
        "    child.wait()\n"
        "    print(found.has_ended)\n"
    )
    ran = subprocess.run(
        ["unshare", "--pid", "--fork", *mounted, sys.executable, "-c", program],
        capture_output=True, text=True, check=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert ran.stdout.split("\n")[:2] == [f"True True False {not mounted}", "True"]


def test_the_start_is_told_as_the_kernel_has_it_whatever_the_namespace_adds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offsets = tmp_path / "timens_offsets"
    offsets.write_text("monotonic           0         0\nboottime         3600       500\n")
    assert processes._boot_offset_ns(offsets) == 3600 * 10**9 + 500
    assert processes._boot_offset_ns(tmp_path / "none") == 0
    here = Process(os.getpid())
    monkeypatch.setattr(processes, "_boot_offset_ns", lambda: 7)
    assert Process(os.getpid()).started_ns == here.started_ns - 7
