"""How the requests of the shown side ended, by status class and code, since start."""

from __future__ import annotations

from dataclasses import dataclass

from textual.strip import Strip

from httptop import humanize
from httptop.model import Totals, class_of, status_name
from httptop.view.state import Scene
from httptop.widgets.painting import Line, Painted
from httptop.widgets.sparkline import Symbols, bar


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the breakdown: a status class, or the requests without one."""

    label: str
    hue: str
    requests: int
    codes: tuple[tuple[int, int], ...]  # code and responses, most frequent first


def outcomes(totals: Totals) -> list[Outcome]:
    """Return 1xx to 5xx, the unanswered requests, and codes of no class if there are any."""
    codes: dict[int, list[tuple[int, int]]] = {}
    for code, n in totals.status.items():
        codes.setdefault(class_of(code) if class_of(code) < 6 else 0, []).append((code, n))
    lines = []
    for hundreds in (1, 2, 3, 4, 5):
        found = sorted(codes.get(hundreds, ()), key=lambda item: (-item[1], item[0]))
        name = f"{hundreds}xx"
        lines.append(Outcome(name, name, sum(n for _, n in found), tuple(found)))
    lines.append(Outcome("none", "none", totals.unanswered, ()))
    if odd := codes.get(0):
        found = sorted(odd, key=lambda item: (-item[1], item[0]))
        lines.append(Outcome("?xx", "none", sum(n for _, n in found), tuple(found)))
    return lines


class StatusBreakdown(Painted):
    """Shows counts, shares and bars of the outcomes.

    If it is one line high, it shows a stacked bar with counts; otherwise a line for each class with
    its most frequent codes.
    """

    DEFAULT_CSS = """
    StatusBreakdown { height: 1; }
    """

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.totals = Totals()

    def show(self, scene: Scene) -> None:
        """Show the totals of a scene."""
        self.totals = scene.totals
        self.repaint()

    def paint(self, width: int, height: int, /) -> list[Strip]:
        """Return one line, or one for each class."""
        found = outcomes(self.totals)
        if height < len(found[:6]):
            return [self._one_line(found, width)]
        if len(found) > height and not found[0].requests:
            found = found[1:]  # omit 1xx, which is 0 here, rather than the unknown outcomes
        return [self._class_line(outcome, width) for outcome in found[:height]]

    def _class_line(self, outcome: Outcome, width: int) -> Strip:
        text, muted, faint = self.hue("text"), self.hue("muted"), self.hue("faint")
        hue = self.hue(outcome.hue) if outcome.requests else faint
        share = outcome.requests / self.totals.requests if self.totals.requests else 0.0
        cells = max(6, (width - 20) * 2 // 5)
        drawn = bar(share, cells, self.symbols)
        line = Line().add(outcome.label, hue, 5).add(drawn, hue)
        line.add(self.glyphs.track * (5 + cells - line.used), faint)
        line.add(humanize.count(outcome.requests), text if outcome.requests else faint, 6, "right")
        percent = humanize.percent(share) if outcome.requests else ""
        line.add(percent, muted, 6, "right").space(2, text)
        if outcome.label == "none" and width - line.used >= 10:
            line.add("unanswered", muted if outcome.requests else faint)
        for code, n in outcome.codes:
            part = Line().add(status_name(code), hue)
            part.add(f" {humanize.count(n)}  ", muted)
            if line.used + part.used - 2 > width:
                break
            line.join(part)
        return line.strip()

    def _one_line(self, found: list[Outcome], width: int) -> Strip:
        text, faint, muted = self.hue("text"), self.hue("faint"), self.hue("muted")
        figures = Line()
        for outcome in found:
            if outcome.label == "1xx" and not outcome.requests:
                continue
            hue = self.hue(outcome.hue)
            figures.add(f" {outcome.label} ", hue if outcome.requests else faint)
            n = humanize.count(outcome.requests)
            figures.add(n, muted if outcome.requests else faint)
        figures.space(1, text)
        cells = width - figures.used - 2
        line = Line().space(1, text)
        total = self.totals.requests
        if cells >= 8:
            if total:
                shares = split(cells, [outcome.requests for outcome in found])
                for outcome, cells_of in zip(found, shares, strict=True):
                    mark = outcome.label[0] if self.symbols == "tty" else self.glyphs.full
                    line.add(mark * cells_of, self.hue(outcome.hue))
            line.add(self.glyphs.track * (1 + cells - line.used), faint)
        return line.join(figures).strip()


def split(cells: int, parts: list[int]) -> list[int]:
    """Return ``cells`` divided in proportion to ``parts``; every part above 0 gets at least one.

    The sum is ``cells`` if any part is above 0 and there are enough cells.
    """
    total = sum(parts)
    if not total:
        return [0] * len(parts)
    shares = [max(1, part * cells // total) if part else 0 for part in parts]
    widest = max(range(len(parts)), key=parts.__getitem__)
    shares[widest] = max(0, shares[widest] + cells - sum(shares))
    return shares
