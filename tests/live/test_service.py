"""httptop as a service: what its manager hears, with real probes, as root and without."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.live.command import HELPER, NOBODY, PATIENCE, children, readable, status
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("commands")]

#: CAP_BPF and CAP_PERFMON.
_TWO = "-all,+cap_38,+cap_39"
_CAPABILITIES = f"{1 << 38 | 1 << 39:016x}"
#: As the unit in contrib/ has it.
UNIT = (
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
    f"--inh-caps={_TWO}", f"--ambient-caps={_TWO}", f"--bounding-set={_TWO}",
)  # fmt: skip
#: As container runtimes do with what is in contrib/.
CONTAINER = ("setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set={_TWO}")


@pytest.mark.parametrize("rights", [UNIT, CONTAINER, ()], ids=["unit", "container", "root"])
def test_its_manager_hears_of_a_service_whatever_its_rights(rights: tuple[str, ...]) -> None:
    python, environ = readable()
    with (
        tempfile.TemporaryDirectory() as name,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        folder = Path(name)
        if rights is UNIT:
            os.chown(folder, NOBODY, NOBODY)
        manager.bind(str(folder / "notify"))
        os.chmod(folder / "notify", 0o666)
        manager.settimeout(PATIENCE_S)

        def hears() -> list[str]:
            return manager.recv(1 << 16).decode().split("\n")

        environ = environ | {
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": "30000000",
            "HTTPTOP_GENERAL__SHUTDOWN_TIMEOUT": PATIENCE,
            "HOME": "/",
        }
        words = (
            python,
            "-P",
            "-m",
            "httptop",
            "--quiet",
            "-d0.1",
            "--log-file",
            str(folder / "log"),
        )
        with subprocess.Popen([*rights, *words], env=environ, cwd="/") as run:
            try:
                ready, watchdog, said = hears()
                assert (ready, watchdog) == ("READY=1", "WATCHDOG=1")
                assert " requests served (" in said
                if rights:
                    assert status(run.pid)["CapEff"] == status(run.pid)["CapPrm"] == _CAPABILITIES
                else:
                    helper = children(run.pid)[HELPER]
                    assert b"NOTIFY_SOCKET" not in Path(f"/proc/{helper}/environ").read_bytes()
                assert status(run.pid)["Seccomp"] == "2"  # and so tells what it has to tell
                run.send_signal(signal.SIGHUP)
                assert hears()[0] == "RELOADING=1"
                assert hears() == ["READY=1"]
                run.terminate()
                while (last := hears())[0].startswith("WATCHDOG"):
                    pass
                assert last == ["STOPPING=1"]
                assert run.wait(PATIENCE_S) == 0
            finally:
                run.kill()
        assert "httptop ends" in (folder / "log").read_text()
