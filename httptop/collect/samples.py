"""The sampled requests that a snapshot shows: redacted on arrival, the most useful ones kept.

Which are kept follows ``sampling.strategy``, as in the kernel: with ``tail`` ordinary requests do
not displace failed or slow ones, and with ``per-endpoint`` those of a busy endpoint do not displace
those of a quiet one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from httptop.collect.new_requests import NewRequests
from httptop.collect.source import RawSample
from httptop.config.scope import Scope
from httptop.config.settings import Security, Settings
from httptop.http.head_redaction import HeadRedaction
from httptop.http.heads import path_in, response_length
from httptop.http.redaction import Redaction
from httptop.linux.stretches import give_way
from httptop.model import STATUS_UNKNOWN, EndpointKey, Transaction

#: Requests kept: twice what a tick may bring, within these limits.
_FEWEST: Final = 200
_MOST: Final = 4000


class RecentRequests:
    """The samples that are kept; for the collector's thread alone."""

    def __init__(self, settings: Settings, scope: Scope, also: Sequence[NewRequests] = ()) -> None:
        """``also``: who gets each request as well, whether it is kept or not."""
        self._scope, self._also = scope, also
        self._security: Security = settings.security
        self._redaction = Redaction(settings.security.redact, settings.security.shown_fields)
        self._heads = HeadRedaction(self._redaction)
        self._kept: list[Transaction] = []  # newest last
        self._serial = 0
        self.adopt(settings)

    def adopt(self, settings: Settings) -> None:
        """Apply other settings of sampling."""
        self._sampling = settings.sampling
        a_tick = round(settings.sampling.per_second * settings.general.tick_s)
        self._room = min(max(_FEWEST, 2 * a_tick), _MOST)

    def add(self, sample: RawSample, key: EndpointKey, unix_offset_s: float) -> None:
        """Keep a sample of an endpoint; ``unix_offset_s``: Unix time less the monotonic clock."""
        give_way()
        security = self._security
        most = security.max_captured_bytes
        response = sample.response[:most]
        cut = sample.line_cut or len(sample.line) > most
        path = path_in(sample.line[:most], cut, self._redaction)
        request = Transaction(
            serial=self._serial + 1,
            started_at=sample.start_ns / 1e9 + unix_offset_s,
            key=key,
            pid=sample.pid,
            path=key.path if path is None else path,
            status=sample.status,
            latency_ns=sample.latency_ns,
            request_bytes=sample.request_bytes,
            response_bytes=response_length(response, key.method, sample.status),
            peer=sample.peer,
            slow=sample.latency_ns >= self._sampling.slow_threshold_ns,
            response_head=self._heads.response(response),
            request_head=self._heads.request(sample.head[:most]),
        )
        if self._scope.admits_sample(request):
            self._serial += 1  # so that a gap is a request that went missing later
            self._kept.append(request)
            for new in self._also:
                new.add(request)

    def rename(self, keys: Mapping[EndpointKey, EndpointKey]) -> None:
        """Give requests the new keys of their rows; ``keys``: former key -> new one."""
        self._kept = [
            replace(request, key=keys[request.key]) if request.key in keys else request
            for request in self._kept
        ]

    def newest_first(self) -> tuple[Transaction, ...]:
        """Drop what there is no room for; return the rest."""
        if len(self._kept) > self._room:
            self._kept = sorted(self._best(), key=lambda request: request.serial)
        return tuple(reversed(self._kept))

    def _best(self) -> list[Transaction]:
        newest = self._kept[::-1]
        match self._sampling.strategy:
            case "tail":
                notable = [request for request in newest if _is_notable(request)]
                ordinary = [request for request in newest if not _is_notable(request)]
                notable = notable[: max(self._room // 2, self._room - len(ordinary))]
                return notable + ordinary[: self._room - len(notable)]
            case "per-endpoint":
                seen: Counter[EndpointKey] = Counter()
                ranks: dict[int, int] = {}
                for request in newest:
                    ranks[request.serial] = seen[request.key]
                    seen[request.key] += 1
                newest.sort(key=lambda request: ranks[request.serial])
        return newest[: self._room]


def _is_notable(request: Transaction) -> bool:
    return request.slow or request.status >= 400 or request.status == STATUS_UNKNOWN
