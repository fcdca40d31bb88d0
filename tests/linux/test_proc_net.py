"""The kernel's tables of sockets, as they are read while sockets come and go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from httptop.linux import proc_net
from httptop.linux.proc_net import Socket, read_sockets

_LINE = b"%d: 0100007F:%04X 00000000:0000 0A 0:0 00:0 0 0 0 %d 1 x 100 0 0 10 0\n"


def test_a_socket_that_one_reading_passes_over_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    readings = iter((b"".join(_LINE % (n, 80 + n, n) for n in (1, 3)), _LINE % (2, 82, 2)))

    def lines(table: Path) -> Iterator[bytes]:
        yield from next(readings).splitlines(True) if table.name == "tcp" else ()

    monkeypatch.setattr(proc_net, "_lines", lines)
    assert read_sockets(tmp_path) == {n: Socket(True, 80 + n) for n in (1, 2, 3)}
