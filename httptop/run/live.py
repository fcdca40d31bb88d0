"""A live run: what it does before its first reading, and after its last one."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from httptop.bpf.plan import plan_of
from httptop.bpf.source import LiveSource
from httptop.collect.feed import Feed
from httptop.collect.overhead import OverheadMeter
from httptop.collector import Collector
from httptop.config.scope import Scope
from httptop.config.settings import Security, Settings
from httptop.console import complain
from httptop.demo.supervisor import Demo
from httptop.doctor import checks, host
from httptop.errors import Unavailable
from httptop.filters import Compare
from httptop.linux.cpus import possible_cpus
from httptop.linux.files import invoking_user
from httptop.linux.processes import in_first_pid_namespace, is_process
from httptop.privilege.drop import Drop, plan_drop
from httptop.run.session import Session

#: Seconds that the demo has until the ticks begin all the same.
_LONGEST_START_S: Final = 30.0


def open_live(
    settings: Settings,
    scope: Scope,
    session: Session,
    *,
    demo: bool,
    screen: bool = False,
    tell: Callable[[str], None] = complain,
    read: Sequence[Path] = (),
    save: Path | None = None,
) -> Feed:
    """Begin to load the probes and return the collector over them.

    ``screen``: whether it is for a screen, which shows the first rows at once and may not be root's
    where ``security.allow_root_ui`` is false. ``tell`` tells the user what takes long, from another
    thread. ``read`` and ``save``: the configuration files that the helper may read, and replace,
    once root is given up. Raises :class:`Unavailable` where this host plainly cannot be traced.
    """
    if (reason := checks.refusal()) is not None:
        raise Unavailable(reason)
    plan = plan_of(settings, scope, possible_cpus())
    notes = absent_processes(scope)
    for note in notes:
        complain(note)
    # The loader needs all of root, so it is started before any of that is given up.
    source = LiveSource(plan, loading=session.take_loading(), enable_statistics=session.statistics)
    try:
        drop = begin_drop(settings.security, session, screen=screen, read=read, save=save)
    except BaseException:
        source.close()
        raise
    return Collector(
        source,
        settings,
        scope,
        around=functools.partial(
            started,
            source,
            drop,
            Demo() if demo else None,
            tell,
            notes=notes if screen else (),
            await_demo=not screen,
        ),
        first_rows_at_once=screen,
        meter=OverheadMeter(helpers=session.pids),
    )


@contextlib.contextmanager
def started(
    source: LiveSource,
    drop: Drop,
    demo: Demo | None,
    tell: Callable[[str], None],
    stop: int,
    *,
    notes: tuple[str, ...] = (),
    await_demo: bool,
) -> Iterator[tuple[str, ...]]:
    """Start what a live run needs, in this order, in the collector's thread; wind it down.

    ``tell`` tells the user what takes long. Raises :class:`Interrupted` where the descriptor
    ``stop`` becomes readable before the probes are loaded. Yields sentences about what cannot be
    seen, ``notes`` among them.

    The thread that gives up root is the one that may keep a capability, and it reads the maps. The
    demo starts once the probes see its first request, and ends before they are detached, so that
    its last requests are whole. ``await_demo``: the ticks begin with its first response, so that
    there is something in the first of few snapshots.
    """
    source.load(tell, stop)
    source.attach()
    drop.give_up()
    source.try_waits()  # with the rights that are left
    with demo or contextlib.nullcontext():
        if demo and await_demo and not demo.wait_for_response(_LONGEST_START_S, stop):
            tell("the demo's services are still starting")
        yield (*notes, *source.notes, *drop.notes)


def absent_processes(scope: Scope) -> tuple[str, ...]:
    """Return a sentence where processes that the run is limited to by number are not there.

    None in a process id namespace of our own, where processes have other numbers.
    """
    if not in_first_pid_namespace():
        return ()
    asked = {
        int(value.low)
        for item in scope.kernel
        if isinstance(item, Compare) and (item.name, item.operator) == ("pid", "=")
        for value in item.values
    }
    absent = [str(pid) for pid in sorted(asked) if not is_process(pid)]
    if not absent:
        return ()
    return (f"no process{'es' if len(absent) > 1 else ''} {', '.join(absent)} now",)


def begin_drop(
    security: Security,
    session: Session,
    *,
    screen: bool,
    read: Sequence[Path] = (),
    save: Path | None = None,
) -> Drop:
    """Do what has to be done before other threads are there: plan, settle the helper, prepare.

    What needs all of root is to be started before. Raises as :func:`plan_drop` does.
    """
    invoker = invoking_user(os.environ)
    drop = plan_drop(security, invoker, screen=screen, needed=host.needed_after_attaching())
    if drop.user is None:
        session.end_helper()
        return drop
    try:
        session.start_helper().settle(invoker, read, save)
    except OSError as error:
        session.end_helper()
        note = f"no helper that stays root ({error}): settings cannot be saved or read again"
        drop = replace(drop, notes=(*drop.notes, note))
    drop.prepare()
    return drop
