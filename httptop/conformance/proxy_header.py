"""The PROXY protocol's header, versions 1 and 2: what a proxy says before the first request.

The reference's own reading of https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt. The
client is told as httptop shows peers. Where the proxy does not know it (UNKNOWN, LOCAL, other
transports than TCP), servers keep the connection's own peer.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from typing import Final, NamedTuple

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED_LEN: Final = 16
#: A whole line of version 1, with its end.
_LONGEST_LINE: Final = 107
_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")
_TCP: Final = re.compile(rb"PROXY TCP([46]) (\S+) (\S+) ([0-9]+) (\S+)\r\n")
#: By family and transport: the form of the client's address, of the server's, and of both ports.
_ADDRESSES: Final = {0x11: "!4s4sHH", 0x21: "!16s16sHH"}


class Header(NamedTuple):
    """A header at the beginning of some bytes."""

    length: int  # 0: there is none
    client: str | None = None


NONE: Final = Header(0)


def header_of(data: bytes) -> Header | None:
    """Return the header that the bytes begin with; None: more are needed to tell."""
    if data.startswith(SIGNATURE) or SIGNATURE.startswith(data):
        return _binary(data)
    if not data.startswith(b"PROXY "):
        return None if b"PROXY ".startswith(data) else NONE
    end = data.find(b"\n") + 1
    if not end:
        return None if len(data) < _LONGEST_LINE else NONE
    return _line(data[:end])


def _line(line: bytes) -> Header:
    if len(line) > _LONGEST_LINE:
        return NONE
    if _UNKNOWN.fullmatch(line):
        return Header(len(line))
    found = _TCP.fullmatch(line)
    if found is None or int(found[4]) > 65535:
        return NONE
    try:
        address = ipaddress.ip_address(found[2].decode("ascii"))
    except ValueError:
        return NONE
    if address.version != int(found[1]):
        return NONE
    return Header(len(line), _shown(address.packed, int(found[4])))


def _binary(data: bytes) -> Header | None:
    if len(data) < _FIXED_LEN:
        return None
    command, family, length = struct.unpack_from("!BBH", data, len(SIGNATURE))
    if command >> 4 != 2:
        return NONE
    end = _FIXED_LEN + length
    if len(data) < end:
        return None
    form = _ADDRESSES.get(family)
    if command & 15 != 1 or form is None or struct.calcsize(form) > length:
        return Header(end)
    client, _, port, _ = struct.unpack_from(form, data, _FIXED_LEN)
    return Header(end, _shown(client, port))


def _shown(packed: bytes, port: int) -> str:
    address = ipaddress.ip_address(packed)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return f"[{address}]:{port}"
        address = address.ipv4_mapped
    return f"{address}:{port}"
