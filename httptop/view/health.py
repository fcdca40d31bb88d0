"""What is seen, what was missed and why, and what httptop costs; pure functions of a snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from httptop import humanize
from httptop.humanize import Units
from httptop.model import SIDES, Health, HostStats, Overhead, SinkStats, Snapshot
from httptop.view.rows import keys_of

#: What is not seen on any host, whatever its kernel.
NEVER_SEEN: Final = (
    "HTTPS (what is encrypted when it reaches the socket), HTTP/2, HTTP/3 and gRPC, requests made "
    "through io_uring, 32-bit programs."
)


@dataclass(frozen=True, slots=True)
class Loss:
    """A counter of :class:`Health`: its name, what it means, why it happens, what helps."""

    field: str
    short: str
    meaning: str
    help: str
    serious: bool  # something is missing from the picture
    counts: bool = False  # of the counts themselves
    fault: bool = True  # else it is told on the page of health alone


LOSSES: Final = (
    Loss(
        "lost_samples",
        "samples lost",
        "missing among live requests; counts are exact.",
        "A lower sampling.per_second.",
        serious=True,
    ),
    Loss(
        "lost_pieces",
        "pieces lost",
        "calls with too many messages, or bytes that could not be read; requests may be missing.",
        "",
        serious=True,
        counts=True,
    ),
    Loss(
        "missed_calls",
        "calls missed",
        "system calls that the kernel did not report, as its program was busy, and calls of "
        "sockets that began with something else; requests may be missing.",
        "",
        serious=True,
        counts=True,
    ),
    Loss(
        "overfull_pipelines",
        "pipelined",
        "requests with too many others before them in a pipeline; counted, outcome unknown.",
        "A client that waits for responses.",
        serious=True,
        counts=True,
    ),
    Loss(
        "overflow_requests",
        "in ~other",
        "no room for their endpoints: counted in the row ~other.",
        "A higher performance.max_endpoints, or paths.templates that join paths.",
        serious=True,
    ),
    Loss(
        "late_ticks",
        "late ticks",
        "figures came late, as this host is busy and httptop gives way; counts are exact.",
        "A lower performance.nice, or a longer general.tick.",
        serious=True,
    ),
    Loss(
        "orphan_responses",
        "orphans",
        "responses to requests sent before the start; no fault.",
        "",
        serious=False,
        fault=False,
    ),
    Loss(
        "parse_errors",
        "parse errors",
        "malformed header sections on connections that speak HTTP.",
        "",
        serious=False,
    ),
    Loss(
        "discarded_requests",
        "discarded",
        "read by a server behind a response that closes the connection; not counted.",
        "",
        serious=False,
    ),
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the page: a figure, what it is of, and a sentence about it."""

    figure: str
    name: str
    text: str
    hue: str = "text"  # of the figure and the name


def losses(health: Health) -> list[tuple[Loss, int]]:
    """Return the faults whose counters are not zero, the serious ones first."""
    return [(loss, n) for loss in LOSSES if loss.fault and (n := getattr(health, loss.field))]


def is_exact(health: Health) -> bool:
    """Return whether no request is missing from the counts, as far as is known."""
    return not any(loss.counts for loss, _ in losses(health))


def sinks_at_fault(snapshot: Snapshot) -> list[tuple[SinkStats, str]]:
    """Return the sinks that lack something or do not work, with a few words on each."""
    words = {"working": "lacks {}", "failing": "stands still", "ended": "has ended"}
    return [
        (sink, f"{sink.name} {words[sink.state].format(humanize.count(sink.dropped))}")
        for sink in snapshot.sinks
        if not sink.good
    ]


def seen(snapshot: Snapshot) -> str:
    """Return a sentence on what is counted, and whether that is all."""
    keys = keys_of(snapshot.endpoints)
    requests = sum(snapshot.total(side).requests for side in SIDES)
    counted = (
        f"{_many(requests, 'request')} in {_many(len(keys), 'row')} of "
        f"{_many(len({key.process for key in keys}), 'process', 'processes')} by name"
    )
    if snapshot.hosts:
        up = sum(host.up for host in snapshot.hosts)
        return f"{_many(up, 'host')} of {len(snapshot.hosts):,} send figures: {counted}."
    if is_exact(snapshot.health):
        return f"All HTTP/1 that could be seen is counted: {counted}."
    missing = ", ".join(f"{n:,} {loss.short}" for loss, n in losses(snapshot.health) if loss.counts)
    return f"Not all is counted: {counted}, and {missing}."


def missed(snapshot: Snapshot, watching: str, glyph_good: str, glyph_bad: str) -> Iterator[Fact]:
    """Yield what is seen, what was missed, with causes and advice, and what never is seen.

    ``watching``: what is traced, in a few words.
    """
    exact = is_exact(snapshot.health) and all(host.up for host in snapshot.hosts)
    yield Fact(
        glyph_good if exact else glyph_bad,
        "hosts" if snapshot.hosts else "exact" if exact else "not exact",
        seen(snapshot),
        "good" if exact else "bad",
    )
    yield from _hosts(snapshot, glyph_good, glyph_bad)
    none = []
    for loss in LOSSES:
        if n := getattr(snapshot.health, loss.field):
            hue = "bad" if loss.serious else "warn"
            text = f"{loss.meaning} {f'What helps: {loss.help}' if loss.help else ''}".rstrip()
            yield Fact(f"{n:,}", loss.short, text, hue if loss.fault else "muted")
        else:
            none.append(loss.short)
    if none:
        yield Fact("0", "", f"{', '.join(none)}", "muted")
    for sink, short in sinks_at_fault(snapshot):
        text = f"{short}: {sink.dropped:,} of {_many(sink.offered, sink.unit)} dropped, "
        text += f"{sink.waiting:,} waiting." + (f" Last error: {sink.error}." if sink.error else "")
        hue = "warn" if sink.state == "working" else "bad"
        yield Fact(f"{sink.dropped:,}", "not sent", text, hue)
    for sink in snapshot.sinks:
        if sink.good:
            text = f"{_many(sink.sent, sink.unit)} sent"
            if sink.failed:
                text += f", {sink.failed:,} failed. Last error: {sink.error}"
            yield Fact(f"{sink.sent:,}", sink.name, f"{text}.", "muted")
    for note in snapshot.notes:
        yield Fact("", "note", note, "warn")
    if watching:
        yield Fact("", "traced", f"{watching}.", "muted")
    yield Fact("", "never seen", NEVER_SEEN, "muted")


def _hosts(snapshot: Snapshot, glyph_good: str, glyph_bad: str) -> Iterator[Fact]:
    """Yield each host of a fleet, those first that send nothing or lack something."""

    def lacks(host: HostStats) -> bool:
        return not host.up or (host.health is not None and not host.health.good)

    for host in sorted(snapshot.hosts, key=lambda host: (host.up, not lacks(host))):
        ago = humanize.clock(max(0.0, snapshot.taken_at - host.seen_at))
        text = f"{host.name} "
        text += "sends figures" if host.up else f"has sent no figures for {ago}"
        text += f", httptop {host.version}" if host.version else ""
        if host.cpu_percent is not None and host.up:
            text += f", {host.cpu_percent:.1f}% of a CPU"
        found = () if host.health is None else losses(host.health)
        text += "".join(f", {n:,} {loss.short}" for loss, n in found)
        hue = "bad" if not host.up else "warn" if lacks(host) else "good"
        yield Fact(glyph_good if host.up else glyph_bad, "host", f"{text}.", hue)


def cost(overhead: Overhead, units: Units) -> Iterator[Fact]:
    """Yield what httptop itself costs, as far as it is known."""
    if overhead.cpu_percent is not None:
        text = "of a CPU, in user space"
        yield Fact(f"{overhead.cpu_percent:.1f}%", "cpu", text)
    if overhead.bpf_cpu_percent is not None:
        text = "of a CPU, in the probes"
        if overhead.bpf_ns_per_call is not None:
            text += f", {humanize.duration(overhead.bpf_ns_per_call)} a call"
        yield Fact(f"{overhead.bpf_cpu_percent:.1f}%", "kernel", text)
    if overhead.rss_bytes is not None:
        text = "of all processes of httptop"
        yield Fact(units.size(overhead.rss_bytes), "memory", text)
    if overhead.tables:
        parts = [f"{name} {humanize.percent(part)}" for name, part in overhead.tables.items()]
        text = f"taken of the fullest: {', '.join(parts)}"
        fullest = max(overhead.tables.values())
        hue = "bad" if fullest > 0.9 else "warn" if fullest > 0.75 else "text"
        yield Fact(humanize.percent(fullest), "tables", text, hue)
    if overhead.window_bytes:
        text = "of it for the log of the window"
        yield Fact(units.size(overhead.window_bytes), "window", text)
    if overhead.samples_per_s is not None:
        text = "for the live list; all requests are counted"
        yield Fact(f"{humanize.rate(overhead.samples_per_s)}/s", "samples", text)
    if overhead.shed:
        text = f"{', '.join(overhead.shed)}, for performance.max_overhead_percent"
        yield Fact("", "left out", text, "warn")


def _many(n: int, one: str, several: str = "") -> str:
    return f"{n:,} {one if n == 1 else several or f'{one}s'}"
