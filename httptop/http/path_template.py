"""Turn a request target into its path template: ``/users/42?x=1`` -> ``/users/{id}``.

The kernel applies the same rules (bpf/c/path_template.h); tests/vectors/paths.txt tests both.

1. The path ends at the first ``?``, ``#``, space or control character. From an absolute form
   (``http://host/path``) scheme and authority are removed if they end within 256 bytes;
   authority form (CONNECT) and ``*`` are kept unchanged.
2. In each segment between slashes, ids become ``{id}``, as ids.py says: ``42``, a UUID,
   ``order-{id}``, ``seg-{id}.ts``. Words such as ``v1`` are kept.
3. A template has at most 96 bytes and 32 segments (including the empty one before the first slash)
   and is made from less than 256 bytes of path; anything longer is marked as truncated.
"""

from __future__ import annotations

import re
from typing import Final

from httptop.http import ids

TARGET_LEN: Final = 256
TEMPLATE_LEN: Final = 96
SEGMENTS: Final = 32
AUTHORITY_LEN: Final = 256

#: Kinds of ids that settings can exempt (ids.py).
RULES: Final = ("number", "hex", "mixed")

DIGIT, HEX, LOWER, UPPER, JOINT, END, SLASH, TOKEN = (1 << bit for bit in range(8))
WORD, FIRM, OPENING, PARAMETER, DOT = (1 << bit for bit in range(8, 13))


def _classes() -> tuple[int, ...]:
    table = [0] * 512

    def mark(characters: bytes, bit: int) -> None:
        for code in characters:
            table[code] |= bit

    def mark_escaped(characters: bytes, bit: int) -> None:
        for code in characters:
            table[256 + code] |= bit

    lower, digits = b"abcdefghijklmnopqrstuvwxyz", b"0123456789"
    mark(digits, DIGIT)
    mark(b"abcdefABCDEF", HEX)
    mark(lower, LOWER)
    mark(lower.upper(), UPPER)
    words, beyond_ascii = lower + lower.upper() + digits, bytes(range(0x80, 0x100))
    blank = bytes(range(0x21)) + b"\x7f"
    mark(words + beyond_ascii, WORD)
    mark(blank + b"?#", END)
    mark(b"/", SLASH)
    mark(words + b"!#$%&'*+-.^_`|~", TOKEN)
    mark_escaped(words + beyond_ascii, WORD)
    mark_escaped(blank + b"/", JOINT | FIRM)
    signs = set(range(0x80)) - set(words + blank + b"/")
    for give, some in ((mark, signs - set(b"?#")), (mark_escaped, signs)):
        give(ids.SOFT + ids.FIRM, JOINT)
        give(bytes(some - set(ids.SOFT)), FIRM)
        give(bytes(some & set(ids.OPENING)), OPENING)
        give(bytes(some & set(ids.PARAMETERS)), PARAMETER)
        give(b".", DOT)
    return tuple(table)


#: The class bits of every byte, and of every byte that is escaped; the loader copies this table to
#: the kernel.
CLASSES: Final = _classes()

_TARGET: Final = re.compile(rb"[^\x00-\x20\x7f]*")


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
    shown = ids.segment_template
    segments = [first if raw else shown(first), *map(shown, rest)]
    text = b"/".join(segments[:SEGMENTS])
    cut = len(path) == TARGET_LEN or len(text) > TEMPLATE_LEN or len(segments) > SEGMENTS
    return text[:TEMPLATE_LEN] or b"/", cut
