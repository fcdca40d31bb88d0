"""The hosts of a fleet: which send figures, since when others do not, what their httptops say."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from httptop.fleet.names import BPF_CPU, BUILD, CPU, HEALTH, RSS
from httptop.fleet.registry import Registry
from httptop.fleet.results import Element, labels_of
from httptop.model import Health, HostStats
from httptop.printable import clean

#: Hosts that have sent nothing for so long are forgotten.
FORGET_S: Final = 3600
#: More hosts than that are no fleet of this size.
MOST_HOSTS: Final = 10_000
#: More than that is no figure of a host.
_MOST: Final = 1e15
#: How far scrapes lie apart where that cannot be told yet.
DEFAULT_SCRAPE_S: Final = 15.0


@dataclass(slots=True)
class _Said:
    """What one httptop says of itself, by metric."""

    version: str = ""
    figures: dict[str, float] = field(default_factory=dict)


class Hosts:
    """Remembers the hosts from one reading to the next; for one thread."""

    def __init__(self) -> None:
        self._seen_at: dict[str, float] = {}
        self._up: frozenset[str] = frozenset()
        self._last: dict[str, HostStats] = {}

    @property
    def up(self) -> frozenset[str]:
        """Those that sent figures when they were read last."""
        return self._up

    @property
    def known(self) -> Mapping[str, float]:
        """All hosts, and when each was heard last (Unix time)."""
        return self._seen_at

    def heard(self, heard: Iterable[tuple[str, float]], now: float, silent_s: float) -> None:
        """Take when hosts sent figures last; those silent for longer than ``silent_s`` are down.

        Prometheus has the metrics of a host that is down for five minutes more, unless it has seen
        that a scrape failed.
        """
        found = dict(heard)
        self._up = frozenset(host for host, at in found.items() if at >= now - silent_s)
        self._seen_at |= found
        gone = [host for host, at in self._seen_at.items() if at < now - FORGET_S]
        for host in (*gone, *list(self._seen_at)[MOST_HOSTS:]):
            if host not in self._up:
                del self._seen_at[host]
                self._last.pop(host, None)

    def before(self, heard: Iterable[tuple[str, float]]) -> None:
        """Take which hosts sent figures within the last hour, at the start."""
        for host, at in heard:
            self._seen_at.setdefault(host, at)

    def stats(self, registry: Registry, own: Iterable[Element]) -> tuple[HostStats, ...]:
        """Return all hosts by name, with what their httptops say of themselves."""
        said: dict[str, _Said] = {}
        for element in own:
            labels = labels_of(element.labels)
            one = said.setdefault(registry.host(labels), _Said())
            name = labels.get("__name__", "")
            if name == BUILD:
                one.version = clean(labels.get("version", "").encode(), 32)
            elif 0 <= element.value < _MOST:
                one.figures[name] = one.figures.get(name, 0.0) + element.value
        for host in self._up:
            self._last[host] = _stats(host, self._seen_at[host], said.get(host, _Said()))
        return tuple(map(self._host, sorted(self._seen_at)))

    def _host(self, host: str) -> HostStats:
        last, seen_at = self._last.get(host), self._seen_at[host]
        if host in self._up and last is not None:
            return last
        if last is None:
            return HostStats(host, False, seen_at)
        return HostStats(host, False, seen_at, last.version, last.health)


def _stats(host: str, seen_at: float, said: _Said) -> HostStats:
    figures = said.figures
    lost = {name: figures[metric] for metric, name in HEALTH.items() if metric in figures}
    health = Health(**{name: max(0, round(n)) for name, n in lost.items()}) if lost else None
    cpu, bpf, rss = figures.get(CPU), figures.get(BPF_CPU), figures.get(RSS)
    return HostStats(
        host,
        True,
        seen_at,
        said.version,
        health,
        None if cpu is None else 100 * cpu,
        None if rss is None else round(rss),
        None if bpf is None else 100 * bpf,
    )


def health_of_all(hosts: Iterable[HostStats]) -> Health:
    """Return the losses of all hosts together, as far as they are known."""
    names = [one.name for one in fields(Health)]
    known = [host.health for host in hosts if host.health is not None]
    return Health(**{name: sum(getattr(health, name) for health in known) for name in names})


def scrape_interval(series: Iterable[Element]) -> float | None:
    """Return how far scrapes lie apart, of the host that is scraped least often; None: unknown."""
    found = []
    for one in series:
        gaps = [later - at for at, later in zip(one.values, one.values[1:], strict=False)]
        gaps = [gap for gap in gaps if 0 < gap < _MOST]
        if gaps:
            found.append(statistics.median(gaps))
    return max(found, default=None)
