"""A million made-up and mutated heads through the kernel's parser and the reference.

`make test-fuzz` runs it: `python -m tests.stress.fuzz.heads`. HTTPTOP_FUZZ_HEADS says how many and
HTTPTOP_FUZZ_SEED which; a block of heads comes from its own seed, so that the number of processes
makes no difference. A head that the two judge differently is shrunk and printed.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from tests import vectors
from tests.live import reference
from tests.live.parser import WINDOW, Parser

BLOCK: Final = 5_000

_VECTORS: Final = [vector.data for vector in vectors.heads()]
_METHODS: Final = (*reference.NAMED, "GET", "POST", "get", "M-SEARCH", "X" * 23, "X" * 24, "PRI")
_VERSIONS: Final = (*("HTTP/1.1",) * 8, "HTTP/1.0", "HTTP/1.7", "HTTP/2.0", "http/1.1", "HTTP/1.12")
_ENDS: Final = (*(b"\r\n",) * 6, b"\n", b"\r\r\n", b"\r")
_HEADERS: Final = (
    b"Host: a.example", b"Content-Length: 5", b"content-length:0", b"CONTENT-LENGTH: \t17 \t",
    b"Content-Length: 9999999999999999999", b"Content-Length: 12345678901234567890",
    b"Content-Length: 5, 5", b"Content-Length: +5", b"Content-Length:", b"Content-Length : 3",
    b"Transfer-Encoding: chunked", b"transfer-encoding:gzip, chunked", b"Transfer-Encodin",
    b"Transfer-Encoding", b"X-Content-Length: 5", b" folded: more", b"Cookie: a=b; c=d", b"A:",
    b"X: GET / HTTP/1.1", b"Expect: 100-continue", b"Upgrade: h2c", b"X-Long: " + b"v" * 300,
    b"Content-Lengt\xe9: 5", b"\xff\xfe: \0", b"Content-Type: text/plain",
)  # fmt: skip
_BODIES: Final = (b"", b"", b"hello", b"GET /b HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"\n")
_STATUSES: Final = (b"200", b"404", b"100", b"099", b"1000", b"20", b"2x0", b"999")


def _request(dice: random.Random) -> bytes:
    line = b" ".join(
        (
            dice.choice(_METHODS).encode(),
            reference.made_up_target(dice),
            dice.choice(_VERSIONS).encode(),
        )
    )
    end = dice.choice(_ENDS)
    lines = [line, *(dice.choice(_HEADERS) for _ in range(dice.randrange(7))), b""]
    ends = [end if dice.random() < 0.9 else dice.choice(_ENDS) for _ in lines]
    return b"".join(map(bytes.__add__, lines, ends)) + dice.choice(_BODIES)


def _response(dice: random.Random) -> bytes:
    version, status = dice.choice(_VERSIONS).encode(), dice.choice(_STATUSES)
    reason = dice.choice((b" OK", b"", b" ", b"\tOK", b"OK"))
    return version + b" " + status + reason + dice.choice(_ENDS) + dice.choice(_HEADERS)


def made_up(dice: random.Random) -> bytes:
    """Return the first bytes of something like a head."""
    kind = dice.random()
    if kind < 0.35:
        data = dice.choice(_VECTORS)
    elif kind < 0.9:
        data = _request(dice)
    else:
        data = _response(dice)
    if dice.random() < 0.75:
        data = reference.mutated(dice, data)
    return data[:WINDOW]


def differs(parser: Parser, data: bytes) -> bool:
    """Tell whether the kernel and the reference judge these bytes differently."""
    verdict = parser.head(data)
    return reference.of_verdict(verdict) != reference.judge(
        data
    ) or verdict.status != reference.status_of(data)


def shrunk(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """Return the shortest and plainest bytes found that still fail."""
    size = len(data) // 2
    while size:
        at = 0
        while at < len(data):
            less = data[:at] + data[at + size :]
            if less and fails(less):
                data = less
            else:
                at += size
        size //= 2
    for at in range(len(data)):
        plain = data[:at] + b"a" + data[at + 1 :]
        if fails(plain):
            data = plain
    return data


def compare(parser: Parser, seed: str, count: int) -> tuple[Counter[str], list[bytes]]:
    """Compare so many heads; return how many there were of each outcome, and those that differ."""
    dice = random.Random(seed)
    outcomes: Counter[str] = Counter()
    differing = []
    for _ in range(count):
        data = made_up(dice)
        verdict, expected = parser.head(data), reference.judge(data)
        status = reference.status_of(data)
        whole = " (whole)" if expected.length else ""
        outcomes["response" if status else expected.outcome + whole] += 1
        if verdict.status == status and reference.of_verdict(verdict) == expected:
            continue
        differing.append(data)
    return outcomes, differing


_parser: Parser | None = None


def _block(task: tuple[str, int]) -> tuple[Counter[str], list[bytes]]:
    global _parser
    if _parser is None:
        _parser = Parser()
    return compare(_parser, *task)


def main() -> int:
    """Compare the million, on all CPUs."""
    count = int(os.environ.get("HTTPTOP_FUZZ_HEADS", "1000000"))
    seed = os.environ.get("HTTPTOP_FUZZ_SEED", "1")
    sizes = [min(BLOCK, count - at) for at in range(0, count, BLOCK)]
    tasks = [(f"{seed}/{number}", size) for number, size in enumerate(sizes)]
    began = time.monotonic()
    outcomes: Counter[str] = Counter()
    differing: list[bytes] = []
    with multiprocessing.get_context("spawn").Pool() as pool:
        for found, bad in pool.imap_unordered(_block, tasks):
            outcomes += found
            differing += bad
    spent = time.monotonic() - began
    told = ", ".join(f"{name} {number}" for name, number in outcomes.most_common())
    print(f"heads: {count} with seed {seed} in {spent:.1f} s, {count / spent:.0f} a second; {told}")
    print(f"heads: {len(differing)} judged differently")
    if not differing:
        return 0
    parser = Parser()
    smallest = {
        shrunk(data, lambda less: differs(parser, less)) for data in sorted(differing, key=len)[:20]
    }
    for data in sorted(smallest, key=len):
        print(f"  {data!r}\n    kernel    {reference.of_verdict(parser.head(data))}")
        print(f"    reference {reference.judge(data)}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
