"""Make header sections ready to be shown: unfolded, redacted, cleaned, bounded.

Servers and clients send the same lines over and over, and redacting is dear. So lines in which
nothing was masked are remembered; of fields whose values are masked only the names are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from typing import Final

from httptop.http.redaction import Redaction
from httptop.http.secrets import MASK
from httptop.printable import clean

_MOST_LINES: Final = 32
_LONGEST_LINE: Final = 256
_MOST_REMEMBERED: Final = 256

#: Some parsers end a line at a lone carriage return and take what follows for a field.
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


class HeadRedaction:
    """Makes header sections ready to be shown; remembers what is harmless."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._shown: dict[bytes, str] = {}  # lines
        self._masked: dict[bytes, str] = {}  # fields, by their names

    @property
    def remembered(self) -> Set[bytes]:
        """The lines, and the names of masked fields, that are remembered."""
        return self._shown.keys() | self._masked.keys()

    def response(self, response: bytes) -> tuple[str, ...]:
        """Return status line and header section of a response from its first bytes.

        A folded field becomes one line. The last line is left out, since it may be incomplete.
        """
        lines = _LINE_END.split(response)[:-1]
        if not lines or not lines[0].startswith(b"HTTP/"):
            return ()
        first = clean(self._redaction.status_line(lines[0]), _LONGEST_LINE)
        return (first, *self._fields(lines[1:])[: _MOST_LINES - 1])

    def request(self, request: bytes) -> tuple[str, ...]:
        """Return the header section of a request, likewise, without the request line."""
        lines = _LINE_END.split(request)[:-1]
        if not lines or not lines[0]:
            return ()
        return self._fields(lines[1:])

    def _fields(self, lines: Sequence[bytes]) -> tuple[str, ...]:
        """Return the lines of a header section, up to the empty line."""
        head: list[bytes] = []
        for line in lines:
            if not line:
                break
            if line[:1] in (b" ", b"\t") and head:
                head[-1] += b" " + line.strip()
            else:
                head.append(line)
        return tuple(self._field(line) for line in head[:_MOST_LINES])

    def _field(self, line: bytes) -> str:
        known = self._shown.get(line)
        if known is not None:
            return known
        name = line.partition(b":")[0]
        known = self._masked.get(name)
        if known is not None:
            return known
        redacted = self._redaction.field(line)
        shown = clean(redacted, _LONGEST_LINE)
        if self._redaction.level == "off":
            return shown
        if redacted == line:
            _remember(self._shown, line, shown)
        elif redacted == name + b": " + MASK:
            _remember(self._masked, name, shown)
        return shown


def _remember(known: dict[bytes, str], key: bytes, shown: str) -> None:
    if len(known) >= _MOST_REMEMBERED:
        known.clear()
    known[key] = shown
