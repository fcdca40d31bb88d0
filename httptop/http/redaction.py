"""Mask secrets in requests and responses before anything else sees them.

There are three levels. What they do is stated in docs/privacy.md:

- ``default`` masks values of queries, fragments and parameters, what looks like a secret
  (secrets.py) in what remains, and the values of all fields but those on a list;
- ``strict`` leaves nothing that a client could have chosen freely but the words of a path: no ids,
  no names in queries, no fields but those whose values come from the protocol;
- ``off`` masks nothing.

Redacting what is redacted masks what the stricter level does, so captures can be stricter than the
screen. All input may be hostile: a field may be folded over several lines, a line may end anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, get_args

from httptop.http.ids import ID
from httptop.http.path_template import template
from httptop.http.secrets import MASK, masked

Level = Literal["strict", "default", "off"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)  # the strictest first

_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*)", re.S)
_STATUS_LINE: Final = re.compile(rb"(HTTP/[0-9.]{1,3} [0-9]{3})(?: ([A-Za-z' -]{0,48}))?(.*)", re.S)
#: Where a path ends, also if that was escaped, once or several times.
_PATH_END: Final = re.compile(rb"[?#]|%(?:25)*(?:3[Ff]|23)")
#: Likewise, where the kernel does not take it for an end.
_HIDDEN_END: Final = re.compile(rb"%(?:25)+3[Ff]|%(?:25)*23")
#: Paths in which nothing can be a secret: words, none of them long, and ids.
_PLAIN: Final = re.compile(rb"(?:/(?:[a-z]{0,12}|v[0-9]|\{id\}))*")
_PARAMETERS: Final = re.compile(rb"(;|%(?:25)*3[Bb])")
_PAIRS: Final = re.compile(rb"(&|%(?:25)*26)")
_EQUALS: Final = re.compile(rb"=|%(?:25)*3[Dd]")
#: A letter or digit that need not have been escaped.
_ESCAPED: Final = re.compile(rb"%(?:25)*(3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])")
_CUT: Final = "…".encode()
_QUERY_NAME: Final = re.compile(rb"(?:[A-Za-z0-9_.$:~\[\]-]|%5[BDbd]){1,64}")
#: Nothing that is written so can be an id, or a token of a known service.
_WORD: Final = re.compile(rb"[a-z]{1,20}(?:[_.][a-z]{1,5})?")
#: Names whose values are masked wherever they stand in a path.
_SECRET_NAME: Final = re.compile(
    rb"(?i)pass|pwd|secret|token|key|auth|cred|sess|sid\b|sig|jwt|otp|pin\b|code|csrf|xsrf|nonce"
    rb"|ticket|cookie|login|mail|user|phone|card|account"
)
#: Fields whose values are URLs.
_LINKS: Final = frozenset((b"content-location", b"link", b"location", b"referer", b"refresh"))
#: Fields whose values may look random and are no secrets: ids of requests and contents, hosts.
_IDS: Final = frozenset(
    (
        *(b"etag", b"if-match", b"if-none-match", b"if-range"),
        *(b"host", b"origin", b"via", b"x-forwarded-host"),
        *(b"traceparent", b"x-correlation-id", b"x-request-id"),
    )
)
#: Fields that are shown at the strict level: their values are words of the protocol, or numbers.
STRICT_FIELDS: Final = frozenset(
    (
        b"accept-encoding",
        b"accept-ranges",
        b"age",
        b"allow",
        b"cache-control",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"date",
        b"expect",
        b"expires",
        b"keep-alive",
        b"last-modified",
        b"pragma",
        b"retry-after",
        b"server",
        b"te",
        b"transfer-encoding",
        b"upgrade",
        b"vary",
    )
)


def stricter(one: Level, other: Level) -> Level:
    """Return the stricter of two levels."""
    return min(one, other, key=LEVELS.index)


def redacted_template(path: bytes, *, cut: bool = False) -> bytes:
    """Return a path template in which secrets are ``{id}``, those that the kernel does not know.

    They are what looks like a secret, and the values of ``name=value`` whose name says so; where
    the path was ``cut``, also what may be a password whose @ is missing.
    """
    if cut:
        path = _without_cut_user(path, ID)
    if _PLAIN.fullmatch(path):
        return path
    end = _HIDDEN_END.search(path)
    if end is not None:
        return _redacted_path(path[: end.start()], ID, random=False) + end[0] + ID
    return _redacted_path(path, ID, random=False)


class Redaction:
    """Masks secrets at a level."""

    def __init__(self, level: Level, shown_fields: Iterable[str] = ()) -> None:
        """``shown_fields``, lower case: fields that are shown at the default level."""
        self.level = level
        strict = level == "strict"
        self._shown = STRICT_FIELDS if strict else {name.encode() for name in shown_fields}

    def target(self, target: bytes, *, connect: bool = False, cut: bool = False) -> bytes:
        """Return a request target: ``/search?q=***#***``; strict: ``/users/{id}?***``.

        ``connect``: it is that of CONNECT, an authority. ``cut``: its end is missing.
        """
        if self.level == "off":
            return target
        if cut:
            target = _without_cut_user(target, MASK)
        if connect:
            return masked(b"//" + target)[2:]
        strict = self.level == "strict"
        end = _PATH_END.search(target)
        at = end.start() if end else len(target)
        path, rest = target[:at], target[at:]
        shown = _strict_path(path) if strict else _redacted_path(path, MASK)
        if end is None:
            return shown
        if strict or not rest.startswith(b"?"):
            return shown + end[0] + (MASK if len(rest) > len(end[0]) else b"")
        query, hashed, fragment = rest[1:].partition(b"#")
        query = b"&".join(map(_redacted_part, query.split(b"&")))
        return shown + b"?" + query + hashed + (MASK if fragment else b"")

    def status_line(self, line: bytes) -> bytes:
        """Return a status line; strict: without its reason phrase."""
        if self.level == "off":
            return line
        found = _STATUS_LINE.fullmatch(line)
        if found is None:
            return MASK
        if self.level == "strict":
            return found[1]
        if found[3]:
            return found[1] + b" " + MASK
        return found[1] + (b"" if found[2] is None else b" " + masked(found[2]))

    def field(self, line: bytes) -> bytes:
        """Return a line of a header section, ``name: value``."""
        if self.level == "off":
            return line
        field = _FIELD.fullmatch(line)
        if field is None:
            return MASK
        name, value = field.groups()
        if masked(name) != name:
            return MASK
        lower = name.lower()
        if lower not in self._shown:
            return name + b": " + MASK
        return name + b": " + self._value(lower, value.strip())

    def _value(self, name: bytes, value: bytes) -> bytes:
        value = masked(value, random=name not in _IDS)
        if name in _LINKS:
            return self.target(value)
        at = value.find(b"?")
        return value if at < 0 else value[:at] + self.target(value[at:])


def _without_cut_user(target: bytes, mask: bytes) -> bytes:
    """Return a target that was cut, with its end masked if that begins like ``user:password@``."""
    before, slash, end = target.rpartition(b"/")
    return before + slash + mask if b":" in end or b"%3a" in end.lower() else target


def _redacted_part(part: bytes) -> bytes:
    """Return a part of a query; one without a name is masked completely."""
    name, equals, _ = part.partition(b"=")
    if equals and _WORD.fullmatch(name):
        return name + b"=" + MASK
    named = equals and _QUERY_NAME.fullmatch(name) and masked(name) == name
    if named and not template(b"/" + name)[0].startswith(b"/{id}"):
        return name + b"=" + MASK
    return part and MASK


def _strict_path(path: bytes) -> bytes:
    whole = path.removesuffix(_CUT)
    if whole[:1] in (b"/", b"*"):
        whole, cut = template(whole)
        whole = whole.replace(b"{%s}" % ID, ID)  # it was a template already
    else:
        cut = False  # one of httptop's own
    return _redacted_path(whole, ID, every=True) + (_CUT if cut or path.endswith(_CUT) else b"")


def _redacted_path(path: bytes, mask: bytes, *, random: bool = True, every: bool = False) -> bytes:
    """Return a path without secrets; ``every``: nor the value of any ``name=value``."""
    path = masked(path, mask, random=random)
    if b"=" in path or b";" in path or b"&" in path or b"%" in path:
        path = b"/".join(_redacted_segment(part, mask, every) for part in path.split(b"/"))
    return path


def _redacted_segment(segment: bytes, mask: bytes, every: bool) -> bytes:
    first, *parameters = _PARAMETERS.split(segment)
    # Like a query whose ? is missing: /login&password=...
    plain, *pairs = _PAIRS.split(first)
    text = _redacted_pair(plain, mask, every)
    of_query = any(map(_EQUALS.search, pairs))
    for sign, part in zip(pairs[::2], pairs[1::2], strict=True):
        text += sign + (_redacted_pair(part, mask, True) if of_query else part)
    for sign, part in zip(parameters[::2], parameters[1::2], strict=True):
        found = _EQUALS.search(part)
        # Base64 is padded, and no name.
        named = found and (
            part[found.end() :].strip(b"=") or _WORD.fullmatch(part[: found.start()])
        )
        at = found.end() if found and named else 0
        text += sign + part[:at] + (mask if part[at:] else b"")
    return text


def _redacted_pair(part: bytes, mask: bytes, every: bool) -> bytes:
    """Return ``name=value`` with its value masked: ``every``, or as its name says."""
    equals = _EQUALS.search(part)
    if equals is None or not part[equals.end() :].strip(b"="):  # the padding of base64
        return part
    name = _ESCAPED.sub(lambda code: bytes((int(code[1], 16),)), part[: equals.start()])
    secret = every or not name or _SECRET_NAME.search(name)
    return part[: equals.end()] + mask if secret else part
