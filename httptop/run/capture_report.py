"""Reports of a capture, made at once."""

from __future__ import annotations

import os
import re
import sys
from itertools import islice
from pathlib import Path
from typing import IO, Final

from httptop.capture.problems import CaptureError, CutOff
from httptop.capture.recorder import is_capture
from httptop.capture.restrict import narrowed, require_narrowable
from httptop.capture.skimming import Skim
from httptop.config.scope import scope_of
from httptop.config.settings import Settings
from httptop.console import complain, forget_output, say, unwritten
from httptop.errors import HttptopError, UsageError
from httptop.linux.files import FileError, InvokingUser, open_regular
from httptop.report.gathering import Gathering
from httptop.report.writer import ReportFile, print_report
from httptop.run.arguments import STANDARD_OUTPUT, Arguments
from httptop.run.feed import confine_replay, redaction_of_files

#: The bytes by whose start a capture is known.
_START: Final = 4096


def report_capture(asked: Arguments, settings: Settings, invoker: InvokingUser) -> int:
    """Write the reports of a capture and return the exit status; raise :class:`HttptopError`.

    ``-n``: of its first snapshots only. What cannot be read ends it; the reports are of what is
    before that.
    """
    assert asked.replay is not None
    scope = scope_of(settings.filter)
    require_narrowable(scope)
    capture = _opened(asked.replay, invoker)
    files = [
        ReportFile(export.kind, export.path or _name_beside(asked.replay, export.kind), invoker)
        for export in asked.exports
        if export.path != STANDARD_OUTPUT
    ]
    printed = [export.kind for export in asked.exports if export.path == STANDARD_OUTPUT]
    confine_replay(settings, invoker)
    gathering = Gathering(scope.describe())
    skim = _skim(asked.replay, capture)
    error: CaptureError | None = None
    try:
        for snapshot in islice(skim.snapshots(rows=not scope.everything), asked.iterations):
            gathering.see(narrowed(snapshot, scope))
    except CaptureError as found:
        error = found
        gathering.note(f"The capture {error}: this is what stands before that.")
    try:
        last = skim.last()
    except CaptureError as found:
        raise UsageError(f"{asked.replay}: {found}") from None
    if last is None:
        raise UsageError(f"{asked.replay}: {error or 'holds no snapshot'}")
    report = gathering.report(narrowed(last, scope), redaction_of_files(settings).apply)
    for file in files:
        file.write(report)
    for kind in printed:
        try:
            print_report(kind, report, sys.stdout.fileno())
        except BrokenPipeError:
            raise
        except OSError as error:
            forget_output()
            raise HttptopError(unwritten(error)) from None
    for file in files:
        (complain if printed else say)(str(file.path))
    if error is None:
        return 0
    complain(f"{asked.replay}: {error}")
    return 0 if isinstance(error, CutOff) else UsageError.exit_status


def _skim(path: Path, capture: IO[bytes]) -> Skim:
    try:
        return Skim(capture)
    except CaptureError as error:
        raise UsageError(f"{path}: {error}") from None


def _opened(path: Path, invoker: InvokingUser) -> IO[bytes]:
    """Open a capture; nothing is made of what is none."""
    try:
        file = open_regular(path, invoker)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except FileError as error:
        raise UsageError(str(error)) from None
    if not is_capture(os.pread(file.fileno(), _START, 0)):
        raise UsageError(f"{path}: is not a capture of httptop")
    return file


def _name_beside(capture: Path, kind: str) -> Path:
    """Return how a capture's report is called: ``today.capture`` has ``today.html``, here."""
    stem = re.sub(r"(\.capture)?(\.gz)?$", "", capture.name)
    return Path(f"{stem or 'capture'}.{kind}")
