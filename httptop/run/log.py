"""Log what httptop does to a file, only if the user named one.

Lines are ``2026-01-01T00:00:00.000Z warning samples lost: 12, and counting``, safe to show on a
terminal. Nothing goes to the screen; a file that cannot be written is reported at the end. What is
no log of httptop's is not written to.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from httptop import __version__
from httptop.collect.feed import Observer
from httptop.config.reload import Reload
from httptop.config.settings import DEFAULTS, SETTINGS, Settings
from httptop.console import complain
from httptop.errors import HttptopError, UsageError
from httptop.http.secrets import masked
from httptop.linux.appended import AppendedFile, Reopen
from httptop.linux.files import FileError, InvokingUser
from httptop.model import Health, Snapshot
from httptop.output.own_log import is_own_log
from httptop.printable import clean

LOG: Final = logging.getLogger("httptop")
LOG.addHandler(logging.NullHandler())
LOG.propagate = False

_LONGEST_LINE: Final = 2000
#: Kinds of notes that are logged; what is in them may be chosen by others.
_MOST_NOTES: Final = 1000
_LOSSES: Final = {
    "lost_samples": "samples lost",
    "lost_pieces": "pieces lost",
    "overflow_requests": "requests counted under ~other",
    "parse_errors": "malformed header sections",
    "missed_calls": "system calls missed",
    "overfull_pipelines": "requests too many in a pipeline",
    "discarded_requests": "requests behind a response that closes",
    "late_ticks": "late ticks",
}


class _Lines(logging.Formatter):
    """Formats each message as a single line, whatever it contains."""

    def __init__(self, *, redact: bool) -> None:
        """``redact``: what looks like a secret is masked."""
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage().encode("utf-8", "surrogateescape")
        if self._redact:
            message = masked(message)
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        text = clean(message, _LONGEST_LINE)
        return f"{moment.replace('+00:00', 'Z')} {record.levelname.lower()} {text}"


class LogFile(logging.Handler):
    """Writes to a file, which it closes; ``failure`` says why it could not write."""

    def __init__(self, file: AppendedFile, *, redact: bool = True) -> None:
        super().__init__()
        self.failure = ""
        self._file = file
        self.setFormatter(_Lines(redact=redact))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line immediately."""
        data = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
        try:
            if os.write(self._file.descriptor, data) != len(data):
                self.failure = "a line was cut off"
        except OSError as error:
            self.failure = error.strerror or type(error).__name__

    def reopen(self) -> None:
        """Go on in the file that has the name now, if it is another one: the log was rotated.

        Where that is refused, go on in the old one.
        """
        try:
            self._file.reopen()
        except OSError as error:
            LOG.warning("the log goes on in the file that is open: %s", error)

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._file.close()


@contextlib.contextmanager
def logging_to_file(
    settings: Settings, invoker: InvokingUser, helped: Reopen | None = None
) -> Iterator[LogFile | None]:
    """Append the log to ``general.log_file``, if it is set, during a block.

    ``helped`` opens it again where this process may not; see :class:`AppendedFile`.
    Raises :class:`UsageError` if the file is refused.
    """
    name = settings.general.log_file
    if not name:
        yield None
        return
    try:
        file = AppendedFile(Path(name), invoker, ours=is_own_log, helped=helped)
    except FileError as error:
        raise UsageError(f"general.log_file: {error}") from None
    handler = LogFile(file, redact=settings.security.redact != "off")
    LOG.addHandler(handler)
    set_level(settings)
    try:
        yield handler
    finally:
        LOG.removeHandler(handler)
        handler.close()


def set_level(settings: Settings) -> None:
    """Set the level of the log to that of the settings."""
    LOG.setLevel(settings.general.log_level.upper())


def log_start(settings: Settings) -> None:
    """Log the version and the settings that differ from their defaults."""
    LOG.info("httptop %s starts", __version__)
    for setting in SETTINGS:
        value = setting.of(settings)
        if value != setting.of(DEFAULTS):
            LOG.info("%s = %s", setting.key, setting.kind.show(value))


def log_reload(reload: Reload) -> None:
    """Log the result of a reload of the configuration, to the file that has the log's name now."""
    for handler in LOG.handlers:
        if isinstance(handler, LogFile):
            handler.reopen()
    for sentence in reload.sentences():
        LOG.log(logging.ERROR if reload.error else logging.INFO, "%s", sentence)


@contextlib.contextmanager
def logged(
    settings: Settings, invoker: InvokingUser, helped: Reopen | None = None
) -> Iterator[None]:
    """Log the start and the end of a run.

    ``helped`` is that of :func:`logging_to_file`. Tells the user if the log could not be written;
    then a run that ends well raises :class:`HttptopError`.
    """
    with logging_to_file(settings, invoker, helped) as log:
        log_start(settings)
        try:
            yield
        except BaseException as error:
            LOG.error("httptop ends: %s", str(error) or type(error).__name__)
            if lacks := _lacks(log, settings):
                complain(lacks)
            raise
        LOG.info("httptop ends")
        if lacks := _lacks(log, settings):
            raise HttptopError(lacks)


def _lacks(log: LogFile | None, settings: Settings) -> str:
    """Return what is to be told of a log that could not be written; empty if it could."""
    if log is None or not log.failure:
        return ""
    return f"{settings.general.log_file} is not complete: {log.failure}"


class SnapshotLog(Observer):
    """Logs what changes between snapshots: new notes, losses that begin or end, shed work."""

    def __init__(self) -> None:
        self._health = Health()
        self._growing: set[str] = set()
        self._notes: set[str] = set()
        self._shed: tuple[str, ...] = ()
        self._orphans_told = False

    def see(self, snapshot: Snapshot) -> None:
        """Compare a snapshot with the previous one."""
        for note in snapshot.notes:
            self._note(note)
        for name, words in _LOSSES.items():
            before, now = getattr(self._health, name), getattr(snapshot.health, name)
            if now > before and name not in self._growing:
                self._growing.add(name)
                LOG.warning("%s: %d, and counting", words, now)
            elif now == before and name in self._growing:
                self._growing.discard(name)
                LOG.warning("%s: %d, no more for now", words, now)
        if snapshot.health.orphan_responses and not self._orphans_told:
            self._orphans_told = True
            LOG.info("some responses were to requests under way before the start: not counted")
        self._health = snapshot.health
        if snapshot.overhead.shed != self._shed:
            self._shed = snapshot.overhead.shed
            LOG.warning("left out to stay cheap: %s", ", ".join(self._shed) or "nothing any more")
        if LOG.isEnabledFor(logging.DEBUG):
            requests = sum(total.requests for total in snapshot.totals.values())
            LOG.debug(
                "snapshot at %.1f s: %d requests on both sides, %d endpoints, %s bytes of memory",
                snapshot.uptime_s,
                requests,
                len(snapshot.endpoints),
                snapshot.overhead.rss_bytes,
            )

    def _note(self, note: str) -> None:
        words_only = re.sub("[0-9]+", "", note)
        if words_only not in self._notes and len(self._notes) < _MOST_NOTES:
            self._notes.add(words_only)
            LOG.warning("%s", note)

    def late_note(self, note: str) -> None:
        """Log what came to be known behind the last snapshot."""
        self._note(note)

    def failed(self, error: BaseException) -> None:
        """Log why the run fails."""
        LOG.error("%s", str(error) or type(error).__name__)

    def end(self, last: Snapshot | None) -> None:
        """Log what the last snapshot changes."""
        if last is not None:
            self.see(last)
