"""The live request table: the newest sampled requests, one a line."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip

from httptop import humanize
from httptop.model import STATUS_UNKNOWN, Transaction
from httptop.sparkline import GLYPHS, Symbols
from httptop.view import Scene
from httptop.widgets.painting import Line, Painted, Palette, fit, latency_hue, status_hue, width_of

_PEER_FROM = 130


def request_lines(
    samples: Sequence[Transaction],
    width: int,
    height: int,
    hue: Palette,
    symbols: Symbols,
    header: bool = True,
) -> list[Strip]:
    """Return a header and a line for each of the newest samples, ``height`` in all at most."""
    peer = 21 if width >= _PEER_FROM else 0
    process = 16 if width < 100 else 22
    path = width - 2 - process - 44 - (peer + 1 if peer else 0)
    path = max(path, 8)
    text, muted, heading = hue("text"), hue("muted"), hue("heading")
    lines: list[Strip] = []
    if header:
        line = Line().space(1, heading)
        line.add("TIME", heading, 13).add("PROCESS:PID", heading, process + 1)
        line.add("METHOD", heading, 8).add("PATH", heading, path + 1)
        line.add("STAT", heading, 4, "right").add("LATENCY", heading, 8, "right")
        line.add("BYTES", heading, 9, "right")
        if peer:
            line.space(1, heading).add("PEER", heading, peer)
        lines.append(line.strip())
    ellipsis = GLYPHS[symbols].ellipsis
    for sample in samples[: max(0, height - len(lines))]:
        bad = sample.status >= 500 or sample.status == STATUS_UNKNOWN
        line = Line().space(1, text)
        line.add(humanize.time_of_day(sample.started_at), muted, 13)
        line.add(_process(sample, process, ellipsis), hue("accent"), process).space(1, text)
        line.add(sample.key.method, muted, 8)
        shown = fit(sample.path, path, "left", ellipsis)
        line.add(shown, hue(status_hue(sample.status)) if bad else hue("strong")).space(1, text)
        status = str(sample.status) if sample.status != STATUS_UNKNOWN else "none"
        line.add(status, hue(status_hue(sample.status)), 4, "right")
        slow = latency_hue(sample.latency_ns)
        slow = "warn" if sample.slow and slow == "text" else slow
        line.add(humanize.duration(sample.latency_ns), hue(slow), 8, "right")
        line.add(humanize.size(sample.response_bytes), muted, 9, "right")
        if peer:
            line.space(1, text).add(sample.peer or humanize.UNKNOWN, muted, peer)
        lines.append(line.strip())
    return lines


def _process(sample: Transaction, width: int, ellipsis: str) -> str:
    pid = f":{sample.pid}"
    name = sample.key.process
    room = max(width - len(pid), 1)
    if width_of(name) > room:
        name = fit(name, room, "left", ellipsis)
    return f"{name}{pid}"


class LiveRequests(Painted):
    """The newest sampled requests of the shown side and filter. Never the source of a count."""

    DEFAULT_CSS = """
    LiveRequests { height: 5; }
    """

    def __init__(self, symbols: Symbols, id: str | None = None) -> None:
        super().__init__(id=id)
        self.symbols: Symbols = symbols
        self.requests: list[Transaction] = []

    def show(self, scene: Scene) -> None:
        """Take the samples of a scene."""
        self.requests = scene.requests()
        self.repaint()

    def paint(self, width: int, height: int, /) -> list[Strip]:
        """Return as many requests as fit; a header where there is room for one."""
        if not self.requests:
            return [Line().add(" no request sampled yet", self.hue("muted")).strip()]
        return request_lines(
            self.requests, width, height, self.hue, self.symbols, header=height >= 4
        )
