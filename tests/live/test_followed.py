"""--pid follows a process: whoever gets its number later is another."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Final

import pytest

from tests.live.command import batch
from tests.live.test_namespaces import TALKER, talk
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("commands")]

_CLONE3: Final = 435
#: Says a request to itself, as process number ``argv[1]``.
_REUSES: Final = f"""
import ctypes, os, signal, struct, sys
number = (ctypes.c_int * 1)(int(sys.argv[1]))
asked = struct.pack("=11Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(number), 1, 0)
made = ctypes.CDLL(None, use_errno=True).syscall({_CLONE3}, asked, len(asked))
if made == 0:
    os.execv(sys.executable, [sys.executable, "-c", {TALKER!r}])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(made, 0)[1]) if made > 0 else 77)
"""


def test_a_number_that_was_given_to_another_selects_nothing(path: str) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", TALKER], **pipes) as talker:  # type: ignore[call-overload]
        pid = talker.pid
        assert int(talker.stdout.readline()) == pid
        with batch("-p", str(pid)) as run:
            talk(talker, f"{path}/theirs")
            talker.kill()
            talker.wait()
            with subprocess.Popen([sys.executable, "-c", _REUSES, str(pid)], **pipes) as other:  # type: ignore[call-overload]
                said = other.stdout.readline()
                if not said and other.wait() == 77:
                    pytest.skip("this kernel gives no process a number that was asked for")
                assert int(said) == pid
                talk(other, f"{path}/others")
                other.stdin.close()
            run.send_signal(signal.SIGTERM)
            *_, last = run.communicate(timeout=PATIENCE_S)[0].splitlines()
    found = json.loads(last)
    assert {(row["path"], row["requests"]) for row in found["endpoints"]} == {(f"{path}/theirs", 1)}
    assert any(
        note.startswith(f"process {pid} (") and " ended at " in note for note in found["notes"]
    )
