"""What is not seen of a process, and why: pure functions of what is known of it.

What only the bytes themselves could tell is reported as unknown: neither a mapped TLS library nor a
port for TLS proves that a process speaks TLS.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from httptop.coverage.processes import Holder

#: What helps against TLS, whatever says that it is spoken.
TLS_HELP: Final = "put a proxy in front that terminates TLS and forwards HTTP/1"
_SURE: Final = 3
#: Sentences below every table.
FOOTNOTES: Final = (
    "TLS built into a program (Node, Rust, Java) shows only when a connection begins.",
    "HTTP/3 cannot be told apart from other protocols.",
)


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is not seen of a process, and what to do about it."""

    #: _SURE: its requests are not seen; 2: probably not; 1: unknown; 0: a note.
    weight: int
    short: str  # in a few words
    what: str  # the end of a sentence about the process
    help: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the probes have seen of a process since start."""

    requests: int | None  # counted; None: nothing was counted here
    tls: int = 0  # connections
    http2: int = 0


def gaps_of(holder: Holder, seen: Seen) -> tuple[Gap, ...]:
    """Return what is not seen of a process, the most serious first."""
    counted = bool(seen.requests)
    found = (*_gaps(holder, counted, seen.tls), *_http2(seen.http2, counted))
    gaps = sorted(found, key=lambda gap: -gap.weight)
    if seen.requests == 0 and not any(gap.weight == _SURE for gap in gaps):
        gaps.append(_silent(holder))
    return tuple(gaps)


def _http2(connections: int, counted: bool) -> Iterator[Gap]:
    """Yield the gap that connections with HTTP/2's preface cause."""
    if connections:
        yield Gap(
            2 if counted else _SURE,
            "HTTP/2",
            f"speaks HTTP/2 without TLS ({_connections(connections)}): not counted",
            "tell its peer to speak HTTP/1.1",
        )


def _connections(count: int) -> str:
    return f"{count:,} connection{'s' if count != 1 else ''} seen"


def _gaps(holder: Holder, counted: bool, tls: int) -> Iterator[Gap]:
    if holder.bits32:
        yield Gap(
            3,
            "32-bit program",
            "is a 32-bit program: what it reads and writes is not seen",
            "use a 64-bit build, or a 64-bit proxy in front",
        )
    if holder.io_uring:
        yield Gap(
            2 if counted else 3,
            "io_uring",
            "uses io_uring: what it reads and writes through it is not seen",
            "turn it off if the program can (Node: UV_USE_IO_URING=0)",
        )
    yield from _tls(holder, counted, tls)
    if holder.stopped:
        yield Gap(1, "stopped", "is stopped: it responds to nothing", f"kill -CONT {holder.pid}")
    if holder.ptraced_by:
        by = holder.ptraced_by
        yield Gap(0, f"traced by {by}", f"is traced by process {by}, which may stop it")
    if holder.cut:
        yield Gap(0, "not all inspected", "has more descriptors than httptop inspects")


def _tls(holder: Holder, counted: bool, seen: int) -> Iterator[Gap]:
    """Yield gaps from TLS hellos, ports and mapped libraries; only hellos are certain."""
    libraries = ", ".join(holder.tls_libraries)
    known = libraries or ("Go has its own" if holder.go else "")
    unseen = "httptop sees none of its cleartext"
    if seen:
        what = f"speaks TLS ({_connections(seen)}{'; ' + known if known else ''}): {unseen}"
        yield Gap(2 if counted else _SURE, "TLS", what, TLS_HELP)
    elif holder.tls_ports:
        ports = " ".join(f":{port}" for port in holder.tls_ports)
        what = f"most likely speaks TLS (port {ports}{'; ' + known if known else ''}): {unseen}"
        yield Gap(2 if counted else 3, "most likely TLS", what, TLS_HELP)
    elif libraries:
        what = f"can speak TLS ({libraries} is mapped): TLS traffic is not seen"
        yield Gap(0 if counted else _likely(holder), "maybe TLS", what, TLS_HELP)
    elif holder.go:
        what = "is a Go program, with TLS built in: TLS traffic is not seen"
        yield Gap(0 if counted else _likely(holder), "maybe TLS", what, TLS_HELP)


def _likely(holder: Holder) -> int:
    return 2 if holder.tcp else 0


def _silent(holder: Holder) -> Gap:
    """Return the likely reason that no request was seen."""
    if not holder.tcp:
        return Gap(0, "Unix only", "has Unix sockets only, and no HTTP/1 was seen on them")
    what = "no HTTP/1 was seen: it is idle, or speaks something else"
    ports = holder.tcp_ports
    try_it = f"try: curl -s http://localhost:{ports[0]}/" if ports else ""
    return Gap(1, "idle or no HTTP/1", what, try_it)
