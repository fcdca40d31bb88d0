"""Processes and their sockets, read from made-up trees, and the gaps reported."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.coverage.processes import MOST_HOLDERS, Holder, Survey, from_text, survey, to_text
from httptop.coverage.report import table
from httptop.coverage.services import Service, services
from httptop.doctor import checks
from httptop.doctor.host import this_host
from httptop.linux.proc_net import Socket, read_sockets
from tests.factory import endpoint, key, snapshot

TCP_HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid ...\n"
UNIX_HEAD = "Num       RefCount Protocol Flags    Type St Inode Path\n"
MAPS = (
    "55d0c0000000-55d0c0001000 r-xp 00000000 fe:00 1 /usr/bin/some\n"
    "7f0000000000-7f0000001000 r-xp 00000000 fe:00 2 {library}\n"
    "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 [stack]\n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n"
)
MAPS_32 = (
    "08048000-08049000 r-xp 00000000 fe:00 1 /usr/bin/old\n"
    "fffdd000-ffffe000 rw-p 00000000 00:00 0 [stack]\n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n"
)


def tcp(inode: int, port: int, state: str = "0A", peer: int = 0) -> str:
    return (
        f"   0: 0100007F:{port:04X} 0100007F:{peer:04X} {state} 00000000:00000000 "
        f"00:00000000 00000000     0        0 {inode} 1 00000000f7 100 0 0 10 0\n"
    )


def unix(inode: int, name: str = "", flags: int = 0, state: str = "03", kind: str = "0001") -> str:
    return f"00000000ae7db0a2: 00000003 00000000 {flags:08X} {kind} {state}  {inode} {name}\n"


class Tree:
    """A made-up /proc."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(
        self,
        pid: int,
        *fds: str,
        name: bytes = b"some",
        tables: dict[str, str] | None = None,
        maps: str = MAPS.format(library="/usr/lib/libc.so.6"),
        status: str = "State:\tS (sleeping)\nTracerPid:\t0\n",
        namespace: str = "net:[1]",
    ) -> None:
        process = self.root / str(pid)
        for folder in ("fd", "ns", "net"):
            (process / folder).mkdir(parents=True)
        for number, target in enumerate(fds):
            (process / "fd" / str(number)).symlink_to(target)
        (process / "ns" / "net").symlink_to(namespace)
        (process / "comm").write_bytes(name + b"\n")
        (process / "maps").write_text(maps)
        (process / "status").write_text(status)
        for table_name, text in (tables or {}).items():
            head = UNIX_HEAD if table_name == "unix" else TCP_HEAD
            (process / "net" / table_name).write_text(head + text)

    def holders(self) -> tuple[Holder, ...]:
        return survey(0.0, self.root).holders


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_sockets_are_read_by_their_inodes(tmp_path: Path) -> None:
    lines = tcp(1, 80) + tcp(2, 80, "01", 5000) + tcp(3, 80, "06", 5001) + tcp(4, 80, "08", 5002)
    (tmp_path / "tcp").write_text(TCP_HEAD + lines)
    (tmp_path / "tcp6").write_text(
        TCP_HEAD + tcp(5, 81).replace("0100007F", "0" * 32) + "nonsense\n\n"
    )
    (tmp_path / "unix").write_text(
        UNIX_HEAD
        + unix(6, "/run/x y\x1b", 1 << 16, "01")
        + unix(7)
        + unix(8, kind="0002")
        + unix(9, state="01")
    )
    assert read_sockets(tmp_path) == {
        1: Socket(True, 80),
        2: Socket(False, 80, 5000),
        4: Socket(False, 80, 5002),
        5: Socket(True, 81),
        6: Socket(True, name="/run/x y\\x1b"),
        7: Socket(False),
    }


@pytest.mark.parametrize("real_first", [True, False])
def test_a_unix_name_with_a_line_break_gives_no_other_a_name(
    tmp_path: Path, real_first: bool
) -> None:
    """Of two entries for a socket one is made up."""
    real, evil = unix(1, "/run/app", 1 << 16, "01"), unix(2, "@a\n" + unix(1, "/evil", 1 << 16))
    table = real + evil if real_first else evil + real
    (tmp_path / "unix").write_text(UNIX_HEAD + table)
    assert read_sockets(tmp_path) == {1: Socket(True), 2: Socket(False)}


def test_a_unix_name_with_a_line_break_pretends_nothing_about_tcp(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(TCP_HEAD + tcp(1, 80))
    (tmp_path / "unix").write_text(UNIX_HEAD + unix(2, "@a\n" + unix(1, "/evil", 1 << 16)))
    assert read_sockets(tmp_path)[1] == Socket(True, 80)


@given(st.binary(max_size=300))
def test_any_table_is_read(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    folder = tmp_path_factory.mktemp("net")
    for name in ("tcp", "tcp6", "unix"):
        (folder / name).write_bytes(b"head\n" + text)
    read_sockets(folder)


def test_a_process_is_told_with_all_that_counts(tree: Tree) -> None:
    tables = {
        "tcp": tcp(11, 8443) + tcp(12, 8443, "01", 50_000) + tcp(13, 8443, "01", 50_001),
        "unix": unix(14, "/run/app.sock", 1 << 16, "01") + unix(15),
    }
    tree.add(
        7,
        *(f"socket:[{inode}]" for inode in (11, 12, 13, 14, 15, 99)),
        "anon_inode:[io_uring]",
        "/dev/null",
        name=b"ev\x1bil",
        tables=tables,
        maps=MAPS.format(library="/usr/lib/libssl.so.3"),
        status="State:\tT (stopped)\nTracerPid:\t5\n",
    )
    assert tree.holders() == (
        Holder(
            7,
            "ev\\x1bil",
            tcp_ports=(8443,),
            unix_names=("/run/app.sock",),
            tcp_listening=1,
            unix_listening=1,
            tcp_connected=2,
            unix_connected=1,
            tls_ports=(8443,),
            tls_libraries=("libssl.so.3",),
            io_uring=1,
            ptraced_by=5,
            stopped=True,
        ),
    )


@pytest.mark.parametrize(
    ("library", "told"),
    [
        ("/lib/libssl.so.1.1 (deleted)", ("libssl.so.1.1",)),
        ("/lib/libssl3.so", ("libssl3.so",)),
        ("/lib/libgnutls.so.30.34.3", ("libgnutls.so.30.34.3",)),
        ("/lib/libsslfoo.so", ()),
        ("/lib/libtlsomething", ()),
        ("/lib/libssl.so\x1b[31m", ("libssl.so\\x1b[31m",)),
        ("/home/libssl.so/x", ()),
    ],
)
def test_tls_libraries_are_known_by_name(tree: Tree, library: str, told: Sequence[str]) -> None:
    tree.add(7, "socket:[1]", tables={"tcp": tcp(1, 80)}, maps=MAPS.format(library=library))
    assert [holder.tls_libraries for holder in tree.holders()] == [told]


def test_go_and_32_bits_are_known_by_their_addresses(tree: Tree) -> None:
    tree.add(7, "socket:[1]", tables={"tcp": tcp(1, 80) + tcp(2, 81) + tcp(3, 82)})
    tree.add(8, "socket:[2]", maps=MAPS_32)
    go = "00400000-00600000 r-xp 0 fe:00 1 /x\nc000000000-c004000000 rw-p 0 00:00 0\n"
    tree.add(9, "socket:[3]", maps=go)
    tree.add(10, "socket:[3]", maps="")  # what cannot be read is not called anything
    assert [(holder.go, holder.bits32) for holder in tree.holders()] == [
        (False, False),
        (False, True),
        (True, False),
        (False, False),
    ]


def test_each_network_namespace_has_tables_of_its_own(tree: Tree) -> None:
    tree.add(7, "socket:[1]", tables={"tcp": tcp(1, 80)})
    tree.add(8, "socket:[2]", tables={"tcp": tcp(2, 80)}, namespace="net:[2]")
    tree.add(9, "socket:[3]", tables={"tcp": tcp(3, 80)}, namespace="net:[2]")  # not read again
    assert [holder.pid for holder in tree.holders()] == [7, 8]


def test_what_holds_no_stream_socket_is_left_out(tree: Tree) -> None:
    tree.add(7, "/dev/null", "socket:[5]", "pipe:[1]")
    (tree.root / "8").mkdir()  # it has ended
    (tree.root / "sys").mkdir()
    assert survey(3.0, tree.root) == Survey(3.0, ())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_processes_of_others_are_counted_without_rights(tree: Tree, tmp_path: Path) -> None:
    tree.add(7, "socket:[1]", tables={"tcp": tcp(1, 80)})
    os.chmod(tree.root / "7" / "fd", 0)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(folder, 0o755)
    os.seteuid(65534)
    try:
        found = survey(0.0, tree.root)
    finally:
        os.seteuid(0)
    assert (found.holders, found.unreadable) == ((), 1)
    assert "1 other could not be inspected" in table(found)


def test_beyond_the_bound_servers_stay_and_the_rest_is_counted(tree: Tree) -> None:
    tree.add(1, "socket:[1]", tables={"tcp": tcp(2, 80), "unix": unix(1)})
    for pid in range(2, MOST_HOLDERS + 2):
        process = tree.root / str(pid)
        process.symlink_to(tree.root / "1")
    (tree.root / str(MOST_HOLDERS + 1)).unlink()
    tree.add(MOST_HOLDERS + 1, "socket:[2]")
    found = survey(0.0, tree.root)
    assert len(found.holders) == MOST_HOLDERS
    assert found.left_out == 1
    assert found.holders[0].tcp_ports == (80,)
    assert f"{MOST_HOLDERS + 1} processes" in table(found)


def test_the_largest_survey_fits_into_a_reply_of_the_helper() -> None:
    name = "\U0001f600" * 40
    port = (65_535,) * 4
    holder = Holder(
        4_194_304, "\\x1b" * 15, port, (name,) * 4, 9**6, 9**6, 9**6, 9**6, port, (name,) * 4
    )
    found = Survey(1.5, (holder,) * MOST_HOLDERS, 9**6, 9**6)
    assert len(to_text(found).encode()) < 1 << 20
    assert from_text(to_text(found)) == found


# What is said


def row(holder: Holder, *pids: int, requests: int = 10, process: str = "nginx") -> Service:
    """Return the row of a holder, with requests by processes of these numbers."""
    ends = [endpoint(key("/", process=process), status={200: requests})] if pids else []
    snap = snapshot([replace(end, pids=pids) for end in ends])
    return services(Survey(0.0, (holder,)), snap)[0]


SERVER = Holder(7, "nginx", (80,), tcp_listening=1, tcp_connected=2)


def with_(**changes: object) -> Holder:
    return replace(SERVER, **changes)  # type: ignore[arg-type]


def test_a_server_that_is_seen_has_nothing_missing() -> None:
    seen = row(SERVER, 7)
    assert (seen.seen, seen.gaps, seen.weight) == ("10", (), 0)
    assert (seen.listens, seen.connections) == (":80", "2 tcp")


def test_requests_of_several_processes_are_a_bound() -> None:
    assert row(SERVER, 7, 8).seen == "≤ 10"
    assert row(SERVER, *range(100, 116)).seen == "≤ 10"  # cut off: the name tells
    assert row(SERVER, *range(100, 116), process="other").seen == "0"
    assert row(SERVER, 8).seen == "0"


@pytest.mark.parametrize(
    ("holder", "weight", "what", "help"),
    [
        (SERVER, 1, "no HTTP/1 was seen", "curl -s http://localhost:80/"),
        (with_(tcp_ports=(), tcp_listening=0), 1, "no HTTP/1 was seen", ""),
        (with_(bits32=True), 3, "32-bit program", "64-bit build"),
        (with_(io_uring=1), 3, "uses io_uring: ", "UV_USE_IO_URING=0"),
        (
            with_(tls_ports=(443,), tls_libraries=("libssl.so.3",)),
            3,
            "most likely speaks TLS (port :443; libssl.so.3): httptop sees none",
            "put a proxy in front that terminates TLS",
        ),
        (with_(tls_ports=(443,)), 3, "(port :443)", "a proxy"),
        (with_(tls_ports=(443,), go=True), 3, "(port :443; Go has its own)", "a proxy"),
        (with_(tls_libraries=("libssl.so.3",)), 2, "can speak TLS (libssl.so.3", "a proxy"),
        (with_(go=True), 2, "is a Go program", "a proxy"),
        (with_(stopped=True), 1, "is stopped", "kill -CONT 7"),
        (
            Holder(7, "x", unix_listening=1, tls_libraries=("libssl.so.3",)),
            0,
            "can speak TLS",
            "a proxy",
        ),
    ],
)
def test_what_is_missing_is_said_with_what_helps(
    holder: Holder, weight: int, what: str, help: str
) -> None:
    found = row(holder)
    assert found.weight == weight
    assert what in found.gaps[0].what
    assert help in found.gaps[0].help


def test_with_requests_seen_the_rest_weighs_less() -> None:
    assert row(with_(io_uring=1), 7).weight == 2
    assert row(with_(tls_ports=(443,)), 7).weight == 2
    assert row(with_(tls_libraries=("libssl.so.3",)), 7).weight == 0
    assert row(with_(go=True), 7).weight == 0


def test_the_gravest_stand_first() -> None:
    holders = (
        Holder(1, "unix", unix_connected=1),
        Holder(2, "idle", (81,), tcp_listening=1),
        Holder(3, "tls", (443,), tcp_listening=1, tls_ports=(443,)),
        Holder(4, "python", (82,), tcp_listening=1, tls_libraries=("libssl.so.3",)),
    )
    order = [made.holder.pid for made in services(Survey(0.0, holders), snapshot())]
    assert order == [3, 4, 2, 1]


def test_the_doctors_table_is_bounded_and_aligned() -> None:
    many = tuple(Holder(pid, "x" * (pid % 7), (pid,), tcp_listening=1) for pid in range(1, 101))
    lines = table(Survey(0.0, many)).splitlines()
    assert lines[0] == (
        "100 processes with stream sockets or io_uring. The 40 with the most missing are shown."
    )
    made = [line for line in lines if ":" in line and line.strip()[0].isdigit()]
    assert len(made) == 40
    assert len({line.index(":") for line in made}) == 1


def test_the_doctor_shows_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = this_host()
    found = Survey(0.0, (Holder(7, "tlsd", (443,), tcp_listening=1, tls_ports=(443,)),))
    monkeypatch.setattr(checks, "survey", lambda _: found)
    monkeypatch.setattr(checks, "probe_load", lambda: checks.Check("Probes", True, "not tried"))
    checks.main(host)
    assert "most likely speaks TLS (port :443)" in capsys.readouterr().out


def test_what_connections_began_with_is_sure() -> None:
    holder = Holder(7, "some", (8443,), tcp_listening=1, tls_ports=(8443,), tls_libraries=("l",))
    seen = replace(snapshot([]), other_protocols={(7, "tls"): 1200, (7, "http2"): 1, (8, "tls"): 5})
    (row,) = services(Survey(0.0, (holder,)), seen)
    assert [gap.weight for gap in row.gaps] == [3, 3]
    assert row.gaps[0].what.startswith("speaks TLS (1,200 connections seen; l)")
    assert row.gaps[1].what.startswith("speaks HTTP/2 without TLS (1 connection seen)")
