"""Damage captures in every way, and read them: that is a clear word, soon and in little memory.

    python -m tests.stress.fuzz.captures [NUMBER [SEED [SECONDS]]]

Bytes are changed, put in, left out and moved, frames of schema 2 as wholes, and values within them:
numbers, texts, nested and huge ones. What is read is gone through as a replay would, by its index,
and put out in all ways, for damage must not come out there, either.
"""

from __future__ import annotations

import gzip
import io
import math
import random
import resource
import struct
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain
from typing import Any, Final

import msgspec

from httptop.capture.encoder import Encoder
from httptop.capture.frames import HEAD_BYTES, Packer, line_for_people
from httptop.capture.opening import read_capture
from httptop.capture.outline import outline
from httptop.capture.parts import ROW, Index, encode, moment_of
from httptop.capture.problems import CaptureError
from httptop.capture.seeking import CaptureReader
from httptop.linux.stretches import hurry
from httptop.model import Snapshot
from httptop.output.json import to_json
from httptop.output.text import to_text
from httptop.report.csv import to_csv
from httptop.report.gathering import Gathering
from httptop.report.har import to_har
from httptop.report.html import to_html
from httptop.view.state import View, scene
from tests.capture.lines_written import in_lines
from tests.capture.test_codec import FULL
from tests.factory import key, row, snapshot_at

NUMBER: Final = 1_000_000
#: What a damaged capture may take, of the processor and of memory.
MOST_S: Final = 2.0
_MOST_MIB: Final = 600
_SNAPSHOTS: Final = 9


@dataclass
class Done:
    """What has become of some damaged captures."""

    read: int = 0  # whole, in spite of the damage
    damaged: int = 0  # a clear word
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0


def ticks() -> list[Snapshot]:
    """Return snapshots in which rows come, go and change; the last one has every kind of value."""
    found = []
    for number in range(1, _SNAPSHOTS):
        rows = [row(key(f"/{n}"), {200: number}, trend=(1.0, None)) for n in range(number % 3 + 1)]
        small = snapshot_at(number, tuple(rows))
        totals = {
            side: replace(one, trend_rps=one.trend_rps[:2], trend_classes=(), trend_bands=())
            for side, one in small.totals.items()
        }
        found.append(replace(small, totals=totals))
    return [*found, FULL]


@cache
def originals() -> tuple[tuple[str, bytes], ...]:
    """Return captures that are whole, by what they are."""
    packer, encoder = Packer(), Encoder()
    content, moments = line_for_people(ROW), []
    for tick in ticks():
        moments.append(moment_of(tick, len(content)))
        for kind, part in encoder.frames(tick):
            content += packer.frame(kind, part, 0)
    crashed = content
    at = len(content)
    content += packer.frame(b"TIME", encode(Index(0, moments)), 0)
    content += packer.frame(b"DONE", encode(len(content)), at)
    lines = in_lines(ticks())
    return (
        ("schema 2", content),
        ("schema 2, crashed", crashed),
        ("schema 1", lines),
        ("gzip", gzip.compress(lines, mtime=0)),
    )


# Damage

_BYTES: Final = (0, 1, 0x7F, 0x80, 0x90, 0x91, 0xC0, 0xDD, 0xDF, 0xFF, ord("["), ord('"'))
_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, -1, 0, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, -(1 << 63)),
    *(float("nan"), float("inf"), -0.0, 1e300, 5e-324, "", "\x1b]0;x\x07", "x" * 5000, b"", b"\0"),
    *([], {}, [[]] * 50, {"a": {}}, {1: 2}, [None] * 5000, list(range(5000))),
)


def damage_bytes(content: bytes, rng: random.Random) -> bytes:
    """Change, insert, remove, repeat or move some bytes; or cut the file off."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 5, 20))):
        at, length = rng.randrange(len(changed) + 1), rng.choice((1, 1, 2, 4, 16, 300))
        way = rng.randrange(6)
        if way == 0 and at < len(changed):
            changed[at] = rng.choice((*_BYTES, rng.randrange(256), changed[at] ^ 1 << at % 8))
        elif way == 1:
            changed[at:at] = bytes(rng.choice(_BYTES) for _ in range(length))
        elif way == 2:
            del changed[at : at + length]
        elif way == 3:
            changed[at:at] = changed[at : at + length] * rng.choice((1, 2, 50))
        elif way == 4:
            other = rng.randrange(len(changed) + 1)
            changed[at : at + length] = changed[other : other + length]
        elif len(changed) > 1 and rng.randrange(4) == 0:
            del changed[rng.randrange(len(changed)) :]
            break
    return bytes(changed)


def frames_of(content: bytes) -> tuple[bytes, list[bytes]]:
    """Return the line for people, and each frame with its head."""
    line, _, rest = content.partition(b"\n")
    found = []
    while rest:
        (length,) = struct.unpack_from("<I", rest, 12)
        found.append(rest[: HEAD_BYTES + length])
        rest = rest[HEAD_BYTES + length :]
    return line + b"\n", found


def damage_frames(content: bytes, rng: random.Random) -> bytes:
    """Leave out, repeat or exchange frames, or change what their heads say."""
    line, found = frames_of(content)
    for _ in range(rng.choice((1, 1, 2))):
        at, other = rng.randrange(len(found)), rng.randrange(len(found))
        way = rng.randrange(5)
        if way == 0 and len(found) > 1:
            del found[at]
        elif way == 1:
            found.insert(other, found[at])
        elif way == 2:
            found[at], found[other] = found[other], found[at]
        elif way == 3:
            frame = bytearray(found[at])
            place, width = rng.choice(((8, 4), (12, 4), (16, 4), (20, 8)))
            value = rng.choice((0, 1, 37, len(content), 1 << 22, (1 << 8 * width) - 1))
            frame[place : place + width] = value.to_bytes(width, "little")
            found[at] = bytes(frame)
        else:
            found[at] = found[at][:8] + found[other][8:12] + found[at][12:]
    return line + b"".join(found)


def damage_values(content: bytes, rng: random.Random) -> bytes:
    """Change values within frames, whose checksums are right again."""
    line, found = frames_of(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(found))
        head, body = found[at][:HEAD_BYTES], found[at][HEAD_BYTES:]
        changed = _change(_unpacked(body), rng)
        (latest,) = struct.unpack_from("<Q", head, 20)
        try:
            found[at] = _packer().frame(head[8:12], encode(changed), latest)
        except (ValueError, OverflowError, RecursionError, TypeError):
            continue
    if rng.randrange(10) == 0:
        names = [*ROW, "new"]
        rng.shuffle(names)
        line = line_for_people(names[: rng.choice((5, len(ROW), len(ROW) + 1))])
    return line + b"".join(found)


@cache
def _packer() -> Packer:
    return Packer()


@cache
def _plain(body: bytes) -> bytes:
    import zstandard

    return zstandard.decompress(body)


def _unpacked(body: bytes) -> Any:
    return msgspec.msgpack.decode(_plain(body), strict=False)


def _change(value: Any, rng: random.Random) -> Any:
    """Return a value one place of which is something else."""
    if isinstance(value, dict) and value and rng.randrange(12):
        name = rng.choice([*value])
        way = rng.randrange(12)
        if way == 0:
            return {other: one for other, one in value.items() if other != name}
        if way == 1:
            return {**value, rng.choice((0, -1, "new", 1 << 63)): rng.choice(_VALUES)}
        return {**value, name: _change(value[name], rng)}
    if isinstance(value, list) and value and rng.randrange(12):
        at = rng.randrange(len(value))
        way = rng.randrange(12)
        if way == 0:
            return [*value[:at], *value[at + 1 :]]
        if way == 1:
            return [*value[:at], *value[at : at + 1] * rng.choice((2, 300)), *value[at + 1 :]]
        return [*value[:at], _change(value[at], rng), *value[at + 1 :]]
    if isinstance(value, bytes) and len(value) > 20 and rng.randrange(4):
        try:
            return encode(_change(msgspec.msgpack.decode(value, strict=False), rng))
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, TypeError):
            return damage_bytes(value, rng)
    if isinstance(value, bytes) and value and rng.randrange(2):
        return damage_bytes(value, rng)
    if isinstance(value, int) and not isinstance(value, bool) and rng.randrange(2):
        return value + rng.choice((-1, 1, 1 << 40))
    return rng.choice(_VALUES)


# Reading


def go_through(content: bytes) -> None:
    """Read a capture in all ways; raise :class:`CaptureError`."""

    def read(offset: int, size: int) -> bytes:
        return content[offset : offset + size]

    outline(read, lambda: True)
    reader = CaptureReader(read)
    for found in (reader.go_to_number(7, _go), reader.go_to(0.0, _go), reader.go_to(1e12, _go)):
        if found is not None:
            show(found)
    last = FULL
    for tick in read_capture(io.BytesIO(content)):
        last = tick
    put_out(last)


def put_out(last: Snapshot) -> None:
    """Show a snapshot, and report it as the last one of a capture."""
    show(last)
    scene(last, View())
    gathering = Gathering()
    gathering.see(last)
    report = gathering.report(last, lambda snapshot: snapshot)
    for _ in chain(to_csv(report), to_har(report), to_html(report)):
        pass


def _go(at: float) -> bool:  # noqa: ARG001
    return True


def show(tick: Snapshot) -> None:
    """Print a snapshot as outputs do."""
    to_json(tick)
    to_text(tick)
    tick.health.good  # noqa: B018


def attempt(rng: random.Random, number: int, until: Callable[[], bool] = lambda: False) -> Done:
    """Damage so many captures, and read them."""
    done, kinds = Done(), originals()
    for _ in range(number):
        if until():
            break
        name, content = rng.choice(kinds)
        ways = [damage_bytes]
        if name.startswith("schema 2"):
            ways += [damage_frames, damage_values, damage_values]
        damaged = rng.choice(ways)(content, rng)
        if name == "gzip" and rng.randrange(2):
            damaged = gzip.compress(damage_bytes(kinds[2][1], rng), 1, mtime=0)
        began_s = time.thread_time()
        try:
            go_through(damaged)
            done.read += 1
        except CaptureError as error:
            done.damaged += 1
            if not str(error) or len(str(error)) > 400 or not str(error).isprintable():
                done.faults.append(f"{name}: says {str(error)!r}")
        except Exception:  # noqa: BLE001 - that is what is looked for
            done.faults.append(f"{name}:\n{traceback.format_exc()}")
        took_s = time.thread_time() - began_s
        done.slowest_s = max(done.slowest_s, took_s)
        if took_s > MOST_S:
            done.faults.append(f"{name}: takes {took_s:.1f} s")
    return done


def main() -> int:
    """Damage a million captures, or as many as asked for."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else NUMBER
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
    hurry(True)
    print(f"{number:,} damaged captures, seed {seed}", flush=True)
    until_s = time.monotonic() + float(sys.argv[3]) if len(sys.argv) > 3 else math.inf
    done = attempt(random.Random(seed), number, lambda: time.monotonic() > until_s)
    most_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"{done.damaged:,} were a clear word, {done.read:,} could be read, "
        f"{len(done.faults):,} faults; {done.slowest_s * 1e3:.0f} ms at most, {most_mib} MiB"
    )
    for fault in done.faults[:10]:
        print(fault)
    return bool(done.faults) or most_mib > _MOST_MIB


if __name__ == "__main__":
    sys.exit(main())
