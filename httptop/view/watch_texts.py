"""Watches and their events in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from httptop import humanize
from httptop.filters.watches import MEASURES, Watch
from httptop.model import EndpointKey
from httptop.view.watches import Event


def value_text(watch: Watch, value: float | None, duration: Callable[[float], str]) -> str:
    """Return a value of a watch's figure for people; ``duration`` writes nanoseconds."""
    if value is None:
        return "-"
    if watch.usual:
        return f"{value:.1f}x" if value < 9.95 else f"{value:.0f}x"
    units: dict[str, Callable[[Any], str]] = {
        "duration": duration,
        "share": humanize.percent,
        "rate": lambda rate: f"{humanize.rate(rate)}/s",
        "count": humanize.count,
    }
    return units[MEASURES[watch.measure].unit](value)


def subject_text(event: Event) -> str:
    """Return what an event is about, for people, but for the side."""
    subject = event.subject
    if isinstance(subject, EndpointKey):
        host = f"{subject.host} " if subject.host else ""
        return f"{host}{subject.process} {subject.method} {subject.path}"
    return event.watch.scope_text


def event_text(event: Event, duration: Callable[[float], str]) -> str:
    """Return an event in a few words: ``rate 0.3/s (below 1/s): comm = nginx``."""
    watch = event.watch
    value = value_text(watch, event.worst, duration) + " usual" * watch.usual
    limit = watch.limit_text.removesuffix(" usual")
    over = "over" if watch.above else "below"
    return f"{watch.measure} {value} ({over} {limit}): {subject_text(event)}"


def lasting(seconds: float, *, at_least: bool = False) -> str:
    """Return a duration as ``12s``, ``2m41s``, ``1h02m``; ``12s+``: at least."""
    whole, more = max(0, round(seconds)), "+" * at_least
    if whole >= 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m{more}"
    return (f"{whole // 60}m{whole % 60:02d}s" if whole >= 60 else f"{whole}s") + more
