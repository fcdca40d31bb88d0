"""Format numbers for people: short, of limited width, with no more digits than are meaningful.

Pure functions, shared by the screens and the text output. Unknown values are ``-``. All results are
plain text; the docstrings give the greatest width.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Final, Literal

#: The text for an unknown value.
UNKNOWN: Final = "-"

_DURATION_UNITS: Final = ((1_000.0, "ns"), (1_000.0, "µs"), (1_000.0, "ms"))
_COUNT_UNITS: Final = ("", "k", "M", "G", "T", "P", "E")
_SIZE_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_SI_SIZE_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB")

LatencyUnit = Literal["auto", "us", "ms", "s"]
ByteUnits = Literal["iec", "si"]

#: Nanoseconds in a fixed unit, its symbol, and the most characters of a latency in it.
_FIXED: Final = {"us": (1e3, "µs", 9), "ms": (1e6, "ms", 8), "s": (1e9, "s", 8)}


@dataclass(frozen=True, slots=True)
class Units:
    """The units in which a screen shows latencies and bytes."""

    latency: LatencyUnit = "auto"
    byte: ByteUnits = "iec"

    @property
    def latency_width(self) -> int:
        """The most characters of a latency (below 100 hours)."""
        return 6 if self.latency == "auto" else _FIXED[self.latency][2]

    def duration(self, ns: float | None) -> str:
        """Return a latency in the chosen unit, or as `duration` does if too long for the column.

        A fixed unit has three significant digits, or all before the point: ``0.840µs``, ``12.3ms``,
        ``1840ms``.
        """
        if ns is None or math.isnan(ns) or self.latency == "auto":
            return duration(ns)
        step, sign, width = _FIXED[self.latency]
        value = max(0.0, ns) / step
        text = f"{_three_digits(value)}{sign}"
        return text if len(text) <= width else duration(ns)

    def age(self, ns: float) -> str:
        """Return how long a request has been in flight."""
        return "<1ms" if ns < _SHORTEST_AGE_NS else self.duration(ns)

    def size(self, n: float | None) -> str:
        """Return bytes as ``3.4 MiB`` or ``3.6 MB``: at most 8 characters."""
        if n is None or self.byte == "iec":
            return size(n)
        if n < 999.5:
            return f"{n:.0f} B"
        return _scaled(float(n), 1_000.0, _SI_SIZE_UNITS, " ")


DEFAULT_UNITS: Final = Units()
#: Ages below this say nothing: what has them may have begun after the tick.
_SHORTEST_AGE_NS: Final = 1e6


def duration(ns: float | None) -> str:
    """Return nanoseconds as ``840ns``, ``12.3µs``, ``1.2ms``, ``3.4s``, ``2m03s``, ``1h05m``.

    At most 6 characters below 100 hours.
    """
    if ns is None or math.isnan(ns):
        return UNKNOWN
    value = max(0.0, ns)
    for step, unit in _DURATION_UNITS:
        if value < step - 0.5:
            return f"{_short(value) if unit != 'ns' else f'{value:.0f}'}{unit}"
        value /= step
    if value < 59.95:
        return f"{_short(value)}s"
    seconds = round(value)
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes}m{seconds:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m"


def count(n: float) -> str:
    """Return a count as ``0``, ``9999``, ``12.3k``, ``4.5M``: at most 5 characters."""
    if abs(n) < 9_999.5:
        return f"{n:.0f}"
    return _scaled(float(n), 1_000.0, _COUNT_UNITS)


def rate(r: float | None) -> str:
    """Return a rate a second as ``0``, ``0.3``, ``27.1``, ``3400``, ``27.1k``: at most 5."""
    if r is None:
        return UNKNOWN
    if r <= 0:
        return "0"
    if r < 0.05:
        return "<0.1"
    if r < 99.95:
        return f"{r:.1f}"
    return count(r)


def size(n: float | None) -> str:
    """Return bytes as ``512 B``, ``3.4 MiB``: at most 8 characters."""
    if n is None:
        return UNKNOWN
    if n < 1_023.5:
        return f"{n:.0f} B"
    value = float(n)
    for unit in _SIZE_UNITS:
        if value < 1_023.5 or unit == _SIZE_UNITS[-1]:
            break
        value /= 1_024.0
    return f"{_short(value)} {unit}"


def percent(share: float | None) -> str:
    """Return a share (0 to 1) as ``0%``, ``1.2%``, ``97%``: at most 5 characters.

    A share above 0 is never shown as ``0%``, and one below 1 never as ``100%``.
    """
    if share is None:
        return UNKNOWN
    value = share * 100.0
    if value <= 0:
        return "0%"
    if value < 0.05:
        return "<0.1%"
    if value < 9.95:
        return f"{value:.1f}%"
    if 99.5 <= value < 100.0:
        return f"{min(value, 99.9):.1f}%"
    return f"{value:.0f}%"


def clock(seconds: float) -> str:
    """Return a duration as ``0:42``, ``12:07``, ``1:02:03``, ``3d 02:03``."""
    whole = max(0, int(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d {hour:02d}:{minute:02d}"
    if hours:
        return f"{hours}:{minute:02d}:{second:02d}"
    return f"{minute}:{second:02d}"


def span(seconds: float) -> str:
    """Return a length of time as ``10s``, ``1m``, ``1m23s``, ``5m``, ``1h``, ``1h05m``."""
    whole = max(0, round(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    if not minutes:
        return f"{whole}s"
    if not hours:
        return f"{minutes}m{second:02d}s" if second else f"{minutes}m"
    return f"{hours}h{minute:02d}m" if minute else f"{hours}h"


def time_of_day(unix: float) -> str:
    """Return a Unix time as local ``HH:MM:SS.mmm`` (12 characters)."""
    milliseconds = int(unix * 1_000)
    local = time.localtime(milliseconds // 1_000)
    return f"{local.tm_hour:02d}:{local.tm_min:02d}:{local.tm_sec:02d}.{milliseconds % 1_000:03d}"


def day(unix: float) -> str:
    """Return the local date of a Unix time as ``2026-01-31`` (10 characters)."""
    return time.strftime("%Y-%m-%d", time.localtime(int(unix)))


def _short(value: float) -> str:
    """Return a number below 1024, with one decimal if it has fewer than three digits."""
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def _three_digits(value: float) -> str:
    """Return a number with three digits, or more before the point; at most three decimals.

    A number above 0 is never shown as ``0``.
    """
    if value <= 0:
        return "0"
    if value < 0.000_5:
        return "<0.001"
    for below, decimals in ((0.999_5, 3), (9.995, 2), (99.95, 1)):
        if value < below:
            return f"{value:.{decimals}f}"
    return f"{value:.0f}"


def _scaled(value: float, step: float, units: tuple[str, ...], gap: str = "") -> str:
    for unit in units[:-1]:
        if abs(value) < step - 0.5:
            return f"{_short(value)}{gap}{unit}"
        value /= step
    return f"{_short(value)}{gap}{units[-1]}"
