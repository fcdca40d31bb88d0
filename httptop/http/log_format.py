"""Apache's formats of access logs: what a text such as ``%h %t "%r" %>s`` asks for.

The letters are those of mod_log_config, as far as httptop knows what they stand for; ``x`` has
names of httptop's own. A line is made of what this returns by output/request_log/apache.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

COMMON: Final = '%h %l %u %t "%r" %>s %b'
#: Formats with a name of their own.
NAMED: Final[Mapping[str, str]] = MappingProxyType(
    {"clf": COMMON, "combined": COMMON + ' "%{Referer}i" "%{User-agent}i"'}
)
#: What ``%{NAME}x`` may name.
OWN_NAMES: Final = (
    *("serial", "side", "process", "peer", "peer_port", "endpoint", "scheme", "slow", "latency_ms"),
)
_ANY: Final = None
#: What may stand in braces before a letter; ``""``: nothing needs to.
_ARGUMENTS: Final[Mapping[str, tuple[str, ...] | None]] = MappingProxyType(
    {
        **dict.fromkeys("BDHIOPUVbhlmpqrsuv", ("",)),
        "a": ("", "c"),
        "T": ("", "s", "ms", "us"),
        "t": _ANY,
        "i": _ANY,
        "o": _ANY,
        "x": OWN_NAMES,
    }
)
_FIELD_NAME: Final = re.compile(r"[A-Za-z0-9!#$&'*+.^_`|~-]{1,64}")
_DIRECTIVE: Final = re.compile(
    r"%(?P<unless>!?)(?P<status>[1-5][0-9]{2}(?:,[1-5][0-9]{2})*)?[<>]?"
    r"(?:\{(?P<argument>[^{}]*)\})?(?P<letter>[A-Za-z])"
)
_ESCAPES: Final[Mapping[str, str]] = MappingProxyType({"\\": "\\", '"': '"', "t": "\t"})


@dataclass(frozen=True, slots=True)
class Directive:
    """A part of a line that differs from request to request."""

    letter: str
    argument: str = ""  # what stands in braces
    status: frozenset[int] = frozenset()  # it stands only for these; empty: for all
    unless: bool = False  # for all but these


class FormatError(ValueError):
    """A format is wrong; the message says what is, and where."""


def parse_log_format(text: str) -> tuple[str | Directive, ...]:
    """Return texts and directives in their order; raise :class:`FormatError`."""
    parts: list[str | Directive] = []
    plain, at = "", 0
    while at < len(text):
        character = text[at]
        if character == "%" and not text.startswith("%%", at):
            parts += [plain] if plain else []
            plain = ""
            match = _DIRECTIVE.match(text, at)
            if match is None:
                raise FormatError(f"a letter such as %h is needed{_place(text, at)}")
            parts.append(_directive(match, text, at))
            at = match.end()
        elif character in "%\\":
            following = text[at + 1 : at + 2]
            escaped = "%" if character == "%" else _ESCAPES.get(following)
            if escaped is None:
                raise FormatError(f'after a backslash, one of \\ " t is needed{_place(text, at)}')
            plain += escaped
            at += 2
        else:
            plain += character
            at += 1
    if plain:
        parts.append(plain)
    if not any(isinstance(part, Directive) for part in parts):
        raise FormatError("at least one letter such as %h is needed")
    return tuple(parts)


def _directive(match: re.Match[str], text: str, at: int) -> Directive:
    letter, argument = match["letter"], match["argument"]
    if letter not in _ARGUMENTS:
        known = " ".join(sorted(_ARGUMENTS, key=lambda known: (known.lower(), known)))
        raise FormatError(f"unknown letter {letter!r}{_place(text, at)}; known are {known}")
    allowed = _ARGUMENTS[letter]
    if allowed is not _ANY and (argument or "") not in allowed:
        words = ", ".join(f"%{{{word}}}{letter}" if word else f"%{letter}" for word in allowed)
        raise FormatError(f"one of {words} is needed{_place(text, at)}")
    if letter in "io" and not _FIELD_NAME.fullmatch(argument or ""):
        raise FormatError(f"the name of a field is needed: %{{Name}}{letter}{_place(text, at)}")
    if match["unless"] and not match["status"]:
        raise FormatError(f"status codes are needed after the !{_place(text, at)}")
    codes = frozenset(int(code) for code in (match["status"] or "").split(",") if code)
    return Directive(letter, argument or "", codes, bool(match["unless"]))


def _place(text: str, at: int) -> str:
    rest = text[at : at + 12]
    return f" at character {at + 1}: {rest + ('...' if text[at + 12 :] else '')!r}"
