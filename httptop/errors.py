"""The ways in which a run ends badly, each with its exit status; the message is one line."""

from __future__ import annotations

from typing import ClassVar


class HttptopError(Exception):
    """A failure that the user is told about in one line."""

    exit_status: ClassVar[int] = 1


class UsageError(HttptopError):
    """Flags, configuration or an input file that cannot be obeyed."""

    exit_status = 2


class Unavailable(HttptopError):
    """Live tracing is not possible here; the message says what to do about it."""

    exit_status = 77
