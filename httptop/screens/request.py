"""The screen of one sampled request: everything known about it, the header sections of both."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from httptop import humanize
from httptop.http.curl import CurlCommand, curl_command
from httptop.humanize import Units
from httptop.model import STATUS_UNKNOWN, Transaction
from httptop.screens.base import HttptopScreen
from httptop.screens.hints import page_hints
from httptop.widgets.detail_title import DetailTitle
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.painting import status_hue, status_phrase
from httptop.widgets.text_page import TextPage
from httptop.widgets.time_lines import TimeLines

_LABEL = 16


class RequestScreen(HttptopScreen):
    """The page of one request; it does not change with the traffic."""

    OF_NOW = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,left", "app.pop_screen", "Back", show=False),
        Binding("enter", "endpoint", "Its endpoint", show=False),
        Binding("y", "copy", "Copy as curl", show=False),
    ]

    def __init__(self, request: Transaction) -> None:
        super().__init__()
        self.request = request
        self.curl = curl_command(request)

    def compose(self) -> ComposeResult:
        """Make title, page and keys."""
        yield TimeLines(self.httptop.symbols)
        yield DetailTitle(self.request.key, self.httptop.symbols)
        yield TextPage(id="request")
        own = (
            ("y", "copy as curl", "screen.copy"),
            ("Enter", "its endpoint", "screen.endpoint"),
        )
        yield KeyBar(page_hints(self.httptop.key_of, *own))

    def on_mount(self) -> None:
        """Show the request."""
        self.query_one(TextPage).focus()
        self.refresh_scene()

    def refresh_scene(self) -> None:
        """Write the page in the current units."""
        self.refresh_time()
        request = self.request
        blocks = [
            _facts(request, self.httptop.units),
            _request_head(request),
            _response_head(request),
            _as_curl(self.curl),
        ]
        self.query_one(TextPage).show(Content("\n\n").join(blocks))

    def action_copy(self) -> None:
        """Send the request as a curl command to the terminal's clipboard (OSC 52)."""
        more = ", which lacks what is said below it" if self.curl.remarks else ""
        self.httptop.copy_text(str(self.curl), f"a curl command{more}")

    def action_endpoint(self) -> None:
        """Open the endpoint that counts the request."""
        self.httptop.open_endpoint(self.request.key)


def _facts(request: Transaction, units: Units) -> Content:
    key = request.key
    moment = humanize.day(request.started_at)
    responded = request.status != STATUS_UNKNOWN
    status = (
        f"{request.status} {status_phrase(request.status)}" if responded else "none: unanswered"
    )
    slow = "  slow: above the sampling threshold" if request.slow else ""
    facts = (
        ("request", f"{key.method} {request.path} {key.protocol}", "$hue-strong"),
        ("status", status.rstrip(), f"$hue-{status_hue(request.status)} bold"),
        (
            "latency",
            f"{units.duration(request.latency_ns)}  ({request.latency_ns:,} ns){slow}",
            "$hue-warn" if request.slow else "$hue-text",
        ),
        ("began", f"{moment} {humanize.time_of_day(request.started_at)}", "$hue-text"),
        (
            "responded" if responded else "closed",
            humanize.time_of_day(request.responded_at),
            "$hue-text",
        ),
        ("side", f"{key.side}{', over TLS' if key.tls else ''}", "$hue-text"),
        ("process", f"{key.process}, pid {request.pid or humanize.UNKNOWN}", "$hue-accent"),
        (
            "caller" if key.side == "server" else "server",
            request.peer or "unknown (Unix sockets have no address)",
            "$hue-text",
        ),
        (
            "request bytes",
            f"{_bytes(request.request_bytes, units)}, before the response began",
            "$hue-text",
        ),
        ("response bytes", _bytes(request.response_bytes, units), "$hue-text"),
        ("counted under", f"{key.method} {key.path}", "$hue-text"),
    )
    lines = [
        Content.assemble((f"{label:<{_LABEL}}", "$hue-muted"), (value, hue))
        for label, value, hue in facts
    ]
    return Content("\n").join([_title("Request", "sampled"), *lines])


def _request_head(request: Transaction) -> Content:
    if not request.request_head:
        none = Content("not captured: only some requests have theirs")
        return Content("\n").join([_title("Request header section", ""), none])
    title = _title("Request header section", "as far as kept")
    return Content("\n").join([title, *map(_field, request.request_head)])


def _response_head(request: Transaction) -> Content:
    title = _title("Response header section", "as far as captured")
    if not request.response_head:
        none = "not captured" if request.status != STATUS_UNKNOWN else "there was no response"
        return Content("\n").join([_title("Response header section", ""), Content(none)])
    first, *rest = request.response_head
    status_line = Content.assemble((first, f"$hue-{status_hue(request.status)} bold"))
    return Content("\n").join([title, status_line, *map(_field, rest)])


def _as_curl(command: CurlCommand) -> Content:
    lines = [_title("As curl", "y copies it"), Content(str(command))]
    lines += [Content.styled(remark, "$hue-muted") for remark in command.remarks]
    return Content("\n").join(lines)


def _field(line: str) -> Content:
    name, colon, value = line.partition(":")
    return Content.assemble((name + colon, "$hue-accent"), (value, "$hue-text"))


def _title(title: str, note: str) -> Content:
    return Content.assemble((title, "$hue-accent bold"), (f"  {note}", "$hue-muted"))


def _bytes(n: int | None, units: Units) -> str:
    if n is None:
        return "unknown"
    exact = f"{n:,} bytes"
    return exact if n < 1_000 else f"{units.size(n)}  ({exact})"
