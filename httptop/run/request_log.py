"""Set up the log of requests of a run: a sink for each destination."""

from __future__ import annotations

from collections.abc import Sequence

from httptop.collect.new_requests import NewRequests, ReplayedRequests, RequestSource
from httptop.collect.redacted import SnapshotRedaction
from httptop.config.destination import STANDARD_OUTPUT, parse_destination
from httptop.config.settings import Settings
from httptop.linux.appended import Reopen
from httptop.linux.files import InvokingUser
from httptop.output.request_log.formats import format_of
from httptop.output.request_log.opening import open_medium
from httptop.output.request_log.sink import RequestLines, RequestSink


def request_sinks(
    settings: Settings,
    invoker: InvokingUser,
    redaction: SnapshotRedaction,
    new: Sequence[NewRequests] | None,
    helped: Reopen | None = None,
) -> list[RequestSink]:
    """Return the sinks, not begun, with their files open; raises :class:`UsageError`.

    ``redaction``: what is masked in what leaves this terminal. ``new``: the requests of a live run,
    for each destination; None: they are those of a replay. ``helped`` opens files again where this
    process may not.
    """
    sinks: list[RequestSink] = []
    sources: Sequence[RequestSource]
    places = [parse_destination(text) for text in settings.request_log.to]
    sources = [ReplayedRequests() for _ in places] if new is None else new
    for to, source in zip(places, sources, strict=True):
        format = format_of(settings.request_log.format)
        medium, framing = open_medium(to, format, invoker, helped)
        done = to.text == STANDARD_OUTPUT or redaction.level in ("off", settings.security.redact)
        redact = None if done else redaction.request
        name = "request log" if len(places) == 1 else f"request log to {to.text}"
        sinks.append(RequestSink(name, RequestLines(format, framing, medium, redact), source))
    return sinks
