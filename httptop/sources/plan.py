"""From settings and scope to what is loaded into the kernel."""

from __future__ import annotations

from typing import Final

from httptop.bpf.probes import Plan
from httptop.scope import Scope
from httptop.settings import Settings

_S: Final = 1_000_000_000
_MOST_SHARDS: Final = 8
_PAGE_SIZE: Final = 4096


def plan_of(settings: Settings, scope: Scope, cpus: int) -> Plan:
    """Return what to load for these settings on a machine with so many CPUs."""
    shards = 1
    while shards < min(cpus, _MOST_SHARDS):
        shards *= 2
    endpoints = settings.performance.max_endpoints
    rate = settings.sampling.per_second
    defines = {
        "MAX_CONNECTIONS": settings.performance.max_connections,
        "MAX_ENDPOINTS": endpoints,
        "MAX_CELLS": endpoints * 3,
        "MAX_PAGES": settings.performance.max_histograms,
        "SHARDS": shards,
        "SAMPLE_PAGES": settings.performance.ring_buffer_bytes // _PAGE_SIZE,
        "SAMPLE_INTERVAL_NS": _S // rate if rate else 1 << 62,
        "SAMPLE_BURST_NS": _S if rate else 0,
        "SLOW_NS": settings.sampling.slow_threshold_ns,
        "FILTER_SIDES": ("server" in scope.sides) + 2 * ("client" in scope.sides),
    }
    if cpus > shards:
        defines["SHARED_SHARDS"] = 1
    if scope.min_latency_ns:
        defines["MIN_LATENCY_NS"] = scope.min_latency_ns
    if scope.pids:
        defines["FILTER_PIDS"] = 1
    if scope.ports:
        defines["FILTER_PORTS"] = 1
    return Plan(defines, tuple(sorted(scope.pids)), tuple(sorted(scope.ports)))
