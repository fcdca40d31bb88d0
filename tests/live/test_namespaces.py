"""httptop in namespaces of its own, as in a container: whose process ids it shows."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from httptop.bpf import own_pids
from tests.live.command import readable
from tests.live.live import new_path
from tests.patience import PATIENCE_S

pytestmark = [
    pytest.mark.ebpf,
    pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare(1)"),
]

#: Sends a request to itself whenever it reads a line with a path, and says its own process id.
TALKER = """
import os, socket, sys
client, server = socket.socketpair()
print(os.getpid(), flush=True)
for line in sys.stdin:
    client.sendall(f"GET {line.strip()} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
    server.recv(4096)
    server.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    client.recv(4096)
    print("done", flush=True)
"""

#: Starts a talker, then httptop with the arguments; has the talker talk once httptop sees requests.
WITHIN = f"""
import json, os, subprocess, sys
path, *words = sys.argv[1:]
talker = subprocess.Popen([sys.executable, "-c", {TALKER!r}], stdin=-1, stdout=-1, text=True)
pid = talker.stdout.readline()
assert int(pid) == talker.pid
words = [word.replace("TALKER", pid.strip()) for word in words]
command = [sys.executable, "-P", "-m", "httptop", "-b", "--format", "json", "-d", "0.3"]
command += words
run = subprocess.Popen(command, stdout=-1, text=True)
for turn in range(2):
    line = run.stdout.readline()
    if turn == 0:
        print("attached", flush=True)
        sys.stdin.readline()
        talker.stdin.write(path + "\\n")
        talker.stdin.flush()
        talker.stdout.readline()
run.terminate()
*_, last = [line, *run.stdout]
talker.kill()
print(json.dumps({{"talker": talker.pid, "status": run.wait(), "last": json.loads(last)}}))
"""


@pytest.fixture
def outside() -> Iterator[subprocess.Popen[str]]:
    """A talker outside the namespace."""
    python, environ = readable()
    with subprocess.Popen(
        [python, "-c", TALKER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ,
    ) as talker:  # fmt: skip
        assert talker.stdout is not None
        assert int(talker.stdout.readline()) == talker.pid
        yield talker
        talker.kill()


def talk(talker: subprocess.Popen[str], path: str) -> None:
    assert talker.stdin is not None
    assert talker.stdout is not None
    talker.stdin.write(f"{path}\n")
    talker.stdin.flush()
    assert talker.stdout.readline() == "done\n"


def within(path: str, outside: subprocess.Popen[str], *words: str, deeper: int = 0) -> Any:
    """Run httptop in a namespace (or one ``deeper``) with a talker; return what it said at last.

    Both talkers make a request for ``path``.
    """
    python, environ = readable()
    unshare = ["unshare", "--pid", "--mount", "--fork", "--mount-proc"]
    with subprocess.Popen(
        [*unshare * (1 + deeper), python, "-c", WITHIN, path, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ, cwd="/",
    ) as run:  # fmt: skip
        assert run.stdin is not None
        assert run.stdout is not None
        assert run.stdout.readline() == "attached\n"
        talk(outside, path)
        said, _ = run.communicate("\n", timeout=PATIENCE_S)
    found = json.loads(said)
    assert found["status"] == 0
    return found


@pytest.mark.parametrize("deeper", [0, 2])
def test_process_ids_are_those_of_its_own_namespace(
    outside: subprocess.Popen[str], deeper: int
) -> None:
    path = new_path()
    found = within(path, outside, deeper=deeper)
    rows = [row for row in found["last"]["endpoints"] if row["path"] == path]
    assert {row["side"]: row["requests"] for row in rows} == {"server": 2, "client": 2}
    # Of the process outside there is no id; its own in the first namespace is another's here.
    assert [row["pids"] for row in rows] == [[found["talker"]]] * 2
    assert own_pids.NOTE in found["last"]["notes"]


def test_a_process_is_selected_by_its_id_there(outside: subprocess.Popen[str]) -> None:
    path = new_path()
    late = "pid = TALKER or comm = no-such-process"
    for words in (("-p", "TALKER"), ("--filter", late)):
        last = within(path, outside, *words)["last"]
        rows = {(row["path"], row["requests"]) for row in last["endpoints"]}
        assert rows == {(path, 1)}, words


def test_with_the_proc_of_others_it_says_so_and_ends() -> None:
    python, environ = readable()
    ran = subprocess.run(
        ["unshare", "--pid", "--fork", python, "-P", "-m", "httptop", "-b", "-n", "1"],
        capture_output=True, text=True, env=environ, cwd="/", timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (77, "")
    assert ran.stderr == (
        "httptop: /proc shows the processes of another namespace than httptop's own: "
        "mount -t proc proc /proc\n"
    )


def test_in_a_namespace_of_control_groups_it_says_what_filters_miss() -> None:
    python, environ = readable()
    words = ("-b", "-n", "1", "-d", "0.1", "--format", "json", "--container", "web")
    for unshare, noted in (([], False), (["unshare", "--cgroup"], True)):
        ran = subprocess.run(
            [*unshare, python, "-P", "-m", "httptop", *words],
            capture_output=True, text=True, env=environ, cwd="/", timeout=PATIENCE_S, check=True,
        )  # fmt: skip
        notes = json.loads(ran.stdout).get("notes", [])
        assert any("--cgroupns=host" in note for note in notes) == noted
