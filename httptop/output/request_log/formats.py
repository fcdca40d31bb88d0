"""What a format of a log of requests is, and which one a name means."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from httptop.model import Transaction

#: How a line begins that tells what is missing, in a format that has no other place for it.
COMMENT: Final = "# httptop: "


class Missing(NamedTuple):
    """What stands in no line, since the last one that said so."""

    dropped: int = 0  # requests: the destination was too slow, or failed for too long
    lost: int = 0  # samples that the kernel had no room for

    def sentence(self) -> str:
        """Return it for people."""
        words = []
        if self.dropped:
            words.append(f"{_many(self.dropped, 'request')} dropped: too slow, or failed")
        if self.lost:
            words.append(f"{_many(self.lost, 'sample')} lost on the way from the kernel")
        return "; ".join(words)


class Format(Protocol):
    """Makes a line of a request: printable, without a line end."""

    def line(self, request: Transaction, most_bytes: int | None = None) -> str:
        """Return a line of at most so many bytes of UTF-8."""

    def missing(self, missing: Missing, at: float) -> str:
        """Return a line that tells what is missing; ``at``: Unix time."""

    def is_first(self, start: bytes) -> bool:
        """Return whether a file that begins so may be a log of this format."""


def format_of(name: str) -> Format:
    """Return the format that ``request_log.format`` names, which was checked."""
    if name == "json":
        from httptop.output.request_log.json import JsonFormat

        return JsonFormat()
    if name == "text":
        from httptop.output.request_log.text import TextFormat

        return TextFormat()
    from httptop.output.request_log.apache import ApacheFormat

    return ApacheFormat(name)


def _many(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"
