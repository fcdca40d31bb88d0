"""What every screen shares, and what the screens need of the app and of the run.

The app shows screens and so imports them; screens see the app only as :class:`Httptop` here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from httptop.coverage.processes import Survey

#: Changed settings, by key: ``{"ui.sort": "p99"}``.
Changes = Mapping[str, object]


class RunControls(Protocol):
    """What the screen may do to the run that feeds it.

    :meth:`reload` is called in the thread of the screen and returns at once. The others may take
    seconds: the screen calls them in threads of their own, and only where the flag allows it.
    """

    @property
    def can_demo(self) -> bool:
        """Whether :meth:`start_demo` may be called."""

    @property
    def can_save(self) -> bool:
        """Whether :meth:`save` may be called."""

    @property
    def can_change(self) -> bool:
        """Whether :meth:`change` may be called."""

    @property
    def can_survey(self) -> bool:
        """Whether :meth:`survey` may be called."""

    def start_demo(self) -> None:
        """Start the demo services and their traffic; any exception means that they do not run."""

    def save(self, changes: Changes) -> str:
        """Write settings to the configuration file and return its path.

        Raises:
            HttptopError: They cannot be written.
        """

    def change(self, changes: Changes) -> None:
        """Apply settings to the run without writing them.

        Raises:
            HttptopError: They cannot be applied; nothing was changed.
        """

    def reload(self) -> bool:
        """Have the settings read again; return whether the run goes on."""

    def survey(self) -> Survey:
        """Look at the processes of the host that have stream sockets.

        Raises:
            OSError: The processes cannot be looked at.
            ValueError: What the privileged helper returned makes no sense.
        """
