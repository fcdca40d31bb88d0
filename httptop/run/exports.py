"""Files that the screen exports: into the directory httptop was started in, as who started it."""

from __future__ import annotations

import os
from pathlib import Path

from httptop.errors import HttptopError
from httptop.linux.files import InvokingUser
from httptop.output.exported import write_export
from httptop.run.session import Session


def started_in() -> Path | None:
    """Return the directory of this process; None: it is gone."""
    try:
        return Path(os.getcwd())
    except OSError:
        return None


class Exports:
    """Writes what is exported; once this process has given up root, the helper does."""

    def __init__(self, invoker: InvokingUser, session: Session) -> None:
        """Take the directory as it is now."""
        self._invoker, self._session = invoker, session
        #: Where files go; None: nowhere.
        self.directory = started_in()

    def write(self, kind: str, host: str, at_s: float, data: bytes) -> Path:
        """Write a new file of a kind of ``output.EXPORTS``; return its path.

        ``host`` and ``at_s``, Unix time, are what the file shows. Raises :class:`HttptopError` with
        the reason if it cannot be written.
        """
        if self.directory is None:
            raise HttptopError("the directory httptop was started in is gone")
        helper = self._session.helper
        try:
            if helper is not None:
                return helper.export(kind, at_s, data)
            return write_export(self.directory, host, at_s, kind, data, self._invoker)
        except (OSError, ValueError, OverflowError) as error:
            raise HttptopError(str(error)) from None
