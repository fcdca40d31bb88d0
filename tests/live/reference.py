"""What a head means, said a second time and plainly, and made-up input to compare with."""

from __future__ import annotations

import random
import re
import string
import uuid
from collections.abc import Callable
from typing import Final, NamedTuple

from httptop.bpf.abi import LINE_LEN
from httptop.http.path_template import CLASSES, END, TARGET_LEN, _behind_authority, template
from tests.live.parser import Verdict

NAMED: Final = (
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
)  # fmt: skip
LONGEST_METHOD: Final = 31
OPEN: Final = (1 << 64) - 1
_VALUE_LEN: Final = 64  # bytes of a field's value that are looked at

_LINE: Final = re.compile(
    rb"(?P<method>[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,31})[ \t]{1,8}(?P<target>[^ \t].*?)[ \t]{1,7}"
    rb"HTTP/(?P<major>[0-9])\.(?P<minor>[0-9]{1,2})[ \t]{0,7}",
    re.S,
)
#: A request of HTTP/0.9; no longer than a line that is kept.
_OLD_LINE: Final = re.compile(rb"(?P<method>GET)[ \t]{1,8}(?P<target>/[^ \t]*?)[ \t]{0,7}", re.S)
_STATUS: Final = re.compile(rb"HTTP/1\.[0-9] {1,3}([1-9][0-9]{2})(?:[ \r\n]|\Z)")
_LENGTH: Final = re.compile(rb"[ \t\r\n]*([0-9]+)[ \t\r\n]*")
_MOST: Final = 1_000_000_000_000_000_000  # a number above cannot get another digit


class Head(NamedTuple):
    """A judged request head."""

    outcome: str  # "request", "invalid" or "more" (no line end yet)
    method: str = ""
    minor: int = 0
    path: bytes = b""
    truncated: bool = False
    length: int = 0  # of the head; 0: it goes on, and says nothing yet of the body
    body: int | None = 0  # None: open-ended
    chunked: bool = False


def of_verdict(verdict: Verdict) -> Head:
    """Return the kernel's judgement in the terms of the reference."""
    if not verdict.line_end:
        return Head("more")
    if not verdict.valid:
        return Head("invalid")
    start = Head("request", verdict.method, verdict.minor, verdict.path, verdict.truncated)
    if not verdict.head_end:
        return start
    return start._replace(
        length=verdict.head_end,
        body=None if verdict.body == OPEN else verdict.body,
        chunked=bool(verdict.has_coding),
    )


def judge(data: bytes) -> Head:
    """Judge the first bytes of a request by the letter of RFC 9112, bare LF allowed."""
    line, newline, rest = data.partition(b"\n")
    if not newline:
        return Head("more")
    start = _judged_line(line)
    if start is None:
        return Head("invalid")
    length: int = 0
    body: int | None = 0
    chunked = False
    at = len(line) + 1
    while rest:
        header, newline, rest = rest.partition(b"\n")
        if not newline:
            break
        at += len(header) + 1
        if header in (b"", b"\r"):
            length = at
            break
        value = header.partition(b":")[2] + b"\n"
        folded, more = rest, b""
        while folded[:1] in (b" ", b"\t"):
            more, newline, folded = folded.partition(b"\n")
            value += more + newline
        name = header.lower()
        if name.startswith(b"transfer-encoding:"):
            chunked = _is_chunked(value[:_VALUE_LEN])
        if name.startswith(b"content-length:"):
            body = _number(value)
    return start._replace(length=length, body=body, chunked=chunked) if length else start


def _judged_line(line: bytes) -> Head | None:
    line = line.removesuffix(b"\r")
    found = _LINE.fullmatch(line)
    if found is None:
        found = _OLD_LINE.fullmatch(line) if len(line) <= LINE_LEN else None
        version = 109
    else:
        major, minor = int(found["major"]), int(found["minor"])
        version = minor if major == 1 else 100 + 10 * major + minor
        if major != 1 and len(found["minor"]) > 1:
            return None
    if found is None:
        return None
    method, target = found["method"].decode(), found["target"]
    if method == "PRI" and version == 120 and line.startswith(b"PRI * "):
        return None
    connect = method == "CONNECT"
    if CLASSES[target[0]] & END:
        return None
    if _end_of_path(target, connect) == 0x20:
        return None  # a space in the query is let pass, as many servers do
    text, truncated = template(target, connect=connect)
    named = method if method in NAMED else "OTHER"
    return Head("request", named, version, text, truncated)


def _number(value: bytes) -> int | None:
    """Return the number that a value is, within the bytes that are looked at."""
    text = value[:_VALUE_LEN]
    found = _LENGTH.fullmatch(text)
    if found is None or text[-1:] != b"\n" or len(value) > _VALUE_LEN:
        return None
    digits = found[1]
    return None if int(digits[:-1] or b"0") >= _MOST else int(digits)


def _is_chunked(codings: bytes) -> bool:
    """Return whether chunked is the last of them."""
    return codings.translate(None, b" \t\r\n").lower().rpartition(b",")[2] == b"chunked"


def _end_of_path(target: bytes, connect: bool) -> int | None:
    """Return the byte that ends a target's path, within the 256 bytes that are looked at."""
    if not connect and target[:1] not in (b"/", b"*"):
        behind = _behind_authority(target)
        if behind is None:
            return None
        target = behind
    return next((code for code in target[:TARGET_LEN] if CLASSES[code] & END), None)


def status_of(data: bytes) -> int:
    """Return the status of a response from its first bytes; 0: it is not a response."""
    found = _STATUS.match(data)
    return int(found[1]) if found else 0


_WORDS: Final = (
    "users", "api", "v1", "v2", "orders", "2024-report", "index", "static", "img", "a", "search",
    "my-long-article-title", "getUserProfilePicture", "oauth2", "deadbeef", "~me", "%20", "", "",
)  # fmt: skip
_EXTENSIONS: Final = ("json", "html", "js", "tar.gz", "x", "abcde", "abcdef", "mp3", "", "PNG")


def _token(dice: random.Random, alphabet: str, least: int, most: int) -> str:
    return "".join(dice.choice(alphabet) for _ in range(dice.randint(least, most)))


#: What segments with ids are made of: words, ids, and the signs between them.
_PARTS: Final = (
    "42", "2024", "19", "1", "12", "123", "v1", "order", "user", "x", "PROJ", "iOS", "a1b2c3d",
    "deadbeef1", "dQw4w9WgXcQ", "NffrFeUfNV2Hib", "fe80::1", "00:11:22", ".com", ".ts", ".tar.gz",
    "@2x", "('", "(", ")", *"@;=-_.,:%!'&$+~", "==", "%20", "%3B", "%40", "%27", "%2e", "%3F",
    "%2F", "%00", "%5", "{id}", "\xe9",
)  # fmt: skip

_MAKERS: Final[tuple[Callable[[random.Random], str], ...]] = (
    lambda dice: dice.choice(_WORDS),
    lambda dice: str(dice.randrange(10 ** dice.randint(1, 20))),
    lambda dice: str(uuid.UUID(int=dice.getrandbits(128))),
    lambda dice: uuid.UUID(int=dice.getrandbits(128)).hex[: dice.randint(1, 32)],
    lambda dice: _token(dice, "0123456789abcdef-", 1, 40),
    lambda dice: _token(dice, "0123456789-", 1, 14),
    lambda dice: _token(dice, "abcXYZ019-_.~=+:%,@", 1, 40),
    lambda dice: _token(dice, string.ascii_letters + string.digits, 1, 30),
    lambda dice: _token(dice, "aB", 14, 24),
    lambda dice: _token(dice, "abcdefghijklmnop1", 14, 24),
    lambda dice: _token(dice, "abc012!$&'()*;[]{}\xe9\xff", 1, 24),
    lambda dice: dice.choice(_WORDS) + "-" + str(dice.randrange(3000)),
    lambda dice: "".join(dice.choices(_PARTS, k=dice.randint(1, 12))),
)  # fmt: skip


def _segment(dice: random.Random) -> str:
    text = dice.choice(_MAKERS)(dice)
    if dice.random() < 0.2:
        text += "." + dice.choice(_EXTENSIONS)
    return text


def made_up_target(dice: random.Random) -> bytes:
    """Return a target such as servers see, or worse."""
    if dice.random() < 0.04:
        return dice.randbytes(dice.randint(1, 300))
    count = dice.choice((1, 2, 3, 4, 6, 10, 20, 31, 32, 33, 40, 70))
    text = "".join("/" + _segment(dice) for _ in range(count))
    shape = dice.random()
    if shape < 0.08:
        text = "http://" + _token(dice, "abc.:@", 1, 30) + text
    elif shape < 0.10:
        text = "http://" + _token(dice, "ab", 230, 270) + text
    elif shape < 0.12:
        text = "http://" + _token(dice, "abc.?#", 1, 12) + text * dice.randint(0, 1)
    elif shape < 0.14:
        text = dice.choice("*a") + text
    if dice.random() < 0.3:
        text += dice.choice("?#") + _token(dice, "abc=&/?1", 0, 40)
    if dice.random() < 0.03:
        text += _token(dice, "a1", 400, 600)
    return text.encode("latin-1")[:1000]


_PIECES: Final = (
    b"\n", b"\r\n", b"\r", b" ", b"\t", b"\0", b"\x7f", b"\xff", b":", b"HTTP/1.1", b"HTTP/1.",
    b"\r\n\r\n", b"Content-Length: 5\r\n", b"content-length:", b"Transfer-Encoding: chunked\r\n",
    b"GET ", b"/", b"?", b"0", b"\x1b[31m",
)  # fmt: skip


def mutated(dice: random.Random, data: bytes) -> bytes:
    """Return bytes with a few changes: cut, doubled, replaced, inserted."""
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data) + 1)
        change = dice.random()
        if change < 0.2:
            data = data[:at] or b"G"
        elif change < 0.4:
            data = data[:at] + dice.randbytes(1) + data[at + 1 :]
        elif change < 0.6:
            data = data[:at] + data[at + dice.randint(1, 4) :]
        elif change < 0.9:
            data = data[:at] + dice.choice(_PIECES) + data[at:]
        else:
            data = data[:at] + data[at : at + 20] * 2 + data[at:]
        data = data or b"\n"
    return data
