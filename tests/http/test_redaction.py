"""Targets, fields and status lines at each level."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from httptop.config.settings import DEFAULTS
from httptop.http.redaction import LEVELS, STRICT_FIELDS, Level, Redaction, stricter

SHOWN = (*DEFAULTS.security.shown_fields, "x-colour", "location", "refresh", "link")
DEFAULT, STRICT, OFF = (Redaction(level, SHOWN) for level in ("default", "strict", "off"))


@pytest.mark.parametrize(
    ("target", "shown", "strictly"),
    [
        (b"/search?q=cats&page=2", b"/search?q=***&page=***", b"/search?***"),
        (b"/search", b"/search", b"/search"),
        (b"/search?", b"/search?", b"/search?"),
        (b"/search?q=", b"/search?q=***", b"/search?***"),
        (b"/a?s3cr3t", b"/a?***", b"/a?***"),
        (b"/a?a=1&s3cr3t", b"/a?a=***&***", b"/a?***"),
        (b"/a?a=1&&b=2&", b"/a?a=***&&b=***&", b"/a?***"),
        (b"/a?a=1;b=2", b"/a?a=***", b"/a?***"),
        (b"/a?a==1=2", b"/a?a=***", b"/a?***"),
        (b"/a?a=1?b=2", b"/a?a=***", b"/a?***"),
        (b"/a?filter[x]=1&ids%5B%5D=2", b"/a?filter[x]=***&ids%5B%5D=***", b"/a?***"),
        (b"/a#s3cr3t", b"/a#***", b"/a#***"),
        (b"/a#", b"/a#", b"/a#"),
        (b"/a?x=1#s3cr3t", b"/a?x=***#***", b"/a?***"),
        (b"/a#b?x=s3cr3t", b"/a#***", b"/a#***"),
        # A name that is no name: what stands before the padding of base64, an id, escapes.
        (b"/a?c2VjcmV0IHRva2VuIGZvciB5b3U=", b"/a?***", b"/a?***"),
        (b"/a?0f8b2c4d6e8f0a1b=", b"/a?***", b"/a?***"),
        (b"/a?token%3Ds3cr3t=1", b"/a?***", b"/a?***"),
        (b"/a?\x1b[31m=1", b"/a?***", b"/a?***"),
        (b"/a?" + b"n" * 65 + b"=1", b"/a?***", b"/a?***"),
        # ids
        (b"/users/42/x", b"/users/42/x", b"/users/{id}/x"),
        # a query that does not look like one
        (b"/a%3Ftoken=s3cr3t", b"/a%3F***", b"/a%3F***"),
        (b"/a%3ftoken%3ds3cr3t", b"/a%3f***", b"/a%3f***"),
        (b"/a%253Fx=s3cr3t", b"/a%253F***", b"/a%253F***"),
        (b"/a%23s3cr3t/b", b"/a%23***", b"/a%23***"),
        (b"/a&token=s3cr3t/b", b"/a&token=***/b", b"/a&token={id}/b"),
        (b"/a%26q=s3cr3t", b"/a%26q=***", b"/a%26q={id}"),
        # parameters
        (b"/user;jsessionid=s3cr3t", b"/user;jsessionid=***", b"/user;jsessionid={id}"),
        (b"/a;s3cr3t;b=s3cr3t/c", b"/a;***;b=***/c", b"/a;{id};b={id}/c"),
        (b"/a%3Bx%3Ds3cr3t", b"/a%3Bx%3D***", b"/a%3Bx%3D{id}"),
        (b"/a;", b"/a;", b"/a;"),
        (b"/a;b64,czNjcjN0IQ==", b"/a;***", b"/a;b64,{id}={id}"),
        (b"/a;b=/c", b"/a;b=/c", b"/a;b=/c"),
        (b"/token=s3cr3t", b"/token=***", b"/token={id}"),
        (b"/=s3cr3t", b"/=***", b"/={id}"),
        (b"/p%61ssword=s3cr3t", b"/p%61ssword=***", b"/p%61ssword={id}"),
        (b"/to%256ben=s3cr3t", b"/to%256ben=***", b"/to%256ben={id}"),
        (b"/year=2024", b"/year=2024", b"/year={id}"),
        # people, tokens
        (b"//user:s3cr3t@host/x", b"//***@host/x", b"//{id}/x"),
        (b"/p/http://user:s3cr3t@h/", b"/p/http://***@h/", b"/p/http://{id}/"),
        (b"/bot123456:AAE-abcdefghijklmnopqrs/m", b"/***/m", b"/{id}/m"),
        (b"*", b"*", b"*"),
    ],
)
def test_targets(target: bytes, shown: bytes, strictly: bytes) -> None:
    assert DEFAULT.target(target) == shown
    assert STRICT.target(target) == strictly
    assert STRICT.target(shown) == STRICT.target(STRICT.target(shown))
    assert OFF.target(target) == target


def test_the_target_of_connect() -> None:
    for redaction in (DEFAULT, STRICT):
        assert redaction.target(b"me:s3cr3t@h:443", connect=True) == b"***@h:443"
        assert redaction.target(b"example.org:443", connect=True) == b"example.org:443"


def test_a_long_path_is_cut_strictly_as_its_template_is() -> None:
    path = b"/" + b"word/" * 40
    once = STRICT.target(path)
    assert once.endswith("…".encode())
    assert STRICT.target(once) == once


VALUES = st.binary(min_size=8, max_size=20).filter(
    lambda value: not set(value) & set(b"&?# ***") and value.strip(b"=") == value
)


@given(st.lists(st.tuples(st.sampled_from([b"q", b"page", b"a.b"]), VALUES), min_size=1), VALUES)
def test_no_value_of_a_query_gets_through(query: list[tuple[bytes, bytes]], last: bytes) -> None:
    target = b"/p?" + b"&".join(name + b"=" + value for name, value in query) + b"#" + last
    shown = DEFAULT.target(target)
    assert shown == b"/p?" + b"&".join(name + b"=***" for name, _ in query) + b"#***"
    assert STRICT.target(target) == b"/p?***"


@given(st.binary(max_size=200))
@example(b"?=&#?=&#")
def test_redacting_twice_changes_nothing(target: bytes) -> None:
    for redaction in (DEFAULT, STRICT):
        once = redaction.target(b"/" + target)
        assert redaction.target(once) == once


#: Fields of the wild that hold secrets; a deny-list always lacks the next one.
# fmt: off
SECRET_FIELDS = (
    "Api-Key", "Authentication-Info", "Authorization", "Cookie", "Cookie2", "Job-Token",
    "Private-Token", "Ocp-Apim-Subscription-Key", "Proxy-Authorization", "Proxy-Authenticate",
    "Referer", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol", "Set-Cookie", "Set-Cookie2",
    "WWW-Authenticate", "X-Access-Token", "X-Amz-Security-Token", "X-Api-Key", "X-Auth-Token",
    "X-CSRF-Token", "X-Debug", "X-Forwarded-For", "X-Real-IP", "X-Session-Id",
    "X-Subject-Token", "X-Vault-Token", "X-XSRF-Token", "X-Anything-New", "From", "Forwarded",
    "Content-Disposition",
)
# fmt: on


@pytest.mark.parametrize("name", [*SECRET_FIELDS, "Location", "Refresh"])
def test_what_is_secret_by_default(name: str) -> None:
    redaction = Redaction("default", DEFAULTS.security.shown_fields)
    for line in (f"{name}: s3cr3t", f"{name.upper()} : s3cr3t"):
        assert redaction.field(line.encode()) == line.split(":")[0].strip().encode() + b": ***"
        assert b"s3c" not in STRICT.field(line.encode())


@pytest.mark.parametrize(
    ("line", "shown", "strictly"),
    [
        (b"Server: nginx/1.25", b"Server: nginx/1.25", b"Server: nginx/1.25"),
        (b"Host: tenant.example.org", b"Host: tenant.example.org", b"Host: ***"),
        (b"Host: web-7d4b9c6f5d-x2k9p.ns.svc", b"Host: web-7d4b9c6f5d-x2k9p.ns.svc", b"Host: ***"),
        (b"User-Agent: curl/8.0", b"User-Agent: curl/8.0", b"User-Agent: ***"),
        (b"User-Agent: x me@h.org", b"User-Agent: x ***@h.org", b"User-Agent: ***"),
        (b"Server: AKIAIOSFODNN7EXAMPLE", b"Server: ***", b"Server: ***"),
        (b"Server: Bearer s3cr3t", b"Server: ***", b"Server: ***"),
        (b"Content-Type: text/html; charset=utf-8", b"Content-Type: text/html; charset=utf-8",
         b"Content-Type: text/html; charset=utf-8"),
        (b"Content-Type: text/html?s3cr3t", b"Content-Type: text/html?***",
         b"Content-Type: text/html?***"),
        (b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
         b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
         b"traceparent: ***"),
        (b"X-Colour: #fff", b"X-Colour: #fff", b"X-Colour: ***"),
        # URLs, where somebody wants to see them
        (b"Location: https://h/cb?code=s3cr3t&state=s3", b"Location: https://h/cb?code=***&state=***",
         b"Location: ***"),
        (b"Location: /cb#access_token=s3cr3t", b"Location: /cb#***", b"Location: ***"),
        (b"Location: http://me:s3cr3t@h/a;t=s3cr3t", b"Location: http://***@h/a;t=***",
         b"Location: ***"),
        (b"Refresh: 0;url=/x;sid=s3cr3t", b"Refresh: 0;url=/x;sid=***", b"Refresh: ***"),
        (b"Link: </a?k=s3cr3t>", b"Link: </a?k=***", b"Link: ***"),
        # no fields
        (b"s3cr3t", b"***", b"***"),
        (b": s3cr3t", b"***", b"***"),
        (b"Server\0: s3cr3t", b"***", b"***"),
        (b"Server\xc2\xa0: s3cr3t", b"***", b"***"),
        (b"9f8e7d6c5b4a39281706f5e4d3c2b1a0: a", b"***", b"***"),
    ],
)  # fmt: skip
def test_fields(line: bytes, shown: bytes, strictly: bytes) -> None:
    assert DEFAULT.field(line) == shown
    assert STRICT.field(line) == STRICT.field(shown) == strictly
    assert OFF.field(line) == line


@pytest.mark.parametrize(
    ("line", "shown", "strictly"),
    [
        (b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK", b"HTTP/1.1 200"),
        (b"HTTP/1.1 404 Not Found", b"HTTP/1.1 404 Not Found", b"HTTP/1.1 404"),
        (b"HTTP/1.1 200", b"HTTP/1.1 200", b"HTTP/1.1 200"),
        (b"HTTP/1.1 200 ", b"HTTP/1.1 200 ", b"HTTP/1.1 200"),
        (b"HTTP/1.1 500 token=s3cr3t", b"HTTP/1.1 500 ***", b"HTTP/1.1 500"),
        (b"HTTP/1.1 500 Bearer abcdefgh", b"HTTP/1.1 500 ***", b"HTTP/1.1 500"),
        (b"HTTP/1.1 s3cr3t", b"***", b"***"),
    ],
)
def test_status_lines(line: bytes, shown: bytes, strictly: bytes) -> None:
    assert DEFAULT.status_line(line) == shown
    assert STRICT.status_line(line) == STRICT.status_line(shown) == strictly
    assert OFF.status_line(line) == line


def test_the_stricter_level() -> None:
    order: tuple[Level, ...] = ("strict", "default", "off")
    assert order == LEVELS
    for at, one in enumerate(order):
        for other in order[at:]:
            assert stricter(one, other) == stricter(other, one) == one


def test_strict_fields_are_shown_by_default_too() -> None:
    assert not STRICT_FIELDS - {name.encode() for name in DEFAULTS.security.shown_fields}
