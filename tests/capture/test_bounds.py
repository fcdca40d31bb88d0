"""Captures that take little room in a file and much in memory."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from httptop.capture import line_values, parts
from httptop.capture.lines import LONGEST_LINE
from httptop.capture.parts import MOST_ROWS
from httptop.capture.problems import CaptureError
from httptop.model import PartyStats
from tests.capture.lines_written import HEADER
from tests.capture.test_codec import contents, packed, read
from tests.factory import many, snapshot_at
from tests.patience import PATIENCE_S

_READ = """
import resource, sys
from httptop.capture.opening import read_capture
from httptop.capture.problems import CaptureError
import httptop.capture.decoder, httptop.capture.line_decoder
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    error = None
    try:
        with open(path, "rb") as file:
            for _ in read_capture(file):
                pass
    except CaptureError as found:
        error = found
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def attempt(folder: Path, *contents: bytes) -> tuple[int, list[str]]:
    """Read captures in a process of its own; return the MiB that it takes, and their errors."""
    paths = [folder / str(number) for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    ran = subprocess.run(
        [sys.executable, "-c", _READ, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    *errors, took_kib = ran.stdout.splitlines()
    return int(took_kib) >> 10, errors


def line_of(unit: str, length: int) -> bytes:
    """Return a capture of schema 1 with a line that repeats something."""
    return f'{HEADER}\n{{"x":[{unit * (length // len(unit))}0]}}\n'.encode()


def test_a_long_line_of_small_values_is_not_even_parsed(tmp_path: Path) -> None:
    lines = [line_of(unit, LONGEST_LINE - 100) for unit in ("{},", "[[[[[", "1.5,")]
    took_mib, errors = attempt(tmp_path, *lines)
    assert errors == ["has a line of too many values"] * 3
    assert took_mib < 110  # the line, its pieces, and both at once


def test_what_is_unknown_takes_no_memory(tmp_path: Path) -> None:
    units = ("1234.5678,", "[0]," + "1234," * 6, "{}," + "1" * 10000 + ",")
    took_mib, errors = attempt(tmp_path, *(line_of(unit, 8 << 20) for unit in units))
    assert all(error.startswith("has a damaged line: ") for error in errors)
    assert took_mib < 40


def test_no_memory_is_an_error_of_the_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    class Decoder:
        def decode(self, _: bytes) -> None:
            raise MemoryError

    monkeypatch.setattr(line_values, "_lines", Decoder())
    with pytest.raises(CaptureError, match="does not fit into memory"):
        line_values.line_of(b"{}")
    monkeypatch.setattr("httptop.capture.parts._parts", Decoder())
    with pytest.raises(CaptureError, match="does not fit into memory"):
        read(packed(contents([snapshot_at(1)])))


def _array(head: bytes, member: bytes, length: int) -> bytes:
    """Return msgpack of a map with a name and a list of so many equal members."""
    return head + b"\xdd" + length.to_bytes(4, "big") + member * length


#: Contents of a frame, nearly as long as one may be, of what takes the most memory for its bytes.
DENSE = {
    "rows": _array(b"\x81\xa4rows", b"\x93\x00\x00\x90", MOST_ROWS),
    "rows' trends": b"\x81\xa4rows\x91\x93\x00\x00" + _array(b"", b"\x01", 4_000_000),
    "keys": _array(b"\x81\xa4keys", b"\x80", 65_000),
    "serials": _array(b"\x81\xa4tick\x81\xa6recent", b"\x01", 4_000_000),
    "places of trends": b"\x81\xa4tick\x82\xa7dropped\xdf\x00\x05\x00\x00"
    + b"".join(b"\xa5%05d\x00" % n for n in range(0x50000)),
    "statuses": b"\x81\xa4tick\x81\xa8snapshot\x81\xa6totals\x81\xa6server\x81\xa6status"
    + b"\xdf\x00\x07\x00\x00"
    + b"".join(b"\xce%b\x00" % n.to_bytes(4, "big") for n in range(0x70000)),
    "unknown": _array(b"\x81\xa3new", b"\x81\x00\x90", 1_000_000),
}


def test_a_frame_takes_bounded_memory(tmp_path: Path) -> None:
    frames = [packed([(b"WHOL", content)]) for content in DENSE.values()]
    took_mib, errors = attempt(tmp_path, *frames)
    for name, error in zip(DENSE, errors, strict=True):
        assert error.startswith(("is damaged", "has a snapshot")), name
    assert took_mib < 200


def test_many_frames_of_a_snapshot_take_bounded_memory(tmp_path: Path) -> None:
    """Each part says that there is more of it."""
    ((kind, content),) = contents([replace(snapshot_at(1), endpoints=())])
    document = msgspec.msgpack.decode(content)
    first = msgspec.msgpack.encode({**document, "more": True})
    rows = b"\x82\xa4more\xc3" + _array(b"\xa4rows", b"\x93\x00\x00\x91\x01", 60_000)
    took_mib, errors = attempt(tmp_path, packed([(kind, first), *[(b"MORE", rows)] * 500]))
    assert errors == ["has a snapshot that is too large"]
    assert took_mib < 200


def test_the_fullest_snapshots_are_within_the_bounds() -> None:
    """As many processes and peers as an endpoint shows, times the most endpoints."""
    tick = many(64, 3)
    parties = PartyStats(123456, 1234, 123456, 1234567.5, 12345678.5)
    rows = tuple(
        replace(
            row,
            by_pid={100_000 + n: parties for n in range(16)},
            by_peer={f"fd00::{n}:1234:5678:9abc": parties for n in range(16)},
            status={400 + n: 7 for n in range(16)},
            window_status={400 + n: 7 for n in range(16)},
            trend_ns=(1.5e6,) * 120,
        )
        for row in tick.endpoints
    )
    fullest = replace(tick, endpoints=rows)
    size = sum(len(content) for _, content in contents([fullest]))
    assert size / 64 * 32_768 < parts._LARGEST_SNAPSHOT
    assert parts._MOST_TREND_VALUES > 32_768 * 120
