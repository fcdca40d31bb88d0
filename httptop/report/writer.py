"""Where reports go: files that are opened first and written last, or standard output."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from httptop.collect.feed import Observer
from httptop.errors import HttptopError, UsageError
from httptop.linux.files import FileError, InvokingUser, create
from httptop.model import Snapshot
from httptop.report import csv, har, html
from httptop.report.gathering import Gathering, Report


class _Format(NamedTuple):
    make: Callable[[Report], Iterator[str]]
    start: bytes  # by which a file is known as one of httptop's


_FORMATS: Final[Mapping[str, _Format]] = MappingProxyType(
    {
        "csv": _Format(csv.to_csv, csv.START),
        "har": _Format(har.to_har, har.START),
        "html": _Format(html.to_html, html.START),
    }
)


class ReportFile:
    """A file that a report goes into; it is emptied only once the report can be written."""

    def __init__(self, kind: str, path: Path, invoker: InvokingUser) -> None:
        """Open or create it; raise :class:`UsageError` if it is refused.

        What exists and is no report of this kind is refused.
        """
        self._format, self.path = _FORMATS[kind], path
        try:
            self._descriptor = create(path, invoker, append=True, ours=self._is_ours)
        except FileError as error:
            raise UsageError(f"cannot write a report to {error}") from None

    def _is_ours(self, start: bytes) -> bool:
        return start.startswith(self._format.start)

    def write(self, report: Report) -> None:
        """Write and close it; raise :class:`HttptopError` if it cannot be written whole."""
        try:
            # All of it is made first: should the run's time be up, there is no half of a file.
            data = _encoded(self._format, report)
            os.ftruncate(self._descriptor, 0)
            _write(self._descriptor, data)
            os.fsync(self._descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            reason = (error.strerror or type(error).__name__).lower()
            raise HttptopError(f"cannot write the report {self.path}: {reason}") from None
        finally:
            os.close(self._descriptor)


def print_report(kind: str, report: Report, descriptor: int) -> None:
    """Write a report to a descriptor, such as that of standard output; raise :class:`OSError`."""
    _write(descriptor, _encoded(_FORMATS[kind], report))


def _encoded(of: _Format, report: Report) -> bytes:
    return "".join(of.make(report)).encode("utf-8", "backslashreplace")


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


class Reporter(Observer):
    """Makes reports of a run's snapshots, and writes them at its end."""

    def __init__(
        self,
        files: Sequence[ReportFile],
        redact: Callable[[Snapshot], Snapshot],
        tell: Callable[[str], None],
    ) -> None:
        """``redact`` masks what sampled requests tell; ``tell`` tells the user what is written."""
        self._files, self._redact, self._tell = files, redact, tell
        self._gathering = Gathering()

    def see(self, snapshot: Snapshot) -> None:
        """Take a snapshot."""
        self._gathering.see(snapshot)

    def end(self, last: Snapshot | None) -> None:
        """Take the last snapshot and write the files."""
        if last is None:
            self.trouble = "no report is written, since nothing was seen"
            return
        self._gathering.see(last)
        report = self._gathering.report(last, self._redact)
        for file in self._files:
            try:
                file.write(report)
                self._tell(f"the report is in {file.path}")
            except HttptopError as error:
                self.trouble = str(error)
