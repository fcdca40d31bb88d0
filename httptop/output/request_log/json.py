"""A request as a line of JSON. Keys are those of JSON snapshots; what is unknown is left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from httptop.model import STATUS_UNKNOWN, Transaction
from httptop.output.request_log.formats import Missing

_Json = dict[str, object]


class JsonFormat:
    """One object a line; ``docs/request-log.md`` has its keys."""

    def line(self, request: Transaction, most_bytes: int | None = None) -> str:
        """Return a line; one that is too long lacks the header sections, then ends of texts."""
        document = _document(request)
        text = _dump(document)
        if most_bytes is None or len(text) * 4 <= most_bytes:
            return text
        if _over(text, most_bytes) > 0:
            document.pop("request_head", None)
            document.pop("response_head", None)
            text = _dump(document)
        if (over := _over(text, most_bytes)) > 0:
            # A character takes a byte at least, and the mark of the cut three.
            kept = max(0, len(request.path) - over - 3)
            document["target"] = request.path[:kept] + "…"
            text = _dump(document)
        return text

    def missing(self, missing: Missing, at: float) -> str:
        """Return a line with ``dropped``, ``lost_samples`` or both, and no serial."""
        document: _Json = {"time": _time(at)}
        if missing.dropped:
            document["dropped"] = missing.dropped
        if missing.lost:
            document["lost_samples"] = missing.lost
        return _dump(document)

    def is_first(self, start: bytes) -> bool:
        """Return whether a file begins with a line of this format."""
        return start.startswith((b'{"serial":', b'{"time":"'))


def _document(request: Transaction) -> _Json:
    key = request.key
    document: _Json = {
        "serial": request.serial,
        "time": _time(request.started_at),
        "side": key.side,
        "process": key.process,
    }
    if key.user:
        document["user"] = key.user
    if request.pid:
        document["pid"] = request.pid
    if key.port:
        document["port"] = key.port
    if request.peer is not None:
        document["peer"] = request.peer
    document |= {
        "protocol": key.protocol,
        "tls": key.tls,
        "method": key.method,
        "path": key.path,
        "target": request.path,
    }
    if request.status != STATUS_UNKNOWN:
        document["status"] = request.status
    document["latency_ms"] = round(request.latency_ns / 1e6, 6)
    document["request_bytes"] = request.request_bytes
    if request.response_bytes is not None:
        document["response_bytes"] = request.response_bytes
    document["slow"] = request.slow
    if request.request_head:
        document["request_head"] = list(request.request_head)
    if request.response_head:
        document["response_head"] = list(request.response_head)
    return document


def _over(text: str, most_bytes: int) -> int:
    return len(text.encode("utf-8", "backslashreplace")) - most_bytes


def _dump(document: _Json) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _time(at: float) -> str:
    """Return a Unix time as RFC 3339 with microseconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
