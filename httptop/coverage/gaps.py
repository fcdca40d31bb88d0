"""Explain why a process is not seen, or only in part: a row for each process.

Pure functions of a survey of the processes (processes.py) and a snapshot; rows with the most
missing come first. What only the bytes themselves could tell is reported as unknown: neither a
mapped TLS library nor a port for TLS proves that a process speaks TLS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from httptop.coverage.processes import Holder, Survey
from httptop.model import MOST_PIDS, EndpointStats, Snapshot

_LISTENS_WIDTH: Final = 24

_TLS_HELP: Final = "put a proxy in front that terminates TLS and forwards HTTP/1"
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
    what: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A process with stream sockets."""

    holder: Holder
    #: HTTP/1 requests counted, both sides; None: nothing was counted here.
    requests: int | None
    shared: bool  # other processes share its endpoints, so ``requests`` is an upper bound
    gaps: tuple[Gap, ...]  # the most serious first

    @property
    def weight(self) -> int:
        """How much is missing, as a rank for sorting."""
        return max((gap.weight for gap in self.gaps), default=0)

    @property
    def seen(self) -> str:
        """The number of requests as text."""
        if self.requests is None:
            return "-"
        return f"{'≤ ' if self.shared and self.requests else ''}{self.requests:,}"

    @property
    def listens(self) -> str:
        """The ports and sockets on which it listens, as text."""
        holder = self.holder
        names = [f":{port}" for port in holder.tcp_ports]
        names += holder.unix_names or (["unix"] if holder.unix_listening else [])
        text = " ".join(names) or "-"
        return text if len(text) <= _LISTENS_WIDTH else text[: _LISTENS_WIDTH - 1] + "…"

    @property
    def connections(self) -> str:
        """The number of its connections: ``12 tcp 3 unix``."""
        holder = self.holder
        parts = ((holder.tcp_connected, "tcp"), (holder.unix_connected, "unix"))
        return " ".join(f"{n} {kind}" for n, kind in parts if n) or "-"


def rows(found: Survey, snapshot: Snapshot | None) -> list[Row]:
    """Return a row for each holder: those with the most missing first, then servers."""
    if snapshot is not None:
        snapshot = replace(snapshot, endpoints=tuple(snapshot.endpoints))
    made = [_row(holder, snapshot) for holder in found.holders]
    return sorted(
        made,
        key=lambda row: (
            -row.weight,
            -row.holder.tcp_listening,
            -row.holder.tcp_connected,
            -row.holder.unix_listening,
            row.holder.pid,
        ),
    )


def _row(holder: Holder, snapshot: Snapshot | None) -> Row:
    if snapshot is None:
        requests, shared = None, False
        tls = http2 = 0
    else:
        theirs = [row for row in snapshot.endpoints if _has_part(row, holder)]
        requests = sum(row.requests for row in theirs)
        shared = any(row.pids != (holder.pid,) for row in theirs)
        tls, http2 = (
            snapshot.other_protocols.get((holder.pid, kind), 0) for kind in ("tls", "http2")
        )
    found = (*_gaps(holder, bool(requests), tls), *_http2(http2, bool(requests)))
    gaps = sorted(found, key=lambda gap: -gap.weight)
    if requests == 0 and not any(gap.weight == _SURE for gap in gaps):
        gaps.append(_silent(holder))
    return Row(holder, requests, shared, tuple(gaps))


def _has_part(row: EndpointStats, holder: Holder) -> bool:
    """Return whether a process may have requests of an endpoint; by name if PIDs are missing."""
    if holder.pid in row.pids:
        return True
    cut = not row.pids or len(row.pids) >= MOST_PIDS
    return cut and row.key.process == holder.process


def _http2(connections: int, counted: bool) -> Iterator[Gap]:
    """Yield the gap that connections with HTTP/2's preface cause."""
    if connections:
        yield Gap(
            2 if counted else _SURE,
            f"speaks HTTP/2 without TLS ({_connections(connections)}): not counted",
            "tell its peer to speak HTTP/1.1",
        )


def _connections(count: int) -> str:
    return f"{count:,} connection{'s' if count != 1 else ''} seen"


def _gaps(holder: Holder, counted: bool, tls: int) -> Iterator[Gap]:
    if holder.bits32:
        yield Gap(
            3,
            "is a 32-bit program: what it reads and writes is not seen",
            "use a 64-bit build, or a 64-bit proxy in front",
        )
    if holder.io_uring:
        yield Gap(
            2 if counted else 3,
            "uses io_uring: what it reads and writes through it is not seen",
            "turn it off if the program can (Node: UV_USE_IO_URING=0)",
        )
    yield from _tls(holder, counted, tls)
    if holder.stopped:
        yield Gap(1, "is stopped: it responds to nothing", f"kill -CONT {holder.pid}")
    if holder.ptraced_by:
        yield Gap(0, f"is traced by process {holder.ptraced_by}, which may stop it")
    if holder.cut:
        yield Gap(0, "has more descriptors than httptop inspects")


def _tls(holder: Holder, counted: bool, seen: int) -> Iterator[Gap]:
    """Yield gaps from TLS hellos, ports and mapped libraries; only hellos are certain."""
    libraries = ", ".join(holder.tls_libraries)
    known = libraries or ("Go has its own" if holder.go else "")
    if seen:
        what = f"speaks TLS ({_connections(seen)}{'; ' + known if known else ''})"
        yield Gap(2 if counted else _SURE, f"{what}: httptop sees none of its cleartext", _TLS_HELP)
    elif holder.tls_ports:
        ports = " ".join(f":{port}" for port in holder.tls_ports)
        what = f"most likely speaks TLS (port {ports}{'; ' + known if known else ''})"
        yield Gap(2 if counted else 3, f"{what}: httptop sees none of its cleartext", _TLS_HELP)
    elif libraries:
        what = f"can speak TLS ({libraries} is mapped): TLS traffic is not seen"
        yield Gap(0 if counted else _likely(holder), what, _TLS_HELP)
    elif holder.go:
        what = "is a Go program, with TLS built in: TLS traffic is not seen"
        yield Gap(0 if counted else _likely(holder), what, _TLS_HELP)


def _likely(holder: Holder) -> int:
    return 2 if holder.tcp else 0


def _silent(holder: Holder) -> Gap:
    """Return the likely reason that no request was seen."""
    if not holder.tcp:
        return Gap(0, "has Unix sockets only, and no HTTP/1 was seen on them")
    what = "no HTTP/1 was seen: it is idle, or speaks something else"
    if holder.tcp_ports:
        return Gap(1, what, f"try: curl -s http://localhost:{holder.tcp_ports[0]}/")
    return Gap(1, what)


# As text, for --doctor


def headline(found: Survey, shown: int) -> list[str]:
    """Return sentences on how many processes there are and how many are not shown."""
    n = len(found.holders) + found.left_out
    lines = [f"{n} process{'es' if n != 1 else ''} with stream sockets or io_uring."]
    if shown < n:
        lines.append(f"The {shown} with the most missing are shown.")
    if found.unreadable:
        others = "1 other" if found.unreadable == 1 else f"{found.unreadable} others"
        lines.append(f"{others} could not be inspected (not root, or refused even to root).")
    return lines


def table(found: Survey, most: int = 40) -> str:
    """Return a survey as a table, for a host where nothing is counted; at most ``most`` rows."""
    made = rows(found, None)[:most]
    lines = [" ".join(headline(found, len(made)))]
    if made:
        width = max(*(len(row.holder.process) for row in made), len("PROCESS"))
        lines.append(
            f"{'PID':>7}  {'PROCESS':<{width}}  {'LISTENS':<{_LISTENS_WIDTH}}  CONNECTIONS"
        )
        for row in made:
            listens = f"{row.listens:<{_LISTENS_WIDTH}}"
            who = f"{row.holder.pid:>7}  {row.holder.process:<{width}}"
            lines.append(f"{who}  {listens}  {row.connections}")
            lines += _words(row.gaps)
    lines += FOOTNOTES
    return "\n".join(lines)


def _words(gaps: Sequence[Gap]) -> Iterator[str]:
    for gap in gaps:
        yield f"{'':>9}{gap.what}"
        if gap.help:
            yield f"{'':>9}→ {gap.help}"
