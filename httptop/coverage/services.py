"""The processes with sockets by service: a master and its workers are one row.

Pure functions of a survey of the processes (processes.py) and a snapshot. Those without a request
come first, of them those with the most missing (gaps.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from httptop.coverage.gaps import Gap, Seen, gaps_of
from httptop.coverage.processes import Holder, Survey
from httptop.model import MOST_PIDS, Snapshot
from httptop.view.rows import RowsOnDemand

_LISTENS_WIDTH: Final = 24
_MOST_PORTS: Final = 4
#: Names of httptop's own processes, here and where else it runs.
_OWN: Final = frozenset(("httptop", "httptop-helper", "httptop-demo"))

Order = Literal["why", "name", "requests", "sockets"]
ORDERS: Final[tuple[Order, ...]] = ("why", "name", "requests", "sockets")


@dataclass(frozen=True, slots=True)
class Service:
    """Processes of one name that belong together."""

    holders: tuple[Holder, ...]  # the one that has made the others first, if it is known
    has_master: bool
    #: HTTP/1 requests counted, both sides; None: nothing was counted here.
    requests: int | None
    shared: bool  # others share its endpoints, so ``requests`` is an upper bound
    gaps: tuple[Gap, ...]  # the most serious first
    own: bool = False  # of httptop

    @property
    def holder(self) -> Holder:
        """Its first process."""
        return self.holders[0]

    @property
    def name(self) -> str:
        """What its processes are called."""
        return self.holder.process

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of its processes."""
        return tuple(holder.pid for holder in self.holders)

    @property
    def weight(self) -> int:
        """How much is missing, as a rank for sorting."""
        return max((gap.weight for gap in self.gaps), default=0)

    @property
    def processes(self) -> str:
        """Which processes it is: a PID, or ``1 master + 4 workers``, ``3 processes``."""
        n = len(self.holders)
        if n == 1:
            return str(self.holder.pid)
        workers = f"{n - 1} worker{'s' if n > 2 else ''}"
        return f"1 master + {workers}" if self.has_master else f"{n} processes"

    @property
    def seen(self) -> str:
        """The number of requests as text."""
        if self.requests is None:
            return "-"
        return f"{'≤ ' if self.shared and self.requests else ''}{self.requests:,}"

    @property
    def why(self) -> str:
        """Why requests are missing, in a few words: ``TLS; io_uring``."""
        if not self.gaps:
            return "seen"
        return "; ".join(dict.fromkeys(gap.short for gap in self.gaps))

    @property
    def listens(self) -> str:
        """The ports and sockets on which it listens, as text."""
        ports = sorted({port for holder in self.holders for port in holder.tcp_ports})
        names = [f":{port}" for port in ports[:_MOST_PORTS]]
        unix = sorted({name for holder in self.holders for name in holder.unix_names})
        names += unix or (["unix"] if any(one.unix_listening for one in self.holders) else [])
        text = " ".join(names) or "-"
        return text if len(text) <= _LISTENS_WIDTH else text[: _LISTENS_WIDTH - 1] + "…"

    @property
    def sockets(self) -> int:
        """The number of its sockets."""
        return sum(holder.tcp + holder.unix for holder in self.holders)

    @property
    def connections(self) -> str:
        """The number of its connections: ``12 tcp 3 unix``."""
        tcp = sum(holder.tcp_connected for holder in self.holders)
        unix = sum(holder.unix_connected for holder in self.holders)
        return " ".join(f"{n} {kind}" for n, kind in ((tcp, "tcp"), (unix, "unix")) if n) or "-"


def services(found: Survey, snapshot: Snapshot | None) -> list[Service]:
    """Return the services of a survey: those without a request and with the most missing first."""
    groups = _groups(found.holders)
    counted = None if snapshot is None else _counted(groups, snapshot)
    made = []
    for n, group in enumerate(groups):
        requests, shared = (None, False) if counted is None else counted[n]
        gaps: dict[str, Gap] = {}
        for holder in group:
            for gap in gaps_of(holder, _seen(holder, requests, snapshot)):
                gaps.setdefault(gap.what, gap)
        serious = sorted(gaps.values(), key=lambda gap: -gap.weight)
        has_master = len(group) > 1 and all(one.parent == group[0].pid for one in group[1:])
        own = group[0].process in _OWN
        made.append(Service(tuple(group), has_master, requests, shared, tuple(serious), own))
    return in_order(made, "why")


def in_order(found: Iterable[Service], order: Order) -> list[Service]:
    """Return services in an order; httptop's own are last."""

    def rank(one: Service) -> tuple[object, ...]:
        first = one.holder
        match order:
            case "name":
                return one.own, one.name.casefold(), first.pid
            case "requests":
                return one.own, -(one.requests or 0), first.pid
            case "sockets":
                return one.own, -one.sockets, first.pid
            case "why":
                listening = sum(holder.tcp_listening for holder in one.holders)
                connected = sum(holder.tcp_connected for holder in one.holders)
                seen = bool(one.requests)
                return one.own, seen, -one.weight, -listening, -connected, first.pid

    return sorted(found, key=rank)


def matching(found: Sequence[Service], text: str) -> list[Service]:
    """Return the services that have a text in what is shown of them, or one of whose PIDs it is."""
    needle = text.strip().casefold()
    if not needle:
        return list(found)
    return [
        one
        for one in found
        if needle in f"{one.name} {one.processes} {one.listens} {one.why}".casefold()
        or needle in map(str, one.pids)
    ]


def _seen(holder: Holder, requests: int | None, snapshot: Snapshot | None) -> Seen:
    if snapshot is None:
        return Seen(requests)
    of = snapshot.other_protocols
    return Seen(requests, of.get((holder.pid, "tls"), 0), of.get((holder.pid, "http2"), 0))


def _groups(holders: Sequence[Holder]) -> list[list[Holder]]:
    """Return the processes that belong together, the one that made the others first.

    Those of one name do if one is the other's parent and listens wherever that does, or if both
    have the same parent and listen on the same ports. httptop's own are one group.
    """
    by_pid = {holder.pid: holder for holder in holders}
    found: dict[object, list[Holder]] = defaultdict(list)
    for holder in holders:
        if holder.process in _OWN:
            found["own"].append(holder)
            continue
        root, seen = holder, {holder.pid}
        while (up := by_pid.get(root.parent)) is not None and _works_for(root, up):
            if up.pid in seen:
                break
            seen.add(up.pid)
            root = up
        ports = (root.tcp_ports, root.unix_names)
        siblings = root.parent > 1 and any(ports)
        found[(root.process, root.parent, ports) if siblings else root.pid].append(holder)
    for group in found.values():
        pids = {holder.pid for holder in group}
        group.sort(key=lambda holder: (holder.parent in pids, holder.pid))
    return list(found.values())


def _works_for(one: Holder, parent: Holder) -> bool:
    """Return whether a process serves what its parent listens on."""
    theirs = {*parent.tcp_ports, *parent.unix_names}
    ours = {*one.tcp_ports, *one.unix_names}
    return one.process == parent.process and bool(theirs) and ours <= theirs


def _counted(groups: Sequence[Sequence[Holder]], snapshot: Snapshot) -> list[tuple[int, bool]]:
    """Return the requests of each group, and whether others have a part in its endpoints.

    Where the processes of an endpoint are not all known their name decides.
    """
    by_pid = {holder.pid: n for n, group in enumerate(groups) for holder in group}
    by_name: dict[str, set[int]] = defaultdict(set)
    for n, group in enumerate(groups):
        by_name[group[0].process].add(n)
    found = [(0, False)] * len(groups)
    rows = snapshot.endpoints
    for row in map(rows.passing, range(len(rows))) if isinstance(rows, RowsOnDemand) else rows:
        at = {by_pid[pid] for pid in row.pids if pid in by_pid}
        others = any(pid not in by_pid for pid in row.pids)
        if not row.pids or len(row.pids) >= MOST_PIDS:
            at, others = at | by_name.get(row.key.process, set()), True
        for n in at:
            requests, shared = found[n]
            found[n] = requests + row.requests, shared or others or len(at) > 1
    return found
