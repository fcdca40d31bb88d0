"""Real processes, as the coverage table tells of them, and as httptop without root has it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from httptop.coverage.processes import Holder, Survey, survey
from httptop.coverage.services import Service, services
from httptop.linux.files import InvokingUser
from httptop.privilege import helper as helper_module
from httptop.privilege import helper_process
from httptop.privilege.helper import Helper
from httptop.privilege.helper_protocol import SURVEY, HelperError
from tests.live.command import status, terminal, until, until_shown
from tests.live.live import Watch, connected, exchange, request
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ebpf

#: A server of one connection at a time: cleartext, or TLS where a certificate is named.
SERVER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
if len(sys.argv) > 1:
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    listener = context.wrap_socket(listener, server_side=True)
print(listener.getsockname()[1], flush=True)
while True:
    end, _ = listener.accept()
    while end.recv(4096):
        end.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
"""
UNIX = """
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(b"\\0" + sys.argv[1].encode())
listener.listen()
print(0, flush=True)
sys.stdin.read()
"""
#: io_uring_setup(2), which may be refused.
IO_URING = """
import ctypes, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
ring = ctypes.CDLL(None).syscall(425, 8, ctypes.create_string_buffer(120))
print(listener.getsockname()[1] if ring >= 0 else -1, flush=True)
sys.stdin.read()
"""

#: Without a C library: socket(AF_INET, SOCK_STREAM, 0), listen(), pause().
OLD = """
void _start(void) {
    int fd, result;
    __asm__ volatile("int $0x80" : "=a"(fd) : "a"(359), "b"(2), "c"(1), "d"(0) : "memory");
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(363), "b"(fd), "c"(1) : "memory");
    for (;;) __asm__ volatile("int $0x80" : "=a"(result) : "a"(29));
}
"""


@contextlib.contextmanager
def process(code: str, *arguments: str, user: int | None = None) -> Iterator[tuple[int, int]]:
    """Run a program that prints its port; give its process id and the port."""
    python = sys.executable if user is None else "/usr/bin/python3"
    with subprocess.Popen(
        [python, "-I", "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        user=user,
        cwd="/",
    ) as run:
        assert run.stdout is not None
        try:
            yield run.pid, int(run.stdout.readline())
        finally:
            run.kill()


def ask(port: int, path: str, wrap: Callable[[socket.socket], socket.socket] | None = None) -> None:
    """Send a request and wait for its response."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as plain:
        end = wrap(plain) if wrap else plain
        end.sendall(request(path))
        assert end.recv(4096).startswith(b"HTTP/1.1 200")
        end.close()


def holder_of(pid: int) -> Holder:
    return next(holder for holder in survey(time.time()).holders if holder.pid == pid)


def row_of(pid: int, watch: Watch) -> Service:
    made = services(survey(time.time()), watch.step())
    return next(row for row in made if row.holder.pid == pid)


def test_a_plain_server_has_its_requests_and_nothing_missing(watch: Watch, path: str) -> None:
    with process(SERVER) as (pid, port):
        assert row_of(pid, watch).seen == "0"
        for _ in range(3):
            ask(port, path)
        watch.expect(path, {200: 3})
        row = row_of(pid, watch)
        assert (row.seen, row.gaps) == ("3", ())
        assert row.listens == f":{port}"


def test_a_connection_belongs_to_who_holds_it() -> None:
    before = survey(time.time()).holders
    with connected() as (client, server):
        exchange(client, server, request("/"))
        mine = holder_of(os.getpid())
    was = sum(holder.tcp_connected for holder in before if holder.pid == os.getpid())
    assert mine.tcp_connected == was + 2


def test_of_tls_only_what_can_be_known_is_said(watch: Watch, path: str, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=test", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    both.write_text((tmp_path / "key.pem").read_text() + (tmp_path / "cert.pem").read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with process(SERVER, str(both)) as (pid, port):
        idle = row_of(pid, watch)
        ask(port, path, context.wrap_socket)
        row = row_of(pid, watch)
    assert idle.requests == row.requests == 0
    assert row.weight == 3
    assert row.gaps[0].what.startswith("speaks TLS (1 connection seen")
    if idle.holder.tls_libraries:  # else this Python has its TLS within itself
        assert idle.weight == 2
        assert "can speak TLS (libssl" in idle.gaps[0].what


def test_io_uring_is_told(watch: Watch) -> None:
    with process(IO_URING) as (pid, port):
        if port < 0:
            pytest.skip("io_uring is refused here")
        row = row_of(pid, watch)
    assert row.holder.io_uring == 1
    assert row.weight == 3
    assert "uses io_uring" in row.gaps[0].what


def test_a_unix_listener_is_told() -> None:
    name = f"httptop-coverage-{os.getpid()}"
    with process(UNIX, name) as (pid, _):
        holder = holder_of(pid)
    assert (holder.unix_listening, holder.unix_names) == (1, (f"@{name}"[:40],))
    assert not holder.bits32


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_a_32_bit_program_is_told(tmp_path: Path) -> None:
    (tmp_path / "old.c").write_text(OLD)
    subprocess.run(
        ["gcc", "-m32", "-nostdlib", "-static", "-fno-pic", "-o", "old", "old.c"],
        cwd=tmp_path,
        check=True,
    )
    with subprocess.Popen([tmp_path / "old"]) as run:
        try:
            found: list[Holder] = []
            deadline = time.monotonic() + PATIENCE_S
            while not found and time.monotonic() < deadline:
                if run.poll() is not None:
                    pytest.skip("this kernel runs no 32-bit programs")
                found = [one for one in survey(time.time()).holders if one.pid == run.pid]
        finally:
            run.kill()
    assert [one.bits32 for one in found] == [True]


@pytest.mark.parametrize(
    "invoker",
    [InvokingUser(0, 0, Path("/root")), InvokingUser(1, 1, Path("/"), elevated=True)],
    ids=["root", "sudo"],
)
def test_the_helper_sees_the_processes_of_every_user(invoker: InvokingUser) -> None:
    helper = Helper()
    try:
        helper.settle(invoker)
        with process(SERVER) as (mine, _), process(SERVER, user=65534) as (another, port):
            found = {holder.pid: holder for holder in helper.survey().holders}
            assert found[another].tcp_ports == (port,)
            assert found[mine] == holder_of(mine)
            os.close(helper.statistics())  # it goes on
    finally:
        helper.end()


def test_a_look_that_hangs_is_ended_and_the_helper_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hang(*_: object) -> bytes:
        signal.raise_signal(signal.SIGALRM)
        return b""

    def fork(channel: socket.socket) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                os.closerange(3, channel.fileno())  # the other end, above all
                helper_process.serve(channel)
            finally:
                os._exit(0)
        return pid

    monkeypatch.setattr(helper_process, "_survey", hang)
    monkeypatch.setattr(helper_module, "start", fork)
    helper = Helper()
    try:
        helper.settle(InvokingUser(0, 0, Path("/root")))
        with pytest.raises(HelperError, match="it took too long"):
            helper.survey()
        os.close(helper.statistics())
    finally:
        helper.end()


def test_nothing_can_be_said_about_the_look() -> None:
    helper = Helper()
    try:
        helper.settle(InvokingUser(0, 0, Path("/root")))
        with pytest.raises(HelperError, match="gone"):
            helper._ask(SURVEY, b"/etc/shadow")
    finally:
        helper.end()


def test_without_root_the_screen_has_it_from_the_helper() -> None:
    with (
        process(SERVER) as (pid, _),
        terminal("-d", "0.2", "-p", str(pid)) as (run, end),
    ):
        until_shown(end, "why a service does not show up")
        assert "0" not in status(run.pid)["Uid"].split()
        end.write(b"y")
        until_shown(end, "without a request")
        end.write(b"q")  # back
        until_shown(end, "why a service does not show up")
        end.write(b"q")
        until(end, "\x1b[?1049l")
        assert run.wait(PATIENCE_S) == 0


def test_what_connections_begin_with() -> None:
    """A TLS hello and HTTP/2's preface are recognised, with how many there were; no others."""
    ours = os.getpid()
    hello = bytes.fromhex("160301020001000200")
    with Watch() as watch:
        before = dict(watch.step().other_protocols)

        def grown() -> dict[str, int]:
            now = watch.step().other_protocols
            return {
                kind: now.get((ours, kind), 0) - before.get((ours, kind), 0)
                for kind in ("tls", "http2")
            }

        with connected() as (client, server):
            client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            server.recv(100)
        assert grown() == {"tls": 0, "http2": 2}  # one at each end
        with connected() as (client, server):
            client.sendall(hello)
            server.recv(5)
            server.recv(100)
            server.sendall(b"\x16\x03\x03\x00\x7a\x02" + bytes(117))  # the response to it
            client.recv(1000)
        assert grown() == {"tls": 2, "http2": 2}
        (row,) = services(Survey(0.0, (Holder(ours, "some", tcp_connected=1),)), watch.step())
    said = " ".join(gap.what for gap in row.gaps)
    assert "speaks TLS (" in said
    assert "speaks HTTP/2 without TLS (" in said
