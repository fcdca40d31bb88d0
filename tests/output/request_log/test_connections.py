"""Lines over sockets: TCP, Unix sockets, syslog; to receivers that are slow, dead or come back."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.output.request_log import stream
from httptop.output.request_log.fields import fitted
from httptop.output.request_log.lines import Line
from httptop.output.request_log.stream import StreamMedium, tcp_to, unix_to
from httptop.output.request_log.syslog import DatagramMedium, Rfc3164, Rfc5424, udp_to
from httptop.output.sink import SendError
from httptop.printable import clean
from tests.patience import PATIENCE_S

#: Lines of a kilobyte.
MANY = 8000
#: Written from RFC 5424, and not from the code.
SYSLOG = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([!-~]{1,255}) ([!-~]{1,48})"
    rb" ([!-~]{1,128}) ([!-~]{1,32}) (-|\[meta sequenceId=\"\d{1,10}\"\]) (\xef\xbb\xbf)?(.*)"
)


def lines(*texts: str) -> deque[Line]:
    return deque(Line(f"{text}\n".encode()) for text in texts)


@contextlib.contextmanager
def listening(family: int = socket.AF_INET, at: str = "") -> Iterator[socket.socket]:
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(at or ("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(PATIENCE_S)
        yield listener


def accepted(listener: socket.socket) -> socket.socket:
    connection, _ = listener.accept()
    connection.settimeout(PATIENCE_S)
    return connection


def all_of(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_lines_arrive(kind: str, tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    unix = kind == "unix"
    with listening(*((socket.AF_UNIX, path) if unix else ())) as listener:
        connect = unix_to(path) if unix else tcp_to("localhost", listener.getsockname()[1])
        medium = StreamMedium(connect, acknowledges=not unix)
        medium.write(lines("a", "b"))
        with accepted(listener) as connection:
            medium.write(lines("c"))
            medium.close()
            assert all_of(connection) == b"a\nb\nc\n"


def test_nobody_there_is_an_error_and_tried_again() -> None:
    with listening() as listener:
        port = listener.getsockname()[1]
    medium, waiting = StreamMedium(tcp_to("127.0.0.1", port), acknowledges=True), lines("a")
    with pytest.raises(ConnectionRefusedError):
        medium.write(waiting)
    assert len(waiting) == 1
    nowhere = StreamMedium(tcp_to("nowhere.invalid", 1), acknowledges=True)
    with pytest.raises(socket.gaierror):
        nowhere.write(waiting)
    medium.close()
    nowhere.close()


def test_a_receiver_that_comes_back_gets_what_follows() -> None:
    with listening() as listener:
        port = listener.getsockname()[1]
        medium = StreamMedium(tcp_to("127.0.0.1", port), acknowledges=True)
        medium.write(lines("a"))
        with accepted(listener) as connection:
            assert connection.recv(10) == b"a\n"
        medium.write(lines("b"))  # its end was seen before
        with accepted(listener) as connection:
            assert connection.recv(10) == b"b\n"
            medium.close()
        assert not medium.trouble


@pytest.fixture
def stalled(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[socket.socket, StreamMedium, deque[Line]]]:
    """A medium whose receiver takes nothing any more; lines that it has not written are left."""
    monkeypatch.setattr(stream, "STALLED_S", 0.2)
    monkeypatch.setattr(stream, "_LAST_S", 0.2)
    with listening() as listener:
        medium = StreamMedium(tcp_to("127.0.0.1", listener.getsockname()[1]), acknowledges=True)
        waiting = lines(*(f"{number:01000d}" for number in range(MANY)))  # more than buffers take
        for _ in range(2):  # on the same connection
            with pytest.raises(SendError, match="nothing is taken"):
                medium.write(waiting)
        assert 0 < len(waiting) < MANY
        yield listener, medium, waiting


def test_what_a_receiver_that_died_had_not_taken_is_sent_again(
    stalled: tuple[socket.socket, StreamMedium, deque[Line]], monkeypatch: pytest.MonkeyPatch
) -> None:
    listener, medium, waiting = stalled
    monkeypatch.setattr(stream, "_LAST_S", PATIENCE_S)
    sent = MANY - len(waiting)
    accepted(listener).close()  # with all that it had not read

    def write() -> None:
        while waiting:
            with contextlib.suppress(OSError, SendError):
                medium.write(waiting)
        medium.close()

    writing = threading.Thread(target=write)
    writing.start()
    got = [int(line) for line in all_of(accepted(listener)).split()]
    writing.join()
    # Whole lines, each once, from the first on that the dead receiver's kernel had not got.
    assert got == list(range(got[0], MANY))
    assert got[0] < sent
    assert medium.trouble == stream.RESET  # for it had not read all that its kernel had
    assert medium.lacks_some


def test_at_the_end_what_is_not_acknowledged_counts_as_lost(
    stalled: tuple[socket.socket, StreamMedium, deque[Line]],
) -> None:
    _, medium, waiting = stalled
    with pytest.raises(SendError, match="requests were sent and not acknowledged") as caught:
        medium.close()
    assert 0 < caught.value.lost <= MANY - len(waiting)


def test_datagrams_to_the_hosts_own_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    medium = DatagramMedium(unix_to(path, socket.SOCK_DGRAM), may_vanish=False)
    waiting = lines("a", "b")
    with pytest.raises(FileNotFoundError):
        medium.write(waiting)
    for expected in (2, 1):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            receiver.bind(path)
            receiver.settimeout(PATIENCE_S)
            medium.write(waiting)
            assert [receiver.recv(10) for _ in range(expected)] == [b"a\n", b"b\n"][-expected:]
        os.unlink(path)
        waiting = lines("b")
        with pytest.raises(OSError, match=r"refused|No such file"):
            medium.write(waiting)
        assert len(waiting) == 1
    medium.close()


def test_over_udp_what_nobody_listened_to_is_sent_again() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
    medium, waiting = DatagramMedium(udp_to("localhost", port), may_vanish=True), lines("a", "b")
    for _ in range(4):
        with pytest.raises(ConnectionRefusedError):
            medium.write(waiting)
        assert len(waiting) == 2
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", port))
        receiver.settimeout(PATIENCE_S)
        medium.write(waiting)
        assert [receiver.recv(10), receiver.recv(10)] == [b"a\n", b"b\n"]
    medium.close()


@given(
    st.binary(max_size=200).map(clean),
    st.floats(0, 4e9),
    st.binary(max_size=300).map(clean),
    st.none() | st.integers(1, 2**40),
)
def test_a_message_of_rfc_5424_is_read_back(
    text: str, at: float, host: str, serial: int | None
) -> None:
    message = Rfc5424(counted=False).framed(text, at, host, serial)
    match = SYSLOG.fullmatch(message)
    assert match is not None
    priority, _, _, name, pid, kind, data, mark, rest = match.groups()
    assert (name, int(pid)) == (b"httptop", os.getpid())
    if serial is None:
        assert (priority, kind, data) == (b"28", b"MISSING", b"-")
    else:
        assert (priority, kind) == (b"30", b"REQ")
        assert 1 <= int(re.findall(rb"\d+", data)[0]) < 2**31
        assert serial >= 2**31 or b'"%d"' % serial in data
    assert rest.decode() == text
    assert bool(mark) == (not text.isascii())
    counted = Rfc5424(counted=True).framed(text, at, host, serial)
    size, _, counted_message = counted.partition(b" ")
    assert (int(size), counted_message) == (len(message), message)


@given(st.binary(max_size=200).map(clean), st.floats(0, 4e9), st.none() | st.integers(1, 2**40))
def test_a_message_to_the_hosts_own_socket_is_as_syslog_3_writes_it(
    text: str, at: float, serial: int | None
) -> None:
    message = Rfc3164().framed(text, at, "host", serial).decode()
    pattern = r"<(\d+)>([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) httptop\[(\d+)\]: (.*)"
    match = re.fullmatch(pattern, message)
    assert match is not None
    assert match[1] == ("28" if serial is None else "30")
    assert time.strptime(match[2], "%b %d %H:%M:%S")[1:6] == time.localtime(at)[1:6]
    assert (int(match[3]), match[4]) == (os.getpid(), text)


@given(st.text(max_size=2000), st.floats(0, 4e9))
def test_no_message_is_longer_than_receivers_should_take(text: str, at: float) -> None:
    for framing in (Rfc5424(counted=False), Rfc3164()):
        fit = fitted(text, framing.most_bytes)
        assert len(framing.framed(fit, at, "h" * 300, 2**31 - 1)) <= 2000
