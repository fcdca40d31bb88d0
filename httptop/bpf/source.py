"""The live source: the probes of this host, read by the collector's thread."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection

from httptop.bpf.abi import END, LATER, READY, tracepoint_of
from httptop.bpf.build.child import Loading, Plan, Probes, Step
from httptop.bpf.cgroup_filter import GroupFilter
from httptop.bpf.give_back import GiveBack
from httptop.bpf.idle_connections import IdleConnections
from httptop.bpf.in_flight import InFlightReader
from httptop.bpf.least import keep_least_of_maps, keep_least_of_programs
from httptop.bpf.map_reader import MapReader
from httptop.bpf.own_pids import OwnPids
from httptop.bpf.parties import KernelParties
from httptop.bpf.program_timer import ProgramTimer
from httptop.bpf.program_times import Ask, ProgramTimes, Times
from httptop.bpf.row_sums import KernelSums
from httptop.bpf.samples import SampleReader
from httptop.bpf.sweep import SocketSweep
from httptop.bpf.ticks import Ticks
from httptop.bpf.tuning import ControlWriter
from httptop.collect.source import Controls, RawEndpoint, RawInFlight, RawResponse, Reading
from httptop.collect.sums import CellReturns, RowSums
from httptop.console import complain
from httptop.errors import Unavailable
from httptop.linux import bpf_syscall


class LiveSource:
    """Reads the probes in the running kernel; see ``collect.source.Source``."""

    def __init__(
        self,
        plan: Plan,
        controls: Controls,
        *,
        loading: Loading | None = None,
        enable_statistics: Callable[[], int] = bpf_syscall.enable_stats,
    ) -> None:
        """Start loading at once; :meth:`load` waits until it is complete.

        ``controls``: those in force from the first call on.
        ``loading``: a load that was begun ahead. ``enable_statistics`` has the kernel time programs
        until the descriptor that it returns is closed; it raises :class:`OSError` if it cannot.
        """
        self._plan, self._first_controls = plan, controls
        self._enable_statistics = enable_statistics
        #: What the kernel refused, and why.
        self._refused: dict[str, str] = {}
        self._notes: tuple[str, ...] = ()
        containers = plan.conditions.containers
        self._groups = GroupFilter(containers, plan.hierarchies) if containers else None
        self._closing = contextlib.ExitStack()
        self._loading = loading or Loading()
        self._closing.callback(self._loading.cancel)
        self._loading.give(plan)
        self._probes: Probes | None = None
        self._missed = self._skipped = 0
        self._most_samples: int | None = None
        self._sweep: SocketSweep | None = None
        self._idle: IdleConnections | None = None

    def open(self) -> None:
        """Do all three steps before the first reading, as root.

        To give up root in between, call them one by one: steps that need no root may run after
        :meth:`attach`.
        """
        self.load()
        self.attach()
        self.try_waits()

    def load(
        self,
        tell: Callable[[str], None] = complain,
        stop: int | None = None,
        doing: Callable[[Step], None] = lambda _: None,
    ) -> None:
        """Wait for the probes, which takes seconds; ``tell`` gets a sentence if it takes long.

        ``doing`` is told what the loader begins. Raises :class:`Unavailable`, and
        :class:`Interrupted` once ``stop`` is readable.
        """
        probes = self._probes = self._loading.wait(tell=tell, stop=stop, doing=doing)
        self._closing.callback(probes.close)
        own_pids = OwnPids(probes.maps)
        self._notes = own_pids.notes
        self._reader = MapReader(probes.maps, self._plan.sizes["SHARDS"], own_pids)
        self._sums = KernelSums(probes.maps, probes.programs, loops=probes.loops)
        self._closing.callback(self._sums.close)
        sizes = self._plan.sizes
        self._returns = GiveBack(
            probes.maps,
            probes.programs["let_go"],
            self._sums.uses,
            self._sums.reclaim,
            (sizes["MAX_ENDPOINTS"], sizes["MAX_RESPONSES"], sizes["MAX_PAGES"]),
        )
        self._parties = KernelParties(
            probes.maps, probes.programs["end_party"], sizes["SHARDS"], own_pids
        )
        self._closing.callback(self._parties.close)
        self._in_flight = InFlightReader(probes.maps, own_pids)
        self._samples = SampleReader(probes.maps["samples"], own_pids)
        self._closing.callback(self._samples.close)
        self._control = ControlWriter(probes.maps)
        self.control(self._first_controls)
        self._times = ProgramTimes(probes.programs)
        self.timer = ProgramTimer(self._times.of_all, self._enable_statistics)
        self._closing.callback(self.timer.close)
        self.ticks = Ticks(self.timer.switch, self.note_waits)
        if "sweep" in probes.programs:
            self._sweep = SocketSweep(probes.maps["swept_conns"], probes.programs["sweep"])
            self._idle = IdleConnections(
                probes.maps["conns"], probes.maps["shares"], probes.programs["sweep"]
            )
        if self._groups is not None:
            self._groups.update(probes.maps["only_cgroups"])
        self._refused = dict(probes.refused)

    def attach(self) -> None:
        """Start counting; raises :class:`Unavailable`."""
        assert self._probes is not None
        self._probes.attach()

    def keep_least(self, times: Ask | None) -> None:
        """Keep only those descriptors, and rights to them, that are needed from now on.

        ``times`` returns the run times of programs by their numbers; None: nobody does, and neither
        costs nor skipped calls are known. Needs root, and comes behind :meth:`attach`; raises
        :class:`OSError`.
        """
        assert self._probes is not None
        keep_least_of_maps(self._probes.maps)
        self._times.hand_over(times or _nobody_knows)
        keep_least_of_programs(self._probes.programs)

    def try_waits(self) -> None:
        """Disable wait measurement if the kernel refuses it at our current privileges."""
        assert self._probes is not None
        try:
            self.note_waits(True)
            self.note_waits(False)
        except Unavailable as error:
            os.close(self._probes.programs.pop(READY))
            self._refused[READY] = str(error)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what cannot be measured."""
        said = (f"the kernel refused {name}: {reason}" for name, reason in self._refused.items())
        groups = () if self._groups is None else self._groups.notes
        return (*said, *self._notes, *groups)

    @property
    def news(self) -> tuple[str, ...]:
        """Sentences on what is not counted by now."""
        return () if self._groups is None else self._groups.news

    @property
    def sums(self) -> RowSums:
        """What the cells count, added up; see Source."""
        return self._sums

    @property
    def returns(self) -> CellReturns:
        """The way back of cells; see Source."""
        return self._returns

    @property
    def parties(self) -> KernelParties:
        """Whose requests they are; see Source."""
        return self._parties

    def read(self) -> Reading:
        """Return what is new in the maps and in the ring."""
        assert self._probes is not None
        reading = Reading()
        if self._groups is not None:
            self._groups.update(self._probes.maps["only_cgroups"])
        if self._sweep is not None:
            self._sweep.run()
        if self._idle is not None:
            self._idle.tick()
        reading.other_protocols = self._reader.other_protocols()
        reading.samples = self._samples.read(self._most_samples)
        # Before those for which another stood in: those of a later call.
        with contextlib.suppress(OSError):  # the helper is gone, and a note says so
            self._skipped = self._count_skipped()
        losses, stood_in = self._reader.losses()
        self._missed = max(self._missed, self._skipped - stood_in)
        reading.losses = losses._replace(missed_calls=losses.missed_calls + self._missed)
        reading.cost = self.timer.take_cost()
        return reading

    def names(
        self, cells: Collection[int]
    ) -> tuple[dict[int, RawEndpoint], dict[int, RawResponse]]:
        """Return what cells are for; see Source."""
        return self._reader.names(cells)

    def in_flight(self) -> tuple[list[RawInFlight], int]:
        """Return the requests in flight, and when they had been read; see Source."""
        return self._in_flight.read()

    def wait(self, since_s: float, due_s: float, woken: int) -> bool:
        """Wait for the end of a tick; see Source, and ticks.py for the work done meanwhile."""
        return self.ticks.wait(since_s, due_s, woken)

    def _count_skipped(self) -> int:
        """Return for how many calls the kernel has skipped the first program of a tracepoint.

        Where others stand in for it, the ends of connections are left out: they are no calls.
        """
        assert self._probes is not None
        points = self._probes.points
        several = len({tracepoint_of(name) for name in points}) < len(points)
        first = [
            name
            for name in points
            if not name.endswith(LATER) and not (several and tracepoint_of(name) == END)
        ]
        return sum(missed for _, _, missed in self._times.of(first))

    def control(self, controls: Controls) -> None:
        """Apply ``controls`` to the running programs."""
        self._most_samples = controls.most_samples
        self._control.write(controls)

    def note_waits(self, start: bool) -> None:
        """Start or stop measuring waits (bpf/c/wait.h), if this kernel can; raises Unavailable."""
        assert self._probes is not None
        if READY in self._probes.programs:
            if start:
                self._probes.attach_one(READY)
            else:
                self._probes.detach_one(READY)

    def detach(self) -> None:
        """Stop counting; what was counted can still be read."""
        if self._probes is None:
            return
        self._probes.detach()
        if self._sweep is not None:
            self._sweep.all_at_once = True  # there is but one reading left
            if self._plan.conditions.holds_back:
                self._sweep.settle(self._probes.maps["conns"])

    def close(self) -> None:
        """Release all resources; idempotent."""
        self._closing.close()
        self._probes = None


def _nobody_knows(numbers: Collection[int]) -> list[Times]:  # noqa: ARG001
    raise PermissionError
