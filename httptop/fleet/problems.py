"""Why a Prometheus server gave no figures."""

from __future__ import annotations

from typing import Final

from httptop.printable import clean

_LONGEST: Final = 200


class FleetError(Exception):
    """The server cannot be asked, or did not answer a query; the message says why, in one line."""


class Refused(FleetError):
    """The server understood that it was asked, and refused: the query is not one for it."""


def said(text: str) -> str:
    """Return what a server said, fit for a terminal and of bounded length."""
    return clean(text.encode("utf-8", "surrogateescape"), _LONGEST)
