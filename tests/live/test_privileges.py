"""A run that gave up root: it counts as before, nobody gets hold of it, and nothing is left."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import socket
import stat
import struct
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from httptop.bpf import least
from httptop.capture.opening import read_capture
from httptop.config.settings import DEFAULTS
from httptop.doctor import host
from httptop.linux import bpf_syscall
from httptop.linux.capabilities import CAP_BPF
from tests.live.command import (
    NOBODY,
    batch,
    children,
    descriptors,
    document,
    eventually,
    family,
    field,
    running,
    screen,
    status,
    terminal,
    until,
    until_shown,
)
from tests.live.command import readable as readable_copy
from tests.live.live import Watch, connected, exchange, request, response
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("commands")]

#: Tries what would give a process of the same user a hold on another.
REACH = """
import ctypes, os, sys
pid = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)
tries = {
    "memory": lambda: open(f"/proc/{pid}/mem", "rb"),
    "descriptors": lambda: os.listdir(f"/proc/{pid}/fd"),
    "environment": lambda: open(f"/proc/{pid}/environ").read(),
    "trace": lambda: libc.ptrace(16, int(pid), 0, 0) == -1 and os.listdir("/root/refused"),
}
for name, reach in tries.items():
    try:
        reach()
    except PermissionError:
        continue
    print(name)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that everybody may pass."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def someone() -> pwd.struct_passwd:
    return next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, NOBODY))


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_what_a_run_does_needs_no_capability_here() -> None:
    """Since Linux 6.0; before, one is needed where users may not use BPF."""
    forbidden = Path("/proc/sys/kernel/unprivileged_bpf_disabled").read_text().strip() != "0"
    old = host.this_host().kernel < (6, 0)
    assert host.needed_after_attaching() == (frozenset([CAP_BPF]) if forbidden and old else set())


def test_its_own_cost_has_the_helpers_in_it_and_nobody_gets_hold_of_it() -> None:
    with batch() as run:
        helper = children(run.pid)["httptop-helper"]
        document(run)
        resident = [int(status(pid)["VmRSS"].split()[0]) << 10 for pid in (run.pid, helper)]
        switches = [int(status(pid)["voluntary_ctxt_switches"]) for pid in (run.pid, helper)]
        descriptors = [len(os.listdir(f"/proc/{pid}/fd")) for pid in (run.pid, helper)]
        cost = document(run)["overhead"]  # of a moment later: what it uses has not become less
        assert cost["rss_bytes"] > resident[0] + resident[1] // 2
        assert cost["context_switches"] >= switches[0] // 2
        assert cost["open_fds"] > descriptors[0] - 2
        python, environ = readable_copy()
        for pid in (run.pid, helper):
            tried = subprocess.run(
                [python, "-c", REACH, str(pid)],
                check=True,
                capture_output=True,
                text=True,
                env=environ,
                cwd="/",
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
            )
            assert tried.stdout == ""


def maps_of(pid: int) -> dict[str, bool]:
    """Return the maps that a process holds, by the kernel's names, and whether it can write."""
    found: dict[str, bool] = {}
    for of, facts in descriptors(pid):
        if of != "anon_inode:bpf-map":
            continue
        with open(bpf_syscall.map_by_number(int(facts["map_id"]))) as ours:
            name = bpf_syscall.map_info(ours.fileno())[0]
        found[name] = found.get(name, False) or int(facts["flags"], 8) & os.O_ACCMODE != os.O_RDONLY
    return found


def test_it_keeps_the_least_of_the_maps() -> None:
    """Programs read the kernel's memory at addresses in conns: nobody else may write there."""
    with batch() as run:
        held = maps_of(run.pid)
        written = {name for name, writes in held.items() if writes}
        assert written <= {name[:15] for name in least.WRITTEN}
        assert held.keys() - written <= {name[:15] for name in least.READ}
        assert {"conns", "next_program", "queue", "swept_conns"} <= held.keys() - written
        assert maps_of(children(run.pid)["httptop-helper"]) == {}


def words_of(name: str, pid: int) -> Iterator[int]:
    """Yield all that stands in a map that a process holds, as numbers of 64 bits."""
    for of, facts in descriptors(pid):
        if of != "anon_inode:bpf-map":
            continue
        with open(bpf_syscall.map_by_number(int(facts["map_id"]))) as ours:
            own_name, _, key_len, value_len, *_ = bpf_syscall.map_info(ours.fileno())
            if own_name == name:
                reader = bpf_syscall.BatchReader(ours.fileno(), key_len, value_len, 256)
                for table in reader.read():
                    yield from struct.unpack(f"<{len(table) // 8}Q", table[: len(table) // 8 * 8])


def test_no_address_in_the_kernel_can_be_read_from_what_it_keeps() -> None:
    """Keys of connections are masked; a pipeline and a Unix socket are in the other two maps."""
    ones = 1 << 64
    with batch() as run, contextlib.ExitStack() as closing:
        listener = closing.enter_context(socket.create_server(("127.0.0.1", 0)))
        pairs = [
            (socket.create_connection(listener.getsockname()), listener.accept()[0]),
            socket.socketpair(),
        ]
        for client, server in pairs:
            closing.callback(client.close)
            closing.callback(server.close)
            client.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n")
            server.recv(4096)
        for name in ("conns", "queue", "swept_conns"):
            words = [*words_of(name, run.pid)]
            assert words, name
            # Addresses are in the upper half, but for the last of it: small negative numbers.
            addresses = [word for word in words if 1 << 63 <= word < ones - (1 << 24)]
            keys = [word for word in addresses if word >> 47 == (1 << 17) - 1]
            assert not keys, (name, [hex(key) for key in keys])


def name_of_program(number: int) -> str:
    """Return the 15 bytes of a program's name that the kernel keeps."""
    info = ctypes.create_string_buffer(80)
    with open(bpf_syscall.prog_by_number(number)) as program:
        attr = struct.pack("<IIQ", program.fileno(), len(info), ctypes.addressof(info))
        bpf_syscall.bpf(15, bytearray(attr))
    return info.raw[64:80].partition(b"\0")[0].decode()


def programs_of(pid: int) -> set[str]:
    """Return the programs that a process holds, by the kernel's names."""
    return {
        name_of_program(int(facts["prog_id"]))
        for of, facts in descriptors(pid)
        if of == "anon_inode:bpf-prog"
    }


def test_it_keeps_no_program_that_reads_wherever_it_is_told() -> None:
    """And what the probes cost is measured all the same."""
    with batch() as run:
        held = programs_of(run.pid)
        assert {"sweep", "let_go"} <= held <= {name[:15] for name in least.KEPT}
        assert programs_of(children(run.pid)["httptop-helper"]) == set()
        assert eventually(lambda: document(run)["overhead"].get("bpf_calls", 0) > 0)


def test_it_holds_no_directory() -> None:
    """By one below a home that is closed, it could open what is there."""
    with batch() as run:
        held = [of for of, _ in descriptors(run.pid)]
        assert len(held) > 20
        assert [of for of in held if os.path.isdir(of)] == []


def test_it_keeps_none_where_there_is_no_helper_either(path: str) -> None:
    """Then nobody can say what the probes cost; what they count is read as ever."""
    with Watch(fresh=True) as watch, connected() as ends:
        watch.source.keep_least(None)
        assert watch.probes.programs.keys() <= least.KEPT
        exchange(*ends, request(path), response(500))
        watch.step()
        assert watch.row(path).status == {500: 1}
        watch.source.timer.switch(True)
        watch.source.timer.switch(False)
        assert watch.step().overhead.bpf_calls is None


def test_a_recording_under_sudo_belongs_to_who_called_but_httptop_does_not(folder: Path) -> None:
    user = someone()
    theirs = folder / "theirs"
    theirs.mkdir()
    os.chown(theirs, user.pw_uid, user.pw_gid)
    capture = theirs / "some.capture"
    sudo = {"SUDO_UID": str(user.pw_uid), "SUDO_GID": str(user.pw_gid)}
    with batch("--record", str(capture), "-n", "3", **sudo) as run:
        assert field(run, "Uid") == {" ".join([str(NOBODY)] * 4)}
        run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 0
    found = capture.stat()
    assert (found.st_uid, found.st_gid) == (user.pw_uid, user.pw_gid)
    assert stat.S_IMODE(found.st_mode) == 0o600
    with capture.open("rb") as file:
        *_, last = read_capture(file)
    assert last.final


def test_settings_are_saved_for_who_called_sudo(folder: Path) -> None:
    user = someone()
    file = folder / "theirs" / "config.toml"
    file.parent.mkdir()
    os.chown(file.parent, user.pw_uid, user.pw_gid)
    sudo = {"SUDO_UID": str(user.pw_uid), "SUDO_GID": str(user.pw_gid)}
    with running("--save-config", str(file), **sudo) as run:
        out, errors = run.communicate(timeout=PATIENCE_S)
    assert (run.returncode, out) == (0, f"{file}\n")
    assert "performance.cache" in errors  # which the test has chosen, and only root may save
    assert len(errors.splitlines()) == 1
    assert (file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)) == (user.pw_uid, 0o600)


def test_the_screen_runs_without_root() -> None:
    code, shown = screen(
        "-d", "0.2", "-n", "40", "--demo", "--comm", "shop-*"
    )  # on a busy machine the demo starts late
    assert code == 0, shown[-2000:]
    assert "/products/{id}" in shown
    assert "stays root" not in shown


def test_the_demo_starts_and_ends_on_a_screen_without_root() -> None:
    shops = {"shop-catalog", "shop-gateway", "shop-load", "shop-orders"}
    with terminal("-d", "0.2") as (run, end):
        until(end, "\x1b[?1049h")  # it draws
        assert eventually(lambda: field(run, "Uid") == {" ".join([str(NOBODY)] * 4)})
        end.write(b"d")
        # The screen tells nothing of them: it may show the requests of another test's demo.
        assert eventually(lambda: shops <= family(run.pid).keys())
        others = family(run.pid)
        assert {status(others[name])["Uid"].split()[0] for name in shops} == {str(NOBODY)}
        end.write(b"q")
        with contextlib.suppress(OSError):
            while end.read(65536):
                pass
        assert run.wait(PATIENCE_S) == 0
        assert eventually(lambda: all(map(gone, others.values())))


def test_changes_are_saved_from_a_screen_without_root(folder: Path) -> None:
    """Into a file that the user it has become could not write, by the helper."""
    file = folder / "config.toml"
    file.write_text("# mine\n[ui]\n")
    file.chmod(0o600)
    with terminal("-d", "0.2", "--config", str(file)) as (run, end):
        until(end, "\x1b[?1049h")
        assert eventually(lambda: field(run, "Uid") == {" ".join([str(NOBODY)] * 4)})
        end.write(b"s9w")
        until_shown(end, file.name)
        end.write(b"q")
        with contextlib.suppress(OSError):
            while end.read(65536):
                pass
        assert run.wait(PATIENCE_S) == 0
    text = file.read_text()
    assert "# mine" in text
    assert tomllib.loads(text)["ui"]["sort"] != DEFAULTS.ui.sort
    assert (file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)) == (0, 0o600)
