"""The kinds of texts in settings, each with its check."""

from __future__ import annotations

import ipaddress
import pwd
import re
from collections.abc import Callable

from httptop.config.destination import parse_destination
from httptop.config.otlp_endpoint import AUTO, parsed
from httptop.config.value_types import Many, Text
from httptop.filters import Expression, FilterError, parse
from httptop.filters.on_screen import parse_for_screen
from httptop.filters.watches import parse_watch
from httptop.http.log_format import NAMED, parse_log_format
from httptop.literals import nearest, parse_integer, parse_status
from httptop.view.keys import effective, parse_key

#: The most watches.
MOST_WATCHES = 32
#: Formats of a log of requests that have a name.
LOG_FORMATS = ("json", "text", *NAMED)


def _glob(text: str) -> str:
    if not text:
        raise ValueError("an empty pattern matches nothing")
    return text


def _method(text: str) -> str:
    if not text or text.split() != [text]:
        raise ValueError("a method such as GET is needed")
    return text.upper()


def _status(text: str) -> str:
    parse_status(text)
    return text.strip().lower()


def _filter(parse: Callable[[str], Expression]) -> Callable[[str], str]:
    """Return a check that converts a filter into its normal form; an empty text is allowed."""

    def check(text: str) -> str:
        try:
            return str(parse(text)) if text.strip() else ""
        except FilterError as error:
            raise ValueError(str(error)) from None

    return check


def _watch(text: str) -> str:
    try:
        return str(parse_watch(text))
    except FilterError as error:
        raise ValueError(str(error)) from None


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        raise ValueError("an address or a network such as 10.0.0.0/8 is needed") from None


def _host(text: str) -> str:
    if not text or len(text) > 253 or text.split() != [text] or ":" in text:
        raise ValueError(
            "a host name such as example.org or *.example.org is needed, without a port"
        )
    return text.lower()


def _version(text: str) -> str:
    if not re.fullmatch(r"(HTTP/)?1\.[0-9]", text):
        raise ValueError("a version such as 1.0 or 1.1 is needed")
    return text.removeprefix("HTTP/")


def _user(text: str) -> str:
    if re.fullmatch("[0-9]{1,10}", text, re.ASCII) and int(text) < 2**32 - 1:
        return text
    try:
        pwd.getpwnam(text)
    except KeyError:
        raise ValueError("no user of this host has that name") from None
    return text


def _other_user(text: str) -> str:
    if not text:
        return ""
    name = _user(text)
    if (int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid) == 0:
        raise ValueError("a user other than root is needed")
    return name


def _label(text: str) -> str:
    if not re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]{0,63}", text, re.ASCII):
        raise ValueError("letters, digits and _ are needed")
    return text


def _field(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", text):
        raise ValueError("the name of a field such as content-type is needed")
    return text.lower()


def _file(text: str) -> str:
    if text and not text.startswith("/"):
        raise ValueError("a path that begins with / is needed")
    return text


def _log_destination(text: str) -> str:
    return parse_destination(text).text


def _log_format(text: str) -> str:
    if text not in LOG_FORMATS:
        if "%" not in text:
            raise ValueError(
                f"one of {', '.join(LOG_FORMATS)} is needed, or a format with letters such as %h"
                f"{nearest(text, LOG_FORMATS)}"
            )
        parse_log_format(text)
    return text


def _listen(text: str) -> str:
    """Return where to listen as ``address:port``, IPv6 in brackets; empty: nowhere."""
    if not text:
        return ""
    address, colon, port = text.rpartition(":")
    try:
        number = parse_integer(port, 1, 65535)
        if colon and not address:
            raise ValueError
        at = ipaddress.ip_address(address.removeprefix("[").removesuffix("]") or "127.0.0.1")
    except ValueError:
        raise ValueError(
            "an address of this host and a port are needed, such as 127.0.0.1:9742 or [::1]:9742; "
            "0.0.0.0 and [::] are all of them"
        ) from None
    return f"[{at}]:{number}" if at.version == 6 else f"{at}:{number}"


def _otlp_endpoint(text: str) -> str:
    if text and text != AUTO:
        parsed(text)
    return text.rstrip("/")


def _path_pattern(text: str) -> str:
    if not text.startswith("/") or len(text) > 96 or text.split() != [text]:
        raise ValueError("a pattern such as /users/{name}/posts/* is needed, at most 96 characters")
    for segment in text.split("/"):
        if ("*" in segment and segment != "*") or (
            set("{}") & set(segment) and not re.fullmatch(r"\{[A-Za-z0-9_-]{1,32}\}", segment)
        ):
            raise ValueError("a segment is a word, * or {name}")
    return text


def _key(text: str) -> str:
    return "=".join(parse_key(text))


class Keys(Many):
    """The user's own keys: each for one action only, and every action keeps at least one key."""

    __slots__ = ()

    def _checked(self, items: list[object]) -> tuple[object, ...]:
        keys = super()._checked(items)
        effective([str(key) for key in keys])
        return keys


class Watches(Many):
    """Watches, each of which is looked at in every tick."""

    __slots__ = ()

    def _checked(self, items: list[object]) -> tuple[object, ...]:
        watches = super()._checked(items)
        if len(watches) > MOST_WATCHES:
            raise ValueError(f"at most {MOST_WATCHES} watches are allowed")
        return watches


GLOB = Text("a glob such as nginx* or /users/*", _glob)
METHOD = Text("a method such as GET", _method)
STATUS = Text("404, 5xx, 400-499 or unknown", _status)
FILTER = Text("a filter, empty for none", _filter(parse))
SCREEN_FILTER = Text(
    "a filter on fields of endpoints or live requests, empty for none", _filter(parse_for_screen)
)
NETWORK = Text("an address or a network such as 10.0.0.0/8", _network)
HOST = Text("a host name or a glob such as *.example.org", _host)
VERSION = Text("1.0 or 1.1", _version)
USER = Text("a user's name or number", _user)
OTHER_USER = Text("the name or number of a user who is not root, or empty", _other_user)
CONTAINER = Text("a container's name or id, or a glob", _glob)
LABEL = Text("the name of a label such as instance or node", _label)
FIELD = Text("the name of a field of a header section", _field)
FILE = Text("an absolute path, or empty", _file)
LOG_DESTINATION = Text(
    "- for standard output, an absolute path, tcp://host:port, unix:///path, syslog:, "
    "syslog+udp://host or syslog+tcp://host",
    _log_destination,
)
LOG_FORMAT = Text(
    "json, text, clf, combined, or a format with Apache's letters such as %h", _log_format
)
LISTEN = Text("an address and a port, such as 127.0.0.1:9742, a port alone, or empty", _listen)
OTLP_ENDPOINT = Text("an address such as http://localhost:4318, auto, or empty", _otlp_endpoint)
PATH_PATTERN = Text("a path whose segments are words, * or {name}", _path_pattern)
WATCHES = Watches(Text("a watch such as all 5xx > 1% for 30s", _watch))
KEYS = Keys(Text("action=key, such as pause=space", _key))
