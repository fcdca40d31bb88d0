"""The line at the bottom: httptop's own cost, and what it missed."""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip

from httptop import humanize
from httptop.humanize import DEFAULT_UNITS, Units
from httptop.model import Overhead, Snapshot
from httptop.view.health import losses, sinks_at_fault
from httptop.widgets.painting import Line, Painted, spread
from httptop.widgets.sparkline import Symbols


def costs(overhead: Overhead, units: Units) -> list[tuple[str, str]]:
    """Return the known values of the overhead as (label, value) pairs."""
    found: list[tuple[str, str]] = []
    if overhead.cpu_percent is not None:
        found.append(("cpu", f"{overhead.cpu_percent:.1f}%"))
    if overhead.rss_bytes is not None:
        found.append(("mem", units.size(overhead.rss_bytes)))
    if overhead.bpf_cpu_percent is not None:
        found.append(("kernel", f"{overhead.bpf_cpu_percent:.1f}%"))
    if overhead.bpf_ns_per_call is not None:
        found.append(("", f"{humanize.duration(overhead.bpf_ns_per_call)}/call"))
    if overhead.samples_per_s is not None:
        found.append(("samples", f"{humanize.rate(overhead.samples_per_s)}/s"))
    return found


class CostLine(Painted):
    """Shows own CPU, memory, kernel time and ns per call; in striking colours what went wrong."""

    DEFAULT_CSS = """
    CostLine { height: 1; }
    """

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.snapshot: Snapshot | None = None
        self.units = DEFAULT_UNITS
        self._what = ""

    def show(self, snapshot: Snapshot | None, units: Units, what: str = "own cost") -> None:
        """Show a snapshot; ``what`` its costs are, in a few words."""
        self.snapshot, self.units, self._what = snapshot, units, what
        self.repaint()

    def paint(self, width: int, _height: int, /) -> list[Strip]:
        """Return the line; losses take precedence over costs if not all fit."""
        snapshot = self.snapshot
        text, muted = self.hue("text"), self.hue("muted")
        if snapshot is None:
            return [Line().add(" waiting for the first snapshot", muted).strip()]
        right = self._health(snapshot, max(width - 24, 20))
        left = Line().add(f" {self._what} ", muted)
        for label, value in costs(snapshot.overhead, self.units):
            part = Line().add(f" {label} " if label else " ", muted).add(value, text)
            part.space(1, text)
            if left.used + part.used + right.used + 1 > width:
                break
            left.join(part)
        return [spread(left, right, width, text)]

    def _health(self, snapshot: Snapshot, room: int) -> Line:
        glyphs = self.glyphs
        muted, bad, warn = self.hue("muted"), self.hue("bad"), self.hue("warn")
        line = Line()
        notes = len(snapshot.notes)
        note = f"{notes} note{'s' if notes != 1 else ''} (n)" if notes else ""
        names = snapshot.overhead.shed
        shed = f"  shed: {', '.join(names)}" if names else ""
        click = Style.from_meta({"@click": "app.health"})
        found = losses(snapshot.health)
        if snapshot.health.good:
            line.add(f"{glyphs.good} 0 lost", self.hue("good") + click)
        for shown, (loss, n) in enumerate(found):
            part = f"{glyphs.bad} {humanize.count(n)} {loss.short}"
            if line.used + len(part) + len(shed) + len(note) + 8 > room:
                line.add(f"  +{len(found) - shown} (n)", warn + click)
                break
            line.space(2 if line.used else 0, muted)
            line.add(part, ((bad + Style(bold=True)) if loss.serious else warn) + click)
        for sink, short in sinks_at_fault(snapshot):
            hue = warn if sink.state == "working" else bad + Style(bold=True)
            line.add(f"  {glyphs.bad} {short}", hue + click)
        if shed:
            line.add(shed, warn + Style(bold=True) + click)
        if note:
            line.add(f"  {note}", self.hue("accent") + click)
        return line.space(1, muted)
