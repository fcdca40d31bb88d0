"""Figures: a median with its quartiles, and the goal that it is held against."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple


class Spread(NamedTuple):
    """The median of repeated measurements, and the quartiles around it."""

    median: float
    low: float
    high: float
    times: int


class Goal(NamedTuple):
    """What a figure should be: at most ``value``, or at least."""

    relation: str  # "<=", ">=" or "="
    value: float

    def met(self, figure: float) -> bool:
        """Return whether a figure meets its goal."""
        match self.relation:
            case "<=":
                return figure <= self.value
            case ">=":
                return figure >= self.value
        return figure == self.value


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result."""

    section: str
    name: str
    unit: str  # "" for ratios
    spread: Spread
    goal: Goal | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median meets the goal; None if there is no goal."""
        return None if self.goal is None else self.goal.met(self.spread.median)

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        found: dict[str, object] = {
            "section": self.section,
            "name": self.name,
            "unit": self.unit,
            **self.spread._asdict(),
        }
        if self.goal is not None:
            found |= {"goal": f"{self.goal.relation} {self.goal.value:g}", "met": self.met}
        if self.note:
            found["note"] = self.note
        return found


def spread(values: Iterable[float]) -> Spread:
    """Return median and quartiles; of a single value, that value three times."""
    found = sorted(values)
    if not found:
        raise ValueError("nothing was measured")
    if len(found) == 1:
        return Spread(found[0], found[0], found[0], 1)
    low, median, high = statistics.quantiles(found, n=4, method="inclusive")
    return Spread(median, low, high, len(found))


def certain(values: Iterable[float]) -> tuple[float, float]:
    """Return the bounds that hold the true median with 95 % certainty, whatever the distribution.

    They are order statistics: as many values lie below the true median as a fair coin would say.
    """
    found = sorted(values)
    aside = math.floor(len(found) / 2 - 0.98 * math.sqrt(len(found)))
    aside = max(0, aside)
    return found[aside], found[-1 - aside]


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Return the quotients of two series that were measured in turns."""
    return [a / b for a, b in zip(over, under, strict=True)]


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """Return the least value that at least ``share`` of all stay at or below; ascending input."""
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


_HEADINGS: Final = ("median", "quartiles", "goal", "")


def number(value: float, unit: str) -> str:
    """Return a number with as many digits as its unit deserves."""
    if unit == "":
        return f"{value:.3f}"
    if abs(value) >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as an aligned table, one block a section."""
    rows: list[tuple[str, ...]] = []
    for figure in figures:
        unit, middle = figure.unit, figure.spread
        goal, verdict = "", ""
        if figure.goal is not None:
            bound = f"{figure.goal.value:.2f}" if unit == "" else f"{figure.goal.value:g}"
            goal = f"{figure.goal.relation} {bound}"
            verdict = "met" if figure.met else "NOT MET"
        between = (
            f"{number(middle.low, unit)} .. {number(middle.high, unit)}" if middle.times > 1 else ""
        )
        value = f"{number(middle.median, unit)} {unit}".rstrip()
        rows.append((figure.name, value, between, goal, verdict))
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(5)]
    widths = [max(w, len(h)) for w, h in zip(widths, ("", *_HEADINGS), strict=True)]
    lines: list[str] = []
    section = None
    for figure, row in zip(figures, rows, strict=True):
        if figure.section != section:
            section = figure.section
            if lines:
                lines.append("")
            lines.append(section)
            lines.append(_line(("", *_HEADINGS), widths))
        lines.append(_line(row, widths) + (f"  ({figure.note})" if figure.note else ""))
    return "\n".join(lines)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    name, value, between, goal, verdict = row
    return (
        f"  {name:<{widths[0]}}  {value:>{widths[1]}}  {between:>{widths[2]}}"
        f"  {goal:>{widths[3]}}  {verdict}"
    ).rstrip()
