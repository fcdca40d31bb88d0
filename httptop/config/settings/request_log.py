"""The settings of ``[request_log]``: a line for each sampled request.

httptop's own log, of what it has to say itself, is ``general.log_file``.
"""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.settings.string_types import LOG_DESTINATION, LOG_FORMAT
from httptop.config.value_types import Many

REQUEST_LOG_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "request_log",
        "to",
        Many(LOG_DESTINATION),
        "Where a line goes for each sampled request (--log requests=DEST, docs/request-log.md): "
        "- (standard output, "
        "which has no snapshots then), a file, tcp://host:port, unix:///path, syslog:, "
        "syslog+udp://host, syslog+tcp://host; empty: nowhere.",
    ),
    Setting(
        "request_log",
        "format",
        LOG_FORMAT,
        "Format of --log requests (json, text, clf, combined, or letters of Apache's); these "
        'are as in %h %t "%r" %>s (docs/request-log.md).',
        flags=("--log-format",),
        metavar="FORMAT",
        group="output",
    ),
)
