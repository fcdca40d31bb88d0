"""Find the ids within a segment of a path: ``order-10047.pdf`` -> ``order-{id}.pdf``.

The kernel applies the same rules (bpf/c/ids.h); tests/vectors/ids.txt tests both.

A segment consists of words (letters, digits, bytes beyond ASCII) and joints (everything else). An
escape, ``%2B``, is read as the character that it stands for; an escaped letter or digit is part of
a word that is no id, an escaped ``/`` or blank is a firm joint. Words connected by the inner joints
``-_.~+:,`` form a span; other joints separate spans. All joints but ``-_.~+`` are firm.

A span, or a span before an extension of one to five letters (which is kept), is an id if it has at
least one digit or both cases, nothing beyond ASCII, and is one of these:

- number: only digits and joints, with three digits or no joint but hyphens; or at least eight
  digits and at most a quarter as many letters (``2024-01-01T05:58:14Z``);
- hex: only hexadecimal digits and joints, with at least one of 0-9, that form a UUID, or one word
  of seven or more, or have twelve or more, or have two joints that are no hyphens (``fe80::1``);
- mixed: one word with five digits; or eight characters or more (sixteen where some words are ids
  already) that look random: see :data:`WEIGHTS`.

Otherwise each word is looked at alone. It is an id if it is one by the rules above; digits, with
those connected to them by joints, are one if they have at least three digits (and are not four that
look like a year), or next to a firm joint. Ids with joints between them become one. So ``v1``,
``2024-report`` and ``my-long-article-title`` are kept.

Whatever their form, these are ids, since they may be secret or personal:

- values behind ``;``, or an escaped ``?``: ``;jsessionid={id}``; and between ``('`` and ``)``;
- a segment with ``user@example.com``, ``user:password@`` or ``@user:host``;
- the word behind ``!`` at a segment's start: ``!{id}:example.org``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

ID: Final = b"{id}"

#: Characters that connect words: a span goes on. The firm ones are no part of names.
SOFT: Final = b"-_.~+%"
FIRM: Final = b":,"
#: Behind these, an apostrophe begins a quoted value; behind those, parameters begin.
OPENING: Final = b"(=,"
PARAMETERS: Final = b";?"

#: Groups of characters for WEIGHTS: digits; letters by how they are distributed in words, in lower
#: and in upper case.
_LETTERS: Final = (b"aeiouy", b"lnrstmdcp", b"bfghkvwjqxz")
GROUPS: Final = (b"0123456789", *_LETTERS, *(letters.upper() for letters in _LETTERS))
#: How much more often a character of a column's group follows one of a row's group in random text
#: than in names: four times the natural logarithm of the ratio, base62 against 170,000 names of
#: operations, packages and files. Text whose sum of these reaches _threshold() is random: of
#: these names one in a thousand does, of base62 with 8 characters 6 in 7, with 11 characters 19
#: in 20.
WEIGHTS: Final = (
    (-7, 4, 3, 5, 12, 11, 14),
    (12, -1, -6, 2, 7, 4, 10),
    (12, -6, -3, 3, 5, 4, 9),
    (8, -7, -2, 6, 5, 4, 9),
    (11, 2, -6, 2, 8, 3, 10),
    (20, -8, -1, 7, 6, 5, 11),
    (4, -8, -1, 6, 6, 6, 12),
)
GROUP_OF: Final = {code: number for number, group in enumerate(GROUPS) for code in group}

_ESCAPE: Final = re.compile(rb"%[0-9A-Fa-f]{2}")
_SPAN: Final = re.compile(rb"[0-9A-Za-z\x80-\xff\-_.~+:,% ]+")
_WORD: Final = re.compile(rb"[0-9A-Za-z\x80-\xff]+")
_QUOTED: Final = re.compile(rb"(?<=[(=,])'[^)]*")
_PARAMETER: Final = re.compile(rb"[;?]([^;?=]*=)?([^;?]*)")
_PERSON: Final = re.compile(
    rb"@(?<!^@)(?![0-9]x).*\.[A-Za-z]{2,}(?![0-9A-Za-z\x80-\xff])|:.*@(?![0-9]x)|^@.*:", re.S
)
_EXTENSION: Final = re.compile(rb"(.*)\.([A-Za-z]{1,5})", re.S)
_YEAR: Final = re.compile(rb"(?:19|20)[0-9]{2}")
_VERSION: Final = re.compile(rb"v[0-9].{,13}", re.S)


class _Counts(NamedTuple):
    digits: int
    letters: int
    hexes: int
    uppers: int
    hyphens: int
    joints: int
    others: int
    score: int

    @property
    def both_cases(self) -> bool:
        return 0 < self.uppers < self.letters


def _word_counts(word: bytes) -> _Counts:
    groups = [GROUP_OF.get(code) for code in word]
    score = sum(
        WEIGHTS[one][next_one]
        for one, next_one in pairwise(groups)
        if one is not None and next_one is not None
    )
    digits = len(re.findall(rb"[0-9]", word))
    letters = len(re.findall(rb"[A-Za-z]", word))
    return _Counts(
        digits=digits,
        letters=letters,
        hexes=len(re.findall(rb"[A-Fa-f]", word)),
        uppers=len(re.findall(rb"[A-Z]", word)),
        hyphens=0,
        joints=0,
        others=len(word) - digits - letters,
        score=0 if _VERSION.fullmatch(word) else score,
    )


def _counts(span: bytes) -> _Counts:
    """Add up a span's words and joints; a word of one kind lowers the score, or nothing."""
    total = [0] * len(_Counts._fields)
    for word in _WORD.findall(span):
        counts = _word_counts(word)
        if not ((counts.digits and counts.letters) or counts.both_cases):
            counts = counts._replace(score=min(0, counts.score))
        total = [one + other for one, other in zip(total, counts, strict=True)]
    joints = len(_WORD.sub(b"", span))
    return _Counts(*total)._replace(joints=joints, hyphens=span.count(b"-"))


def _threshold(length: int, counts: _Counts) -> int:
    if length >= (32 if counts.joints else 20):
        return -8
    if length >= 16:
        return 8
    return 16 if counts.uppers else 24


def _is_id(counts: _Counts, *, words: bool = False) -> bool:
    """Return whether a word or a span is an id; ``words``: some of its words are."""
    digits, letters, joints = counts.digits, counts.letters, counts.joints
    if counts.others or not (digits or counts.both_cases):
        return False
    length = digits + letters + joints
    if not letters:
        return joints == counts.hyphens or digits >= 3
    if (digits >= 8 and letters * 4 <= digits) or (digits >= 5 and not joints):
        return True
    if digits and counts.hexes == letters:
        uuid = length == 36 and joints == counts.hyphens == 4
        several = digits >= 2 and digits + letters >= 12
        address = joints - counts.hyphens >= 2 and digits + letters >= 5
        if uuid or several or address or (length >= 7 and not joints):
            return True
    return length >= (16 if joints and words else 8) and counts.score >= _threshold(length, counts)


def _ids_of_words(shape: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where ids among the words of a span begin and end; each again when it has grown."""
    group, grouped = 0, 0  # where the numbers and ids that are connected begin, and their digits
    for match in _WORD.finditer(shape, start, end):
        word = match[0]
        lone = not grouped
        if lone:
            group = match.start()
        if word.isdigit():
            around = shape[max(0, match.start() - 1) : match.start()] + shape[match.end() :][:1]
            firm = any(code not in SOFT for code in around)
            grouped += len(word)
            found = firm or (grouped >= 3 and not (lone and _YEAR.fullmatch(word)))
        else:
            found = _is_id(_word_counts(word))
            if not found:
                grouped = 0
        if shape[:1] == b"!" and not _WORD.search(shape, 0, match.start()):
            found = True
        if found:
            grouped += 3
            yield group, match.end()


def _ids_of_span(shape: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Return where ids begin and end in shape[start:end], a span, in order."""
    span = shape[start:end]
    ids = list(dict(_ids_of_words(shape, start, end)).items())
    extension = _EXTENSION.fullmatch(span)
    if extension and _is_id(_counts(extension[1]), words=bool(ids)):
        return [(start, start + len(extension[1]))]
    outside = span[: ids[0][0] - start] + span[ids[-1][1] - start :] if ids else b""
    if len(ids) == 1 and not _WORD.search(outside):
        return [(start, end)]
    if not (extension and ids) and _is_id(_counts(span), words=bool(ids)):
        return [(start, end)]
    return ids


def _shape(segment: bytes) -> tuple[bytes, list[int]]:
    """Return a segment with its escapes read, and where each of its characters is in it."""
    shape, places, at = bytearray(), [], 0
    while at < len(segment):
        places.append(at)
        code = segment[at]
        if escape := _ESCAPE.match(segment, at):
            code = int(escape[0][1:], 16)
            if code in GROUP_OF:
                code = 0x80
            elif code <= 0x20 or code in b"/\x7f":
                code = 0x20
            at += 2
        at += 1
        shape.append(code)
    return bytes(shape), [*places, at]


def segment_template(segment: bytes) -> bytes:
    """Return a segment of a path with ``{id}`` in the place of its ids."""
    shape, places = _shape(segment)
    parameters = min((at for at in map(shape.find, (b";", b"?")) if at >= 0), default=len(shape))
    quoted = [match.span() for match in _QUOTED.finditer(shape, 0, parameters)]
    plain = shape
    for start, end in quoted:
        plain = plain[:start] + b"'" * (end - start) + plain[end:]
    if _PERSON.search(plain[:parameters]):
        return ID
    ids = list(quoted)
    names = [(0, parameters)]
    for match in _PARAMETER.finditer(shape, parameters):
        if match[1]:
            names.append(match.span(1))
        if match[2]:
            ids.append(match.span(2))
    for first, last in names:
        for match in _SPAN.finditer(plain, first, last):
            ids += _ids_of_span(plain, *match.span())
    ids.sort()
    text, at = b"", 0
    for start, end in ids:
        text += segment[at : places[start]] + ID
        at = places[end]
    rest = segment[at:]
    padding = bool(ids) and parameters == len(shape) and rest in (b"=", b"==")
    return text + (b"" if padding else rest)
