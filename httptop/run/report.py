"""Reports of a live batch run, at its end."""

from __future__ import annotations

import os
import time
from pathlib import Path

from httptop.config.settings import Settings
from httptop.console import complain
from httptop.linux.files import InvokingUser
from httptop.output.exported import file_name
from httptop.report.writer import Reporter, ReportFile
from httptop.run.arguments import Arguments
from httptop.run.feed import redaction_of_files


def reporter(asked: Arguments, settings: Settings, invoker: InvokingUser) -> Reporter:
    """Return what writes the reports of a live run; raise :class:`UsageError`."""
    named = file_name(os.uname().nodename, time.time(), "")
    files = [
        ReportFile(export.kind, export.path or Path(f"{named}.{export.kind}"), invoker)
        for export in asked.exports
    ]
    return Reporter(files, redaction_of_files(settings).apply, complain)
