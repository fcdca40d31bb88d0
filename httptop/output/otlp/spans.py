"""Sampled requests as spans.

A span ends with the first byte of the response, since that is what httptop measures. It is marked
``span.metrics.skip``: spans are samples, so a receiver had better count nothing by them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

from httptop.collect.containers import Containers
from httptop.http.field_lines import HOST, fields_of
from httptop.linux.stretches import give_way
from httptop.model import STATUS_UNKNOWN, UNIX_PEER, Transaction
from httptop.output.otlp.attributes import (
    OTHER_METHOD,
    SCOPE,
    UNANSWERED,
    Methods,
    Owner,
    Resources,
    Value,
    is_error,
    key_values,
    of_endpoint,
    of_status,
)
from httptop.output.otlp.trace_context import TraceContext, Traced

#: Of header sections.
_FIELDS: Final = ("host", "user-agent")
_SAMPLED_AT_RANDOM: Final = 0x01
_IS_REMOTE_KNOWN: Final = 0x100
_IS_REMOTE: Final = 0x200


class Spans:
    """Makes spans of requests; for one thread."""

    def __init__(
        self,
        resources: Resources,
        methods: Methods,
        containers: Containers | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """``random`` returns so many bytes."""
        self._resources, self._methods = resources, methods
        self._containers, self._random = containers or Containers(), random

    def request_of(self, requests: Iterable[Traced]) -> ExportTraceServiceRequest:
        """Return the message that has a span for each request."""
        message, scopes = ExportTraceServiceRequest(), dict[Owner, ScopeSpans]()
        for request, context in requests:
            give_way()
            owner = self._owner(request)
            scope = scopes.get(owner)
            if scope is None:
                resource = message.resource_spans.add()
                resource.resource.CopyFrom(self._resources.of(owner))
                scope = scopes[owner] = resource.scope_spans.add()
                scope.scope.CopyFrom(SCOPE)
            self._fill(scope.spans.add(), request, context)
        return message

    def _owner(self, request: Transaction) -> Owner:
        found = self._containers.of((request.pid,)) if request.pid else ()
        return Owner(request.key.process, request.key.user, found[0] if found else "")

    def _fill(self, span: Span, request: Transaction, context: TraceContext | None) -> None:
        key = request.key
        if context is None:
            span.trace_id, span.flags = self._random(16), _SAMPLED_AT_RANDOM
        else:
            span.trace_id, span.parent_span_id = context.trace_id, context.parent_id
            span.flags = context.flags | _IS_REMOTE_KNOWN | _IS_REMOTE
        span.span_id = self._random(8)
        span.kind = Span.SPAN_KIND_SERVER if key.side == "server" else Span.SPAN_KIND_CLIENT
        method = self._methods.name(key.method)
        span.name = f"{'HTTP' if method == OTHER_METHOD else method} {key.path}"
        span.start_time_unix_nano = round(request.started_at * 1e9)
        span.end_time_unix_nano = span.start_time_unix_nano + request.latency_ns
        span.attributes.extend(key_values(attributes_of(request, self._methods)))
        unanswered = request.status == STATUS_UNKNOWN
        if is_error(request.status, key.side) or (unanswered and key.side == "client"):
            span.status.code = Status.STATUS_CODE_ERROR


def without_what_no_span_has(request: Transaction) -> Transaction:
    """Return a request with no more of its header sections than spans have; masking is dear."""
    lines = request.request_head
    kept = tuple(line for line in lines if line.partition(":")[0].lower() in _FIELDS)
    return replace(request, request_head=kept, response_head=())


def attributes_of(request: Transaction, methods: Methods) -> dict[str, Value]:
    """Return the attributes of the span of a request."""
    key = request.key
    found = of_endpoint(key, methods)
    if request.status == STATUS_UNKNOWN:
        found["error.type"] = UNANSWERED
    else:
        found |= of_status(request.status, key.side)
    fields = {name.lower(): value for name, value in fields_of(request.request_head)}
    host = HOST.fullmatch(fields.get("host", "").strip())
    path, mark, query = request.path.partition("?")
    peer, port = _address(request.peer)
    if peer:
        found["network.peer.address"] = peer
        if port:
            found["network.peer.port"] = port
    server, server_port = _address(host[0]) if host else ("", 0)
    if key.side == "server":
        found["url.path"] = path
        if mark:
            found["url.query"] = query
        if peer:
            found["client.address"] = peer
        if server:
            found["server.address"] = server
            found["server.port"] = server_port or _default_port(key.tls)
    else:
        server, server_port = (server, server_port) if server else (peer, port)
        if server:
            found["server.address"] = server
            port = found["server.port"] = server_port or key.port or _default_port(key.tls)
            found["url.full"] = _url(server, int(port), request.path, tls=key.tls)
    if agent := fields.get("user-agent", "").strip():
        found["user_agent.original"] = agent
    found["span.metrics.skip"] = True
    return found


def _default_port(tls: bool) -> int:
    return 443 if tls else 80


def _url(host: str, port: int, target: str, *, tls: bool) -> str:
    scheme = "https" if tls else "http"
    host = f"[{host}]" if ":" in host else host
    where = host if port == _default_port(tls) else f"{host}:{port}"
    return f"{scheme}://{where}{target if target.startswith('/') else '/'}"


def _address(text: str | None) -> tuple[str, int]:
    """Return host and port of ``203.0.113.7:443``, ``[::1]:80`` or a name; 0: it has no port."""
    if not text or text == UNIX_PEER:
        return "", 0
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, ""
    return host.removeprefix("[").removesuffix("]"), int(port) if port.isdecimal() else 0
