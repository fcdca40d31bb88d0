"""Lines of captures that take little room in a file and much in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from httptop.capture import decoder
from httptop.capture.codec import Encoder
from httptop.capture.decoder import Decoder
from httptop.capture.fields import CaptureError
from httptop.capture.lines import LONGEST_LINE
from httptop.model import PartyStats
from tests.factory import many
from tests.patience import PATIENCE_S

_READ = """
import resource, sys
from httptop.capture.decoder import Decoder
from httptop.capture.fields import CaptureError
unit, length = sys.argv[1].encode(), int(sys.argv[2])
line = b'{"x":[' + unit * (length // len(unit)) + b'0]}'
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    Decoder().snapshot(line)
except CaptureError as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""


def attempt(unit: str, length: int) -> tuple[int, str]:
    """Read a line that repeats something, in a process of its own; return the MiB that it takes."""
    ran = subprocess.run(
        [sys.executable, "-c", _READ, unit, str(length)],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    took_kib, _, error = ran.stdout.partition(" ")
    return int(took_kib) >> 10, error.strip()


@pytest.mark.parametrize("unit", ["{},", "[],", "[[[[[", '"ab",', "1.5,", '{"a":1},'])
def test_a_long_line_of_small_values_is_not_even_parsed(unit: str) -> None:
    took_mib, error = attempt(unit, LONGEST_LINE - 100)
    assert error == "has a line of too many values"
    assert took_mib < 8


@pytest.mark.parametrize(
    "unit", ["1234.5678,", '"abcdefghijklmnop",', "[0]," + "1234," * 6, "{}," + "1" * 10000 + ","]
)
def test_what_is_parsed_takes_a_few_times_its_length(unit: str) -> None:
    took_mib, error = attempt(unit, 8 << 20)
    assert error in (
        "lacks 'keys'",
        "has a line of too many objects",
        "holds a line that is not JSON",
    )
    assert took_mib < 96


@pytest.mark.parametrize("end", ['":', '" :', '"\t:', '"\r:'])
def test_members_are_counted_before(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    line = ("{" + ",".join(f'"{n}{end}0' for n in range(100_001)) + "}").encode()
    monkeypatch.setattr("httptop.capture.decoder.json.loads", None)
    with pytest.raises(CaptureError, match="too many members"):
        Decoder().snapshot(line)


def test_no_memory_is_an_error_of_the_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("httptop.capture.decoder.json.loads", none)
    with pytest.raises(CaptureError, match="does not fit into memory"):
        Decoder().snapshot(b"{}")


def test_the_fullest_lines_are_within_the_bounds() -> None:
    """As many processes and peers as an endpoint shows, times the default number of endpoints."""
    tick = many(64, 3)
    parties = PartyStats(123456, 1234, 123456, 1234567.5, 12345678.5)
    rows = tuple(
        replace(
            row,
            by_pid={100_000 + n: parties for n in range(16)},
            by_peer={f"fd00::{n}:1234:5678:9abc": parties for n in range(16)},
            status={400 + n: 7 for n in range(16)},
            window_status={400 + n: 7 for n in range(16)},
        )
        for row in tick.endpoints
    )
    line = Encoder().line(replace(tick, endpoints=rows)).encode()
    totals = Encoder().line(replace(tick, endpoints=())).encode()  # once, however many rows
    times = 8192 / 64
    assert json.loads(line)
    for sign, most in ((b",", decoder._MOST_VALUES), (b"[", decoder._MOST_LISTS)):
        once = totals.count(sign)
        assert (line.count(sign) - once) * times + 20 * once < most
    assert sum(map(line.count, decoder._NAME_ENDS)) < decoder._MOST_MEMBERS / 2
