"""Mask secrets in sampled requests before anything else sees them.

Whatever is not certainly harmless counts as a secret: a malformed header line, a query without
names, a name that looks like an id. All input may be hostile: a header may be folded over several
lines, a line may end anywhere, a URL may contain a password.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence, Set
from typing import Final

from httptop.http.path_template import template
from httptop.model import clean

MASK: Final = b"***"
_MOST_LINES: Final = 32
_LONGEST_LINE: Final = 256
_MOST_REMEMBERED: Final = 256

#: Some parsers end a line at a lone carriage return and take what follows for a header.
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*)", re.S)
#: What precedes the @ of an authority, or of what a browser would take for one.
_USER: Final = re.compile(rb"(:[/\\]*|[/\\]{2})[^/\\?#]*@")
_NAME: Final = re.compile(rb"(?:[A-Za-z0-9_.$:~\[\]-]|%5[BDbd]){1,64}")
#: Headers whose values are URLs: a # in them starts a fragment.
_LINKS: Final = frozenset((b"content-location", b"link", b"location", b"referer", b"refresh"))


def redacted_target(target: bytes) -> bytes:
    """Return a path with the values of its query and fragment masked: ``/search?q=***#***``.

    The names in a query are kept; a part without a name is masked completely.
    """
    at = min((at for at in (target.find(b"?"), target.find(b"#")) if at >= 0), default=len(target))
    query, hashed, fragment = target[at:].partition(b"#")
    if query:
        query = b"?" + b"&".join(map(_redacted_part, query[1:].split(b"&")))
    return target[:at] + query + hashed + (MASK if fragment else b"")


def _redacted_part(part: bytes) -> bytes:
    name, equals, _ = part.partition(b"=")
    if equals and _NAME.fullmatch(name) and not template(b"/" + name)[0].startswith(b"/{id}"):
        return name + b"=" + MASK
    return part and MASK


def without_user(text: bytes) -> bytes:
    """Return a text in which ``user:password@`` of any URL is masked."""
    return _USER.sub(rb"\1***@", text) if b"@" in text else text


class HeadRedaction:
    """Makes header sections ready to be shown; remembers lines in which nothing is to be masked.

    Servers and clients send the same lines over and over, and masking is dear.
    """

    def __init__(self, names: Collection[bytes], *, query: bool) -> None:
        """``names``, lower case: headers whose values are masked.

        ``query``: so are those in the query of any URL.
        """
        self._names, self._query = names, query
        self._harmless: dict[bytes, str] = {}  # as they are shown

    @property
    def remembered(self) -> Set[bytes]:
        """The lines that are remembered."""
        return self._harmless.keys()

    def response(self, response: bytes) -> tuple[str, ...]:
        """Return status line and header section of a response from its first bytes.

        A folded header becomes one line. The last line is left out, since it may be incomplete.
        """
        lines = _LINE_END.split(response)[:-1]
        if not lines or not lines[0].startswith(b"HTTP/"):
            return ()
        return (clean(lines[0], _LONGEST_LINE), *self._fields(lines[1:])[: _MOST_LINES - 1])

    def request(self, request: bytes) -> tuple[str, ...]:
        """Return the header section of a request, likewise, without the request line."""
        lines = _LINE_END.split(request)[:-1]
        if not lines or not lines[0]:
            return ()
        return self._fields(lines[1:])

    def _fields(self, lines: Sequence[bytes]) -> tuple[str, ...]:
        """Return the lines of a header section, up to the empty line, redacted and cleaned."""
        head: list[bytes] = []
        for line in lines:
            if not line:
                break
            if line[:1] in (b" ", b"\t") and head:
                head[-1] += b" " + line.strip()
            else:
                head.append(line)
        return tuple(self._shown(line) for line in head[:_MOST_LINES])

    def _shown(self, line: bytes) -> str:
        known = self._harmless.get(line)
        if known is not None:
            return known
        redacted = _redacted_header(line, self._names, self._query)
        shown = clean(redacted, _LONGEST_LINE)
        if redacted == line:  # what is masked is not kept
            if len(self._harmless) >= _MOST_REMEMBERED:
                self._harmless.clear()
            self._harmless[line] = shown
        return shown


def _redacted_header(line: bytes, names: Collection[bytes], query: bool) -> bytes:
    header = _HEADER.fullmatch(line)
    if header is None:
        return MASK
    name, value = header.groups()
    if name.lower() in names:
        return name + b": " + MASK
    value = without_user(value.strip())
    if query:
        marks = (b"?", b"#") if name.lower() in _LINKS else (b"?",)
        at = min((at for at in map(value.find, marks) if at >= 0), default=len(value))
        value = value[:at] + redacted_target(value[at:])
    return name + b": " + value
