"""Set up a live run before its first reading, and wind it down after its last one."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from httptop.bpf.build.child import Step
from httptop.bpf.plan import plan_of
from httptop.bpf.program_times import Ask
from httptop.bpf.source import LiveSource
from httptop.collect.feed import Feed
from httptop.collect.governor import controls_of
from httptop.collect.overhead import OverheadMeter
from httptop.collect.window import KEPT_S
from httptop.collector import Collector
from httptop.config.scope import Scope
from httptop.config.settings import Security, Settings
from httptop.console import complain, hold_nothing
from httptop.demo.launched import LaunchedDemo
from httptop.demo.supervisor import Demo
from httptop.doctor import checks, host
from httptop.errors import Unavailable
from httptop.linux.cpus import possible_cpus
from httptop.linux.files import invoking_user
from httptop.linux.processes import own_pid_namespace, shows_others
from httptop.privilege import origin, system_calls
from httptop.privilege.confine import confine, filters_of_others
from httptop.privilege.drop import Drop, plan_drop, reads_code
from httptop.privilege.helper_protocol import Launch
from httptop.run.ahead import import_ahead
from httptop.run.followed import Followed
from httptop.run.outputs import exports_metrics, known_methods, logs_of, own_pid_of, system_calls_of
from httptop.run.scheduling import renice
from httptop.run.session import Session

OTHER_PIDS: Final = (
    "/proc has the process ids of another namespace than httptop's: what is read there of a "
    "process, such as its containers, is that of another (mount -t proc proc /proc)"
)
#: Seconds to wait for the demo before the ticks begin without it.
_LONGEST_START_S: Final = 30.0


def open_live(
    settings: Settings,
    scope: Scope,
    session: Session,
    *,
    demo: bool,
    screen: bool = False,
    written: bool = False,
    tell: Callable[[str], None] = complain,
    doing: Callable[[Step], None] = lambda _: None,
    read: Sequence[Path] = (),
    save: Path | None = None,
    export: Path | None = None,
) -> Feed:
    """Begin to load the probes and return a collector that reads them.

    ``screen``: whether it feeds the screen, which shows the first rows at once and must not run as
    root if ``security.allow_root_ui`` is false. ``written``: as Collector has it. ``tell`` tells
    the user what takes long, ``doing`` what the start begins; they are called from another thread.
    ``read`` and ``save``: the configuration files that the helper may read and
    replace once root is given up; ``export``: the directory in which it may make new files. Raises
    :class:`Unavailable` if a quick check shows that this host cannot be traced, and
    :class:`UsageError` if a process that the scope selects does not exist.
    """
    if (reason := checks.refusal()) is not None:
        raise Unavailable(reason)
    followed = Followed(scope)
    plan = plan_of(
        settings,
        scope,
        possible_cpus(),
        own_pid_namespace(),
        followed.starts,
        own_pid=own_pid_of(settings),
    )
    notes = (*((OTHER_PIDS,) if shows_others() else ()), *origin.told())
    for note in notes:
        complain(note)
    # The loader needs all of root's capabilities, so it is started before any are given up.
    source = LiveSource(
        plan,
        controls_of(settings),
        loading=session.take_loading(),
        enable_statistics=session.statistics,
    )
    try:
        drop = begin_drop(
            settings.security,
            session,
            screen=screen,
            launch=screen or demo,
            read=read,
            save=save,
            export=export,
            logs=logs_of(settings),
        )
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
            session.take_demo() if demo else None,
            tell,
            attached=lambda: renice(settings.performance.nice, session.pids),
            times=None if session.helper is None else session.helper.times,
            notes=notes if screen else (),
            await_demo=not screen,
            doing=doing,
            confined=functools.partial(
                confine,
                system_calls.live(
                    os.getpid(),
                    helped=session.helper is not None,
                    more=system_calls_of(settings),
                ),
            )
            if settings.security.seccomp
            else None,
        ),
        first_rows_at_once=screen,
        written=written,
        exported=exports_metrics(settings),
        methods=known_methods(os.environ),
        kept_s=KEPT_S if screen and not written else 0.0,
        news=lambda: (*session.troubles(), *followed.news(), *source.news),
        meter=OverheadMeter(helpers=session.pids),
    )


@contextlib.contextmanager
def started(
    source: LiveSource,
    drop: Drop,
    demo: Demo | LaunchedDemo | None,
    tell: Callable[[str], None],
    stop: int,
    *,
    attached: Callable[[], None],
    times: Ask | None,
    notes: tuple[str, ...] = (),
    doing: Callable[[Step], None] = lambda _: None,
    await_demo: bool,
    confined: Callable[[], tuple[str, ...]] | None = None,
) -> Iterator[tuple[str, ...]]:
    """Start what a live run needs, in this order, in the collector's thread; end it afterwards.

    ``tell`` tells the user what takes long, ``doing`` what begins. Raises :class:`Interrupted` if
    the descriptor ``stop`` becomes readable before the probes are loaded. Yields sentences about
    what cannot be seen, ``notes`` included.

    ``attached`` is called once the probes are: from then on httptop gives way to others. Before, it
    has a second of work for which it had better not wait. ``times`` returns the run times of
    programs once root is given up; None: nobody does.

    Only the thread that gives up root may keep a capability, and this one reads the maps. The demo
    starts after the probes are attached, so that they see its first request, and ends before they
    are detached, so that its last requests are complete. ``await_demo``: begin the ticks with the
    demo's first response, so that the first of a few snapshots is not empty.

    ``confined`` restricts the system calls of all threads, last of all, and returns sentences if
    it cannot; None: they are not to be.
    """
    source.load(tell, stop, doing)
    source.attach()
    attached()
    if drop.user is not None:
        source.keep_least(times)
    drop.give_up()
    source.try_waits()  # with the capabilities that are left
    with demo or contextlib.nullcontext():
        if demo and await_demo and not demo.wait_for_response(_LONGEST_START_S, stop):
            tell("the demo's services are still starting")
        hold_nothing()
        unconfined = () if confined is None else confined()
        yield (*notes, *source.notes, *drop.notes, *unconfined)


def begin_drop(
    security: Security,
    session: Session,
    *,
    screen: bool,
    launch: bool = False,
    read: Sequence[Path] = (),
    save: Path | None = None,
    export: Path | None = None,
    logs: Sequence[tuple[Path, str]] = (),
) -> Drop:
    """Plan the drop, settle the helper and prepare, before this process has other threads.

    What the user to become could not read is imported now, while this process is still root.
    ``launch``: whether the helper is to make the launcher of the demo.
    ``logs`` are those of :func:`logs_of`. Whatever needs all of root must be started before.
    Raises as :func:`plan_drop` does.
    """
    drop = plan_drop(security, screen=screen, needed=host.needed_after_attaching())
    if drop.user is None:
        session.end_helper()
        return drop
    user, ahead = drop.user, not reads_code(drop.user)
    if ahead:
        import_ahead(screen=screen)
    others = filters_of_others(wanted=security.seccomp)
    launched = Launch(user.uid, user.gid, user.groups, ahead=ahead, filter=others.demo)
    try:
        session.start_helper().settle(
            invoking_user(os.environ),
            read,
            save,
            export=export,
            logs=logs,
            filter=others.helper,
            launch=launched if launch else None,
        )
    except OSError as error:
        session.end_helper()
        note = f"the helper that stays root failed ({error}): settings cannot be saved or reloaded"
        drop = replace(drop, notes=(*drop.notes, note))
    drop.prepare()
    return drop
