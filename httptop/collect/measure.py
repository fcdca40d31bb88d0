"""The times that are measured of responses."""

from __future__ import annotations

from enum import StrEnum


class Measure(StrEnum):
    """What the histogram of a response's cell holds."""

    LATENCY = "latency"
    WAIT = "wait"  # from bytes ready to the server's read, where that was noted
    # Of responses that more than one call sent:
    HANDLING = "handling"  # to the first byte: their latency
    SENDING = "sending"  # from the first byte to the last
    DURATION = "duration"  # both together
