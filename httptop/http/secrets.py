"""Find what looks like a secret, or like a person, in text from the network.

By their shape: tokens of known services (``AKIA``, ``ghp_``, ``xoxb-``, ``sk_live_``, ``AIza``),
JWTs, Telegram's bot tokens, what follows ``Bearer``, long random text, e-mail addresses,
``user:password@``. No shape tells a password that is a word; redaction.py masks by place what may
hold one.

Text may be hostile: each search takes a time that grows with the length and no faster, as no
repetition is followed by something that it may contain.
"""

from __future__ import annotations

import re
from typing import Final

MASK: Final = b"***"

#: Tokens begin like this; the rest is at least so long. {id} may stand in them: the kernel has
#: found a part.
_PREFIXES: Final = (
    (4, rb"(?:sk|rk|pk)_(?:live|test)_"),
    (6, rb"A(?:KIA|SIA|ROA|IDA|GPA|NPA|NVA|BIA|CCA)(?=[A-Z0-9{])"),
    (6, rb"gh[oprsu]_|github_pat_|gl(?:agent|cbt|dt|ffct|ft|imt|oas|pat|ptt|rt|soat)-"),
    (6, rb"xox[a-z][.-]|xapp-|AIza|ya29\.|GOCSPX-|hv[brs]\.|SG\.|do[opr]_v1_|dckr_pat_"),
    (6, rb"shp(?:at|ca|pa|ss)_|glsa_|lin_(?:api|oauth)_|PMAK-|NRAK-|AT[AC]TT3|xkeysib-"),
    (6, rb"AGE-SECRET-KEY-|whsec_|secret-token:"),
    (16, rb"sk-|npm_|pypi-|hf_|rubygems_|sq0[a-z]{3}-|key-|EAA"),
)
_REST: Final = rb"[\w{}.~+-]"
_TOKEN: Final = re.compile(
    rb"(?<![0-9A-Za-z])(?:"
    + b"|".join(rb"(?:%s)%s{%d,}" % (begin, _REST, rest) for rest, begin in _PREFIXES)
    + rb"|eyJ[\w-]{8,}(?:\.[\w{}-]*){0,4}"  # a JWT, or another object of JSON in base64
    + rb"|(?:bot)?(?:[0-9]{6,}|\{id\}):[\w-]{20,}"
    + rb"|(?i:basic|bearer|negotiate|digest|apikey|token)(?: |%20|\+)+[^\s,;]{4,})"
)
#: A URL that is a secret, but for its last part.
_HOOK: Final = re.compile(
    rb"(/services/(?:T\w*|\{id\})/(?:B\w*|\{id\})/|/webhooks/[^/?#]+/)[^/?#\s]+"
)
_RUN: Final = re.compile(rb"[\w%+~-]{20,}")
_ESCAPE: Final = re.compile(rb"%[0-9A-Fa-f]{2}")
_DIGIT_CHANGE: Final = re.compile(rb"[0-9](?=[A-Za-z])|[A-Za-z](?=[0-9])")
_CASE_CHANGE: Final = re.compile(rb"[a-z](?=[A-Z])")
_UUID: Final = re.compile(rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

#: What precedes the @ of an authority, or of what a browser would take for one.
_USER: Final = re.compile(rb"([/\\]{2})[^/\\?#]*@")
_AT: Final = re.compile(rb"(@|%(?:25)*40)")
_VERSION: Final = re.compile(rb"v?[0-9]")
#: What a name before an @ may consist of: anything that separates nothing.
_NAME: Final = bytes(set(range(0x21, 0x100)) - set(b"/\\?#&;,<>\"'()=@|"))


def masked(text: bytes, mask: bytes = MASK, *, random: bool = True) -> bytes:
    """Return a text in which secrets and people are masked.

    ``random``: so is long text that looks random and is no UUID.
    """
    if b"@" in text or b"40" in text:
        text = without_people(text, mask)
    text = _TOKEN.sub(mask, text)
    if b"/services/" in text or b"/webhooks/" in text:
        text = _HOOK.sub(rb"\1" + mask, text)
    if random and len(text) >= 20:
        text = _RUN.sub(lambda run: mask if _is_random(run[0]) else run[0], text)
    return text


def without_people(text: bytes, mask: bytes = MASK) -> bytes:
    """Return a text with what precedes the @ masked in addresses and URLs: ``***@example.org``.

    What is no name of somebody is kept: ``@scope/name``, ``name@1.2``, ``logo@2x.png``.
    """
    text = _USER.sub(rb"\1" + mask + b"@", text)
    parts = _AT.split(text)
    for at in range(0, len(parts) - 2, 2):
        before = parts[at].rstrip(_NAME)
        name = parts[at][len(before) :]
        if name and (b":" in name or not _VERSION.match(parts[at + 2])):
            parts[at] = before + mask
    return b"".join(parts)


def _is_random(run: bytes) -> bool:
    """Return whether text changes between letters and digits, or cases, as random text does.

    ids.py knows better, at a hundred times the cost: senders choose how often this is asked.
    """
    run = _ESCAPE.sub(b"_", run)  # of base64, or beyond ASCII
    changes = 2 * len(_DIGIT_CHANGE.findall(run)) + len(_CASE_CHANGE.findall(run))
    return changes >= max(9, len(run) // 3) and _UUID.fullmatch(run) is None
