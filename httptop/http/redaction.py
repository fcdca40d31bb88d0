"""Take secrets out of sampled requests, before anything else sees them.

What is not surely harmless counts as a secret: a header line that is none, a query that has no
names, a name that looks like an id. All of it is hostile input: a header may be folded over several
lines, a line may end anywhere, a URL may hold a password.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from httptop.http.path_template import template
from httptop.model import clean

MASK: Final = b"***"
_MOST_LINES: Final = 32
_LONGEST_LINE: Final = 256

#: A carriage return alone ends a line for some readers, and what follows it is then a header.
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*)", re.S)
#: What stands before the @ of an authority, or of what a browser would take for one.
_USER: Final = re.compile(rb"(:[/\\]*|[/\\]{2})[^/\\?#]*@")
_NAME: Final = re.compile(rb"(?:[A-Za-z0-9_.$:~\[\]-]|%5[BDbd]){1,64}")
#: Headers whose values are addresses: a # in them begins a fragment.
_LINKS: Final = frozenset((b"content-location", b"link", b"location", b"refresh"))


def redacted_target(target: bytes) -> bytes:
    """Return a path with its query and fragment, their values masked: ``/search?q=***#***``.

    The names in a query stay; a part without one is masked whole.
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
    """Return a text with URLs in it, their ``user:password@`` masked."""
    return _USER.sub(rb"\1***@", text) if b"@" in text else text


def response_head(response: bytes, names: Collection[bytes], *, query: bool) -> tuple[str, ...]:
    """Return the header section of a response, line by line, from its first bytes, ready to show.

    The values of headers with such ``names`` (lower case) are masked, and with ``query`` those in
    the query of any address. A header folded over several lines becomes one line; what may be
    incomplete, the last line, is left out.
    """
    lines = _LINE_END.split(response)[:-1]
    if not lines or not lines[0].startswith(b"HTTP/"):
        return ()
    head = [lines[0]]
    for line in lines[1:]:
        if not line:
            break
        if line[:1] in (b" ", b"\t") and len(head) > 1:
            head[-1] += b" " + line.strip()
        else:
            head.append(line)
    shown = [lines[0], *(_redacted_header(line, names, query) for line in head[1:_MOST_LINES])]
    return tuple(clean(line, _LONGEST_LINE) for line in shown)


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
