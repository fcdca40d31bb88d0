"""What a run has from its first moment: the helper that stays root, and a load begun ahead.

Both are started before the settings are known and before much is imported: the helper while there
is little to fork, the load because it takes longest. One session is made in ``__main__`` and handed
down; who makes it ends it, and with it whatever of the two is left.
"""

from __future__ import annotations

import contextlib

from httptop.linux import bpf_syscall
from httptop.privilege.helper import Helper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from httptop.bpf.build.child import Loading
    from httptop.coverage.processes import Survey


class Session:
    """The processes of ours that stand beside a run; a context manager that ends them."""

    def __init__(self) -> None:
        """Start nothing."""
        #: The helper, where there is one.
        self.helper: Helper | None = None
        self._loading: Loading | None = None

    def begin(self) -> None:
        """Start both, before it is sure that they are needed; to be called as root."""
        with contextlib.suppress(OSError):  # it is told later where there can be none
            self.start_helper()
        from httptop.bpf.build.child import Loading

        self._loading = Loading()

    def start_helper(self) -> Helper:
        """Return the helper that there is, or a new one; raise :class:`OSError`."""
        if self.helper is None:
            self.helper = Helper()
        return self.helper

    def end_helper(self) -> None:
        """End the helper, if there is one, and wait for it."""
        helper, self.helper = self.helper, None
        if helper is not None:
            helper.end()

    def take_loading(self) -> Loading:
        """Return the load that was begun ahead, or a new one; whoever takes it ends it."""
        from httptop.bpf.build.child import Loading

        loading, self._loading = self._loading, None
        return loading or Loading()

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of what runs: started before the settings were known."""
        beside = (self._loading, self.helper)
        return tuple(process.pid for process in beside if process is not None)

    def statistics(self) -> int:
        """Have the kernel time BPF programs for as long as the returned descriptor is open.

        Raises :class:`OSError` where that is refused. Any thread may call it.
        """
        return bpf_syscall.enable_stats() if self.helper is None else self.helper.statistics()

    def survey(self) -> Survey:
        """Look at the processes of the host, by the helper where there is one.

        May take seconds, and raise :class:`OSError`. Any thread may call it.
        """
        if self.helper is not None:
            return self.helper.survey()
        import time

        from httptop.coverage.processes import survey

        return survey(time.time())

    def end(self) -> None:
        """End what is left; idempotent."""
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
