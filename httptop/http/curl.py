"""A sampled request as a curl command, as far as it is known.

What curl would do of its own is taken back: the target is sent as it was (``--path-as-is``,
``--request-target``), nothing in it is a pattern (``--globoff``), and fields that curl would add
are not sent where the header section is known. What cannot be had, such as the body, is said.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from httptop.http.field_lines import HOST, fields_of
from httptop.http.secrets import MASK
from httptop.model import Transaction

_MASK: Final = MASK.decode()
_CUT: Final = "…"
#: Targets that curl sends as they stand in a URL; others are given beside it.
_PLAIN_TARGET: Final = re.compile(r"/(?:[!$&'()*+,./:;=?@_~0-9A-Za-z\[\]{}-]|%[0-9A-F]{2})*")
#: Fields that describe a body, which is not kept.
_OF_BODY: Final = ("content-length", "transfer-encoding")
#: Fields that curl sends unless it is told not to.
_CURLS: Final = ("Host", "Accept", "User-Agent")
_WITH_BODY: Final = ("POST", "PUT", "PATCH")


@dataclass(frozen=True, slots=True)
class CurlCommand:
    """A command, and what has to be known about it."""

    arguments: tuple[str, ...]  # curl's name first
    remarks: tuple[str, ...]  # sentences about what it lacks, or stands for something else

    def __str__(self) -> str:
        """Return a line that makes a POSIX shell call curl with just these arguments."""
        return shlex.join(self.arguments)


def curl_command(request: Transaction) -> CurlCommand:
    """Return what sends a request again, to where it went as far as that is known."""
    key, head = request.key, request.request_head
    # A line of anything else could be a file's name to curl, which reads ``@name``.
    fields = fields_of(head)
    kept = [(name, value.strip()) for name, value in fields if name.lower() not in _OF_BODY]
    address = _address(request)
    arguments = ["curl", "--globoff", "--path-as-is"]
    if key.protocol == "HTTP/1.0":
        arguments.append("--http1.0")
    elif key.tls:
        arguments.append("--http1.1")  # or the two may agree on HTTP/2
    if key.method == "HEAD":
        arguments.append("--head")
    elif key.method not in ("GET", "OTHER"):
        arguments += ["--request", key.method]
    authority = address
    if key.tls:
        host = next((value for name, value in kept if name.lower() == "host"), "")
        if HOST.fullmatch(host):  # the certificate is for this name
            authority = host
            arguments += ["--connect-to", f"::{address}"]
    url = f"{'https' if key.tls else 'http'}://{authority}"
    if _PLAIN_TARGET.fullmatch(request.path):
        url += request.path
    else:
        url += "/"
        arguments += ["--request-target", request.path]
    sent = {name.lower() for name, _ in kept}
    if head:
        for name in _CURLS:
            if name.lower() not in sent:
                arguments += ["--header", f"{name}:"]
    for name, value in kept:
        arguments += ["--header", f"{name}: {value}" if value else f"{name};"]
    remarks = _remarks(request, fields, len(head) - len(fields))
    return CurlCommand((*arguments, url), tuple(remarks))


def _address(request: Transaction) -> str:
    """Return the server's address and port; of a server on this host it is not known."""
    key = request.key
    if key.side == "client" and request.peer:
        return request.peer
    return f"localhost:{key.port}" if key.port else "localhost"


def _remarks(request: Transaction, fields: list[tuple[str, str]], no_fields: int) -> Iterator[str]:
    key, target = request.key, request.path
    if key.method == "OTHER":
        yield "The method is not known; RFC 9110 does not name it."
    if not request.request_head:
        yield "The header section of the request was not kept; curl sends its own."
    if "{" in target and target == key.path:
        yield "The target was not kept; its template stands for it."
    masked = sum(_MASK in value for _, value in fields) + (_MASK in target)
    if masked:
        yield f"Secrets are masked in {masked} {_of(masked, 'place')}: {_MASK} stands for them."
    if target.endswith(_CUT) or any(value.endswith(_CUT) for _, value in fields):
        yield f"What ends in {_CUT} was longer than what is captured."
    if re.search(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4})", "\n".join((target, *request.request_head))):
        yield "Bytes that cannot be shown stand as \\xNN or \\uNNNN."
    if no_fields:
        yield f"{no_fields} {_of(no_fields, 'line')} of the header section left out: no field."
    has_body = any(name.lower() in _OF_BODY and value.strip() != "0" for name, value in fields)
    if has_body or key.method in _WITH_BODY:
        yield "The body is not kept; none is sent."
    if key.side == "server" or not request.peer:
        yield "The address that the client used is not known; localhost stands for it."


def _of(count: int, what: str) -> str:
    return what if count == 1 else f"{what}s"
