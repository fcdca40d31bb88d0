"""A report as HAR 1.2: the sampled requests, as far as they are known.

What a HAR has and httptop does not know stands there as the format says: sizes are -1, lists empty,
the status of a request without a response is 0. A request whose ``Host`` is not known has a URL
below ``PROCESS.invalid``, a name that never leads anywhere (RFC 2606). httptop's own figures are in
members that begin with ``_``, as the format allows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, quote

from httptop import __version__
from httptop.http.field_lines import HOST, fields_of
from httptop.model import STATUS_UNKNOWN, EndpointKey, Transaction
from httptop.report.gathering import Report

_Json = dict[str, object]

#: How such a file begins.
START: Final = b'{"log": {"version": "1.2", "creator": {"name": "httptop"'
_PAGE: Final = "run"
#: What stays as it is in a URL: what RFC 3986 has in a path and a query, and what is escaped.
_KEPT: Final = "/?%:@!$&'()*+,;=~-._[]"


def to_har(report: Report) -> Iterator[str]:
    """Yield the document in pieces; entries are in the order in which the requests began."""
    requests = sorted(report.requests, key=lambda one: (one.started_at, one.serial))
    first_at = min((one.started_at for one in requests), default=report.began_at)
    log = {
        "version": "1.2",
        "creator": {"name": "httptop", "version": __version__},
        "comment": _comment(report),
        "pages": [
            {
                "startedDateTime": _time(min(first_at, report.began_at)),
                "id": _PAGE,
                "title": f"httptop on {report.last.host}",
                "pageTimings": {"onContentLoad": -1, "onLoad": -1},
            }
        ],
    }
    yield json.dumps({"log": log})[:-2] + ', "entries": ['
    for number, request in enumerate(requests):
        yield (",\n" if number else "\n") + json.dumps(_entry(request))
    yield "\n]}}\n"


def _comment(report: Report) -> str:
    total = sum(totals.requests for totals in report.last.totals.values())
    kept, sampled = len(report.requests), report.sampled
    text = f"{total:,} requests were counted; {sampled:,} were sampled, of which this file has "
    text += f"{kept:,}."
    if report.left_out:
        text += (
            f" {report.left_out:,} were left out: the slowest and the failed of each endpoint stay."
        )
    return text + (f" Limited to {'; '.join(report.scope)}." if report.scope else "")


def _entry(request: Transaction) -> _Json:
    key, wait_ms = request.key, round(request.latency_ns / 1e6, 6)
    sent = fields_of(request.request_head)
    url, comment = _url(request, dict(_lower(sent)).get("host", ""))
    entry: _Json = {
        "pageref": _PAGE,
        "startedDateTime": _time(request.started_at),
        "time": wait_ms,
        "request": {
            "method": key.method,
            "url": url,
            "httpVersion": key.protocol,
            "cookies": [],
            "headers": _pairs(sent),
            "queryString": _query(request.path),
            "headersSize": -1,
            "bodySize": -1,
        },
        "response": _response(request),
        "cache": {},
        "timings": {"send": 0, "wait": wait_ms, "receive": 0},
        **_parties(request),
    }
    if request.status == STATUS_UNKNOWN:
        comment.append("no response was seen")
    if comment:
        entry["comment"] = f"{'; '.join(comment)}."
    return entry


def _response(request: Transaction) -> _Json:
    head = request.response_head
    received = fields_of(head[1:])
    known = dict(_lower(received))
    size = _body_size(request, known.get("content-length", ""))
    words = head[0].split(" ", 2) if head else []
    return {
        "status": request.status,
        "statusText": words[2] if len(words) == 3 else "",
        "httpVersion": words[0] if words else request.key.protocol,
        "cookies": [],
        "headers": _pairs(received),
        "content": {"size": size, "mimeType": known.get("content-type", "x-unknown")},
        "redirectURL": known.get("location", ""),
        "headersSize": -1,
        "bodySize": size,
    }


def _body_size(request: Transaction, length: str) -> int:
    """Return the bytes of a response's body; -1: not known."""
    if request.key.method == "HEAD" or request.status in (204, 304):
        return 0
    return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else -1


def _parties(request: Transaction) -> _Json:
    """Return whose the request is, in members of our own but for the server's address."""
    key = request.key
    found: _Json = {
        "_side": key.side,
        "_process": key.process,
        "_endpoint": f"{key.method} {key.path}",
        "_requestBytes": request.request_bytes,
    }
    if request.pid:
        found["_pid"] = request.pid
    if key.port:
        found["_port"] = key.port
    if request.response_bytes is not None:
        found["_responseBytes"] = request.response_bytes
    if request.peer is not None:
        found["_peer"] = request.peer
        address, _, port = request.peer.rpartition(":")
        if key.side == "client" and port.isdecimal():
            found["serverIPAddress"] = address.strip("[]")
    return found


def _url(request: Transaction, host: str) -> tuple[str, list[str]]:
    """Return the URL of a request, and what has to be said about it."""
    key, target, comment = request.key, request.path, []
    if "{" in target and target == key.path:
        comment.append("the target was not kept, its template stands for it")
    if key.method == "OTHER":
        comment.append("the method is none that RFC 9110 names")
    if not HOST.fullmatch(host):
        host = _no_host(key)
        comment.append("the host is not known")
    if not target.startswith("/"):  # "*", or a host and a port
        comment.append(f"the target is {target!r}")
        target = f"/{target}"
    return f"{'https' if key.tls else 'http'}://{host}{quote(target, safe=_KEPT)}", comment


def _no_host(key: EndpointKey) -> str:
    return (re.sub(r"[^a-z0-9]+", "-", key.process.lower()).strip("-") or "process") + ".invalid"


def _query(target: str) -> list[_Json]:
    _, _, query = target.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True, errors="backslashreplace")
    return [{"name": name, "value": value} for name, value in pairs]


def _lower(fields: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((name.lower(), value.strip()) for name, value in fields)


def _pairs(pairs: list[tuple[str, str]]) -> list[_Json]:
    return [{"name": name, "value": value.strip()} for name, value in pairs]


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")
