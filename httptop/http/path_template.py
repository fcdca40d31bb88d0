"""Turn a request target into its path template: ``/users/42?x=1`` -> ``/users/{id}``.

The kernel applies the same rules (bpf/c/path_template.h); tests/vectors/paths.txt tests both.

1. The path ends at the first ``?``, ``#``, space or control character. From an absolute form
   (``http://host/path``) scheme and authority are removed if they end within 256 bytes;
   authority form (CONNECT) and ``*`` are kept unchanged.
2. Each segment between slashes becomes ``{id}`` if it is one of

   - digits, or digits and hyphens: ``42``, ``2024-01-15``;
   - a UUID: 36 characters, four hyphens, otherwise hexadecimal digits with at least one 0-9;
   - hexadecimal: 8 characters or more, at least one of them 0-9;
   - long and mixed: 16 characters or more of ``A-Za-z0-9`` and joints (``-_.~=+:%,@``) with a
     letter, and

     - a digit and four or more switches, or
     - a digit, no joint and 20 characters or more, or
     - on average two or more switches in five characters,

     where a switch is a change between digits, lower case and upper case.

   So ``v1``, ``2024-report`` and ``my-long-article-title`` are kept.
3. If a segment is an id followed by an extension of one to five letters, the extension is kept:
   ``42.json`` -> ``{id}.json``.
4. A template has at most 96 bytes and 32 segments (including the empty one before the first slash)
   and is made from less than 256 bytes of path; anything longer is marked as truncated.
"""

from __future__ import annotations

import re
from typing import Final

TARGET_LEN: Final = 256
TEMPLATE_LEN: Final = 96
SEGMENTS: Final = 32
AUTHORITY_LEN: Final = 256

#: Kinds of ids that settings can exempt. In rule 2: the first; the second and third; the fourth.
RULES: Final = ("number", "hex", "mixed")

DIGIT, HEX, LOWER, UPPER, JOINT, END, SLASH, TOKEN = (1 << bit for bit in range(8))


def _classes() -> bytes:
    table = bytearray(256)

    def mark(characters: bytes, bit: int) -> None:
        for code in characters:
            table[code] |= bit

    lower, digits = b"abcdefghijklmnopqrstuvwxyz", b"0123456789"
    mark(digits, DIGIT)
    mark(b"abcdefABCDEF", HEX)
    mark(lower, LOWER)
    mark(lower.upper(), UPPER)
    mark(b"-_.~=+:%,@", JOINT)
    mark(bytes(range(0x21)) + b"?#\x7f", END)
    mark(b"/", SLASH)
    mark(lower + lower.upper() + digits + b"!#$%&'*+-.^_`|~", TOKEN)
    return bytes(table)


#: The class bits of every byte; the loader copies this table to the kernel.
CLASSES: Final = _classes()

_ID: Final = b"{id}"
_TARGET: Final = re.compile(rb"[^\x00-\x20\x7f]*")


def _is_id(segment: bytes) -> bool:
    length = len(segment)
    digits = letters = hexes = dashes = switches = 0
    last = 0
    for code in segment:
        kind = CLASSES[code] & (DIGIT | LOWER | UPPER)
        if kind == DIGIT:
            digits += 1
        elif kind:
            letters += 1
            hexes += bool(CLASSES[code] & HEX)
        elif code == 0x2D:
            dashes += 1
        elif not CLASSES[code] & JOINT:
            return False
        switches += bool(kind and last and kind != last)
        last = kind
    if digits and digits + hexes + dashes == length:
        if digits + dashes == length:
            return True
        if length == 36 and dashes == 4:
            return True
        if length >= 8 and not dashes:
            return True
    if length < 16 or not letters:
        return False
    if digits and switches >= 4:
        return True
    if digits and length >= 20 and digits + letters == length:
        return True
    return switches * 5 >= length * 2


def _segment(segment: bytes) -> bytes:
    """Return the template of one segment."""
    stem, dot, extension = segment.rpartition(b".")
    letters = all(CLASSES[code] & (LOWER | UPPER) for code in extension)
    if dot and letters and 1 <= len(extension) <= 5 and _is_id(stem):
        return _ID + dot + extension
    return _ID if _is_id(segment) else segment


def _behind_authority(target: bytes) -> bytes | None:
    """Return an absolute form without scheme and authority; None if they are too long."""
    slashes = 0
    for at, code in enumerate(target[:AUTHORITY_LEN]):
        slashes += code == 0x2F
        if slashes == 3 or CLASSES[code] & END:
            return target[at:]
    return b"" if len(target) < AUTHORITY_LEN else None


def _cut(target: bytes) -> bytes:
    """Return the bytes before the first one that ends a path."""
    return target[: next((at for at, code in enumerate(target) if CLASSES[code] & END), None)]


def origin_of(target: bytes, *, connect: bool = False) -> bytes:
    """Return a request target as sent, without scheme and authority.

    Query and fragment are included; it ends before the first space or control character.
    """
    if target[:1] not in (b"/", b"*") and not connect:
        target = _behind_authority(target) or b""
        if target[:1] != b"/":
            target = b"/" + target
    return _TARGET.match(target)[0]  # type: ignore[index]  # it always matches


def path_of(target: bytes, *, connect: bool = False) -> bytes:
    """Return the path of a request target as sent: without query, scheme and authority."""
    return _cut(origin_of(target, connect=connect))


def template(target: bytes, *, connect: bool = False) -> tuple[bytes, bool]:
    """Return the path template of a request target, and whether it was truncated."""
    raw = connect or target[:1] == b"*"
    behind = target if raw or target[:1] == b"/" else _behind_authority(target)
    if behind is None:
        return b"/", True
    path = _cut(behind[:TARGET_LEN])
    first, *rest = path.split(b"/")
    segments = [first if raw else _segment(first), *map(_segment, rest)]
    text = b"/".join(segments[:SEGMENTS])
    cut = len(path) == TARGET_LEN or len(text) > TEMPLATE_LEN or len(segments) > SEGMENTS
    return text[:TEMPLATE_LEN] or b"/", cut
