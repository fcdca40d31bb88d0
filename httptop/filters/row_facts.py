"""What filters ask of a row: of thousands only what a filter compares is found out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from httptop.model import OTHER_PEERS, STATUS_UNKNOWN, EndpointKey, EndpointStats


class RowFacts(Protocol):
    """A row, as far as filters know it."""

    @property
    def key(self) -> EndpointKey:
        """Its key."""

    @property
    def codes(self) -> tuple[int, ...]:
        """The statuses of its requests, each once; STATUS_UNKNOWN: some were unanswered, too."""

    @property
    def pids(self) -> Sequence[int]:
        """The processes that it names."""

    @property
    def peers(self) -> Sequence[str]:
        """The peers that it names."""

    @property
    def containers(self) -> Sequence[str]:
        """The containers that it names."""

    @property
    def p99_ns(self) -> int | None:
        """Its 99th percentile in the window, or since start if there is none in the window."""

    @property
    def mean_size(self) -> int | None:
        """The mean size of its responses, bytes; None: there were none."""

    @property
    def in_flight(self) -> int | None:
        """Its requests whose response has not begun; None: not known."""


class FactsOf(NamedTuple):
    """Those of a row that is made."""

    row: EndpointStats

    @property
    def key(self) -> EndpointKey:
        """Its key; see RowFacts, as of the others."""
        return self.row.key

    @property
    def codes(self) -> tuple[int, ...]:
        """The statuses of its requests."""
        codes = tuple(self.row.status)
        unanswered = self.row.unanswered and STATUS_UNKNOWN not in codes
        return (*codes, STATUS_UNKNOWN) if unanswered else codes

    @property
    def pids(self) -> Sequence[int]:
        """The processes that it names."""
        return self.row.pids

    @property
    def peers(self) -> Sequence[str]:
        """The peers that it names."""
        return [peer for peer in self.row.by_peer or () if peer != OTHER_PEERS]

    @property
    def containers(self) -> Sequence[str]:
        """The containers that it names."""
        return self.row.containers

    @property
    def p99_ns(self) -> int | None:
        """Its 99th percentile."""
        row = self.row
        latency = row.latency if row.latency.count else row.latency_total
        return round(latency.p99_ns) if latency.count else None

    @property
    def mean_size(self) -> int | None:
        """The mean size of its responses."""
        responses = sum(self.row.status.values())
        return self.row.response_bytes // responses if responses else None

    @property
    def in_flight(self) -> int | None:
        """Its requests in flight."""
        return self.row.in_flight
