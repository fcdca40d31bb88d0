"""What can be wrong with a capture."""

from __future__ import annotations


class CaptureError(ValueError):
    """A capture is invalid; the message completes "FILE: ..."."""


class CutOff(CaptureError):
    """The capture ends in the middle of a snapshot."""
