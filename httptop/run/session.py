"""Own the processes that a run starts first: the helper that stays root, and the loader.

Both are started before the settings are known and before much is imported: the helper so that
nothing read later can have a part in it, the loader because loading takes longest. ``__main__``
creates one session and passes it on; it also ends the session, and so any of the two that still
runs.
"""

from __future__ import annotations

import contextlib

from httptop.errors import Unavailable
from httptop.linux import bpf_syscall
from httptop.linux.deadline import Deadline
from httptop.privilege.helper import Helper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from httptop.bpf.build.child import Loading
    from httptop.coverage.processes import Survey
    from httptop.demo.launched import LaunchedDemo
    from httptop.demo.supervisor import Demo
    from httptop.linux.appended import Appending
    from httptop.linux.service_manager import ServiceManager


class Session:
    """The processes that run beside httptop's own; a context manager that ends them."""

    def __init__(self, manager: ServiceManager | None = None) -> None:
        """Start nothing; ``manager``: who started this process as a service, closed at the end."""
        #: The service manager, if there is one.
        self.manager = manager
        #: The helper, if it runs.
        self.helper: Helper | None = None
        #: When this process has ended, whatever becomes of the run; set once the run is to end.
        self.deadline = Deadline()
        self._loading: Loading | None = None

    def ending(self, left_s: float) -> None:
        """Have the process end in so many seconds at the latest; a signal handler may call it."""
        self.deadline.set(left_s)
        if self.manager is not None:
            self.manager.stopping()

    def begin(self) -> None:
        """Start both, before it is known whether they are needed; call it as root."""
        with contextlib.suppress(OSError):  # begin_drop() tries again and reports the error
            self.start_helper()
        from httptop.bpf.build.child import Loading

        with contextlib.suppress(OSError):  # take_loading() tries again and reports the error
            self._loading = Loading()

    def start_helper(self) -> Helper:
        """Return the running helper, or start one; raise :class:`OSError`."""
        if self.helper is None:
            self.helper = Helper()
        return self.helper

    def end_helper(self) -> None:
        """End the helper, if it runs, and wait for it."""
        helper, self.helper = self.helper, None
        if helper is not None:
            helper.end()

    def take_loading(self) -> Loading:
        """Return the load that was begun ahead, or a new one; the receiver must end it.

        Raises :class:`Unavailable` if a process for it cannot be started.
        """
        from httptop.bpf.build.child import Loading

        loading, self._loading = self._loading, None
        try:
            return loading or Loading()
        except OSError as error:  # a chroot without /dev, no room for a process
            reason = f"{error.strerror}{f': {error.filename}' if error.filename else ''}"
            raise Unavailable(f"the loader of the probes cannot be started: {reason}") from error

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of our processes that run already."""
        launcher = None if self.helper is None else self.helper.launcher_pid
        beside = (self._loading, self.helper)
        pids = [process.pid for process in beside if process is not None]
        return (*pids, *([] if launcher is None else [launcher]))

    def take_demo(self) -> Demo | LaunchedDemo:
        """Return the demo, not started, which the receiver stops; by the launcher if there is one.

        Raises :class:`OSError` if its program cannot be read.
        """
        launcher = None if self.helper is None else self.helper.take_launcher()
        if launcher is not None:
            from httptop.demo.launched import LaunchedDemo

            return LaunchedDemo(launcher)
        from httptop.demo.supervisor import Demo

        return Demo()

    def troubles(self) -> tuple[str, ...]:
        """Return sentences on what is missing by now; any thread may call it."""
        helper = self.helper
        return (helper.trouble,) if helper is not None and helper.trouble else ()

    def statistics(self) -> int:
        """Have the kernel time BPF programs for as long as the returned descriptor is open.

        Raises :class:`OSError` if it is refused. Any thread may call it.
        """
        return bpf_syscall.enable_stats() if self.helper is None else self.helper.statistics()

    def reopen(self, path: Path) -> Appending | None:
        """Have the helper open a log that this process may not, if it runs; see AppendedFile.

        Raises :class:`OSError` if it refuses. Any thread may call it.
        """
        return None if self.helper is None else self.helper.reopen(path)

    def survey(self) -> Survey:
        """Survey the host's processes, through the helper if it runs.

        It may take seconds and raise :class:`OSError`. Any thread may call it.
        """
        if self.helper is not None:
            return self.helper.survey()
        import time

        from httptop.coverage.processes import survey

        return survey(time.time())

    def end(self) -> None:
        """End the processes that still run; idempotent."""
        loading, self._loading = self._loading, None
        if loading is not None:
            loading.cancel()
        self.end_helper()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()
        self.deadline.cancel()
        if self.manager is not None:
            self.manager.close()
