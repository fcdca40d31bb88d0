"""The errors that end a run, each with its exit status; the message is one line."""

from __future__ import annotations

from typing import ClassVar


class HttptopError(Exception):
    """A failure; the message tells the user in one line."""

    exit_status: ClassVar[int] = 1


class UsageError(HttptopError):
    """Invalid flags, configuration or input file."""

    exit_status = 2


class Unavailable(HttptopError):
    """Live tracing is not possible here; the message says what to do about it."""

    exit_status = 77
