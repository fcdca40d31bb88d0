"""A report as one page of HTML that needs nothing from elsewhere and runs nothing but its own.

Its policy (Content-Security-Policy) names the one script and the one style sheet by their hashes,
and forbids every request, so not even a text that were not escaped could do anything.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from httptop import __version__, humanize
from httptop.model import SIDES, Side, Totals, errors_of
from httptop.report.charts import CLASSES, heat_map, rate_chart
from httptop.report.gathering import Report
from httptop.report.markup import UNKNOWN, text
from httptop.report.tables import endpoints, moments, requests
from httptop.view.health import NEVER_SEEN, losses, seen

#: How such a file begins.
START: Final = (
    b'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    b'<meta name="generator" content="httptop '
)
_TIME: Final = "%Y-%m-%d %H:%M:%S UTC"


def to_html(report: Report) -> Iterator[str]:
    """Yield the page in pieces."""
    yield from _head(report)
    yield "<main>"
    yield from _summary(report)
    for side in SIDES:
        yield from _over_time(report, side)
    yield from _section("Endpoints", endpoints(report))
    yield from _section("Slowest requests", requests(report, "slowest"))
    yield from _section("Failed requests", requests(report, "failed"))
    yield from _section("What was not seen", _unseen(report))
    yield f"</main>\n<script>{_file('page.js')}</script>\n</body>\n</html>\n"


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(part: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(part.encode()).digest()).decode()}'"


def _head(report: Report) -> Iterator[str]:
    style, script = _file("page.css"), _file("page.js")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    title = f"httptop on {report.last.host}, {_time(report.began_at)}"
    yield f'{START.decode()}{text(__version__)}">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>{text(title)}</title>"
    yield f"<style>{style}</style>\n</head>\n<body>"


def _summary(report: Report) -> Iterator[str]:
    last = report.last
    yield f"<h1>HTTP on {text(last.host)}</h1>"
    yield (
        f"<p>{_time(report.began_at)} to {_time(last.taken_at)} "
        f"({humanize.clock(last.uptime_s)}), seen by httptop {text(__version__)}.</p>"
    )
    if report.scope:
        yield f"<p>Limited to: {text('; '.join(report.scope))}.</p>"
    for side in SIDES:
        totals = last.total(side)
        if totals.requests:
            what = "Requests served" if side == "server" else "Requests sent"
            yield f'<h2>{what}</h2>\n<dl class="figures">'
            # There is no one start of many hosts, so there is no mean since then.
            for name, figure in _figures(totals, 0.0 if last.hosts else last.uptime_s):
                yield f"<div><dt>{name}</dt><dd>{text(figure)}</dd></div>"
            yield "</dl>"
    if not any(last.total(side).requests for side in SIDES):
        yield "<p>No request was seen.</p>"


def _figures(totals: Totals, seconds: float) -> Iterator[tuple[str, str]]:
    errors, latency = errors_of(totals.status, totals.unanswered), totals.latency_total
    yield "requests", f"{totals.requests:,}"
    yield "mean rate", f"{humanize.rate(totals.requests / seconds if seconds > 0 else None)}/s"
    yield "errors", f"{errors:,} ({humanize.percent(errors / totals.requests)})"
    yield "unanswered", f"{totals.unanswered:,}"
    for name, value in (
        ("p50", latency.p50_ns),
        ("p99", latency.p99_ns),
        ("p99.9", latency.p999_ns),
        ("longest", latency.max_ns),
    ):
        yield name, humanize.duration(value) if latency.count else UNKNOWN
    yield "request bytes", humanize.size(totals.request_bytes)
    yield "response bytes", humanize.size(totals.response_bytes)


def _over_time(report: Report, side: Side) -> Iterator[str]:
    totals = report.last.total(side)
    if not totals.requests:
        return
    yield f"<h2>Over time, {side} side</h2>"
    yield "<figure><figcaption>Requests a second by status: "
    for number, name in CLASSES:
        box = f'<svg viewBox="0 0 1 1" aria-hidden="true"><path class="c{number}" d="M0 0h1v1H0z"/>'
        yield f'<span class="legend">{box}</svg> {name}</span>'
    yield "</figcaption>"
    yield from rate_chart(side, report.stretches, report.began_at)
    yield "</figure>"
    known = sum(one.sides[side].bands.total() for one in report.stretches)
    yield "<figure><figcaption>Latencies: the stronger the colour, the more requests a second."
    if known < totals.latency_total.count or not known:
        yield f" Of {totals.latency_total.count:,} latencies it is known when {known:,} were."
    yield "</figcaption>"
    yield from heat_map(side, report.stretches, report.began_at)
    yield "</figure>\n<details><summary>Figures of the chart</summary>"
    yield from moments(report, side)
    yield "</details>"


def _section(title: str, pieces: Iterator[str]) -> Iterator[str]:
    yield f"<section>\n<h2>{title}</h2>"
    yield from pieces
    yield "</section>"


def _unseen(report: Report) -> Iterator[str]:
    last = report.last
    yield f"<p>{text(seen(last))}</p>"
    yield f"<p>Never seen: {text(NEVER_SEEN)}</p>\n<ul>"
    for loss, count in losses(last.health):
        kind = ' class="bad"' if loss.serious else ""
        yield f"<li{kind}>{count:,} {text(loss.short)}: {text(loss.meaning)}</li>"
    for protocol, name in (("tls", "TLS"), ("http2", "HTTP/2")):
        found = sum(n for (_, other), n in last.other_protocols.items() if other == protocol)
        if found:
            yield f"<li>{found:,} connections began with {name}: nothing of these is counted.</li>"
    for note in report.notes:
        yield f"<li>{text(note)}</li>"
    yield (
        f"<li>Single requests are samples: {report.sampled:,} of "
        f"{sum(last.total(side).requests for side in SIDES):,} were taken, and "
        f"{len(report.requests):,} kept, of each endpoint the slowest and the failed.</li>"
    )
    yield "</ul>"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(_TIME)
