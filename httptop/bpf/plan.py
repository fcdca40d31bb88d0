"""From settings and scope to what is loaded into the kernel."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from httptop.bpf.abi import HEAD_LEN, LINE_LEN, MAX_SHARES, RESPONSE_LEN
from httptop.bpf.build.child import Plan
from httptop.bpf.cgroup_filter import group_numbers
from httptop.bpf.filter.conditions import conditions_of
from httptop.bpf.filter.values import Table
from httptop.config.scope import Scope
from httptop.config.settings import Settings
from httptop.errors import UsageError
from httptop.filters import FilterError
from httptop.http.path_template import RULES
from httptop.linux.control_groups import mounted_hierarchies

_MOST_SHARDS: Final = 8
_NONE: Final[Mapping[int, int]] = {}
#: Cells for the responses of two endpoints: those of their statuses, and of their times.
_RESPONSES_OF_TWO: Final = 9


def plan_of(
    settings: Settings,
    scope: Scope,
    cpus: int,
    pid_namespace: int | None = None,
    processes: Mapping[int, int] = _NONE,
    *,
    own_pid: int = 0,
) -> Plan:
    """Return what to load for these settings on a machine with so many CPUs.

    ``pid_namespace`` is what :func:`httptop.linux.processes.own_pid_namespace` returns.
    ``processes``: those that the scope selects by id, and when they were started, as
    :class:`httptop.linux.processes.Process` has it; others are not selected by these ids.
    ``own_pid``: of the process whose traffic is left out, httptop's own; 0: of none. Raises
    :class:`UsageError` where the kernel cannot apply a filter of the scope.
    """
    shards = 1
    while shards < min(cpus, _MOST_SHARDS):
        shards *= 2
    wanted = settings.performance
    responses = wanted.max_endpoints * _RESPONSES_OF_TWO // 2
    sizes = {
        "MAX_CONNECTIONS": wanted.max_connections,
        "MAX_ENDPOINTS": wanted.max_endpoints,
        "MAX_RESPONSES": responses,
        "MAX_CELLS": wanted.max_endpoints + responses + MAX_SHARES,
        "MAX_PAGES": wanted.max_histograms,
        "MAX_ROWS": wanted.max_endpoints + MAX_SHARES,  # httptop's own, too
        "MAX_GROUPS": 1 << (wanted.max_histograms - 1).bit_length(),
        "MAX_PIPELINED": wanted.max_pipelined,
        "MAX_PARTIES": wanted.max_users,
        "SAMPLE_BYTES": wanted.ring_buffer_bytes,
        "SHARDS": shards,
    }
    copied = settings.security.max_captured_bytes
    constants = {
        "LINE_COPIED": min(copied // 8 * 8, LINE_LEN),
        "RESPONSE_COPIED": min(copied, RESPONSE_LEN),
        "HEAD_COPIED": min(copied, HEAD_LEN - 1),
        "READS": int(scope.reads),
        "WRITES": int(scope.writes),
        "OWN_PID": own_pid,
        "THREAD_NAMES": int(settings.general.process_name == "thread"),
        **{f"ID_{rule.upper()}": int(rule in settings.paths.id_rules) for rule in RULES},
    }
    try:
        conditions = conditions_of(scope.kernel)
    except FilterError as error:
        raise UsageError(f"filter: {error.message}") from None
    defines = {"SHARDS": shards, "HEAD_CPUS": 1 << (cpus - 1).bit_length()}
    # Responses held back are counted by user space, too, beside the programs.
    if cpus > shards or conditions.holds_back:
        defines["SHARED_SHARDS"] = 1
    hierarchies = mounted_hierarchies() if conditions.containers else ()
    if any(hierarchy.number for hierarchy in hierarchies):
        constants["GROUPS_1"] = 1
        table = Table(1, {bytes(4): group_numbers(hierarchies)})
        conditions = replace(conditions, tables={**conditions.tables, "group_numbers": table})
    if processes:
        starts = {struct.pack("<I", pid): struct.pack("<Q", at) for pid, at in processes.items()}
        table = Table(len(starts), starts)
        conditions = replace(conditions, tables={**conditions.tables, "filter_pids": table})
        constants["FILTER_FOLLOWED"] = 1
    if pid_namespace is not None:
        table = Table(1, {bytes(4): struct.pack("<I", pid_namespace)})
        conditions = replace(conditions, tables={**conditions.tables, "own_namespace": table})
        constants["PID_NAMESPACE"] = 1  # the loader finds how many levels down it is
    return Plan(
        defines,
        sizes,
        constants,
        conditions,
        waits="server" in scope.sides,
        hierarchies=hierarchies,
        cache=wanted.cache,
    )
