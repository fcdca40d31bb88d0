"""Secrets in sampled requests: whatever the other side sends, they do not get through."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from httptop.config.settings import DEFAULTS
from httptop.http.redaction import HeadRedaction, redacted_target, without_user

SECRET = b"s3cr3t"
NAMES = frozenset((b"set-cookie", b"authorization", b"x-api-key"))


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (b"/search?q=cats&page=2", b"/search?q=***&page=***"),
        (b"/search", b"/search"),
        (b"/search?", b"/search?"),
        (b"/search?q=", b"/search?q=***"),
        (b"/a?s3cr3t", b"/a?***"),
        (b"/a?a=1&s3cr3t", b"/a?a=***&***"),
        (b"/a?a=1&&b=2&", b"/a?a=***&&b=***&"),
        (b"/a?a=1;b=2", b"/a?a=***"),
        (b"/a?a==1=2", b"/a?a=***"),
        (b"/a?a=1?b=2", b"/a?a=***"),
        (b"/a?filter[x]=1&ids%5B%5D=2", b"/a?filter[x]=***&ids%5B%5D=***"),
        (b"/a#s3cr3t", b"/a#***"),
        (b"/a#access_token=s3cr3t&b=2", b"/a#***"),
        (b"/a#", b"/a#"),
        (b"/a?x=1#s3cr3t", b"/a?x=***#***"),
        (b"/a#b?x=s3cr3t", b"/a#***"),
        # A name that is no name: what stands before the padding of base64, an id, escapes.
        (b"/a?c2VjcmV0IHRva2VuIGZvciB5b3U=", b"/a?***"),
        (b"/a?0f8b2c4d6e8f0a1b=", b"/a?***"),
        (b"/a?token%3Ds3cr3t", b"/a?***"),
        (b"/a?token%3Ds3cr3t=1", b"/a?***"),
        (b"/a?\x1b[31m=1", b"/a?***"),
        (b"/a?" + b"n" * 65 + b"=1", b"/a?***"),
    ],
)
def test_redacted_target(target: bytes, shown: bytes) -> None:
    assert redacted_target(target) == shown


VALUES = st.binary(min_size=8, max_size=20).filter(
    lambda value: not set(value) & set(b"&?# ***") and value.strip(b"=") == value
)


@given(st.lists(st.tuples(st.sampled_from([b"q", b"page", b"a.b"]), VALUES), min_size=1), VALUES)
def test_no_value_of_a_query_gets_through(query: list[tuple[bytes, bytes]], last: bytes) -> None:
    target = b"/p?" + b"&".join(name + b"=" + value for name, value in query) + b"#" + last
    shown = redacted_target(target)
    for _, value in query:
        assert value not in shown
    assert last not in shown
    assert shown == b"/p?" + b"&".join(name + b"=***" for name, _ in query) + b"#***"


@given(st.binary(max_size=200))
@example(b"?=&#?=&#")
def test_redacting_twice_changes_nothing(target: bytes) -> None:
    once = redacted_target(target)
    assert redacted_target(once) == once


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"http://me:s3cr3t@h/a", b"http://***@h/a"),
        (b"//s3cr3t@h/a", b"//***@h/a"),
        (b"http://a@s3cr3t@h/", b"http://***@h/"),
        (b"http:\\\\me:s3cr3t@h/", b"http:\\\\***@h/"),
        (b"me:s3cr3t@h", b"me:***@h"),
        (b"https://h/@alice", b"https://h/@alice"),
        (b"https://h:443/a", b"https://h:443/a"),
        (b"mailto:me@h", b"mailto:***@h"),
        (b"me@h", b"me@h"),
    ],
)
def test_without_user(text: bytes, shown: bytes) -> None:
    assert without_user(text) == shown


def _head(response: bytes, query: bool = True) -> tuple[str, ...]:
    return HeadRedaction(NAMES, query=query).response(response)


def test_a_head_is_its_lines() -> None:
    response = (
        b"HTTP/1.1 200 OK\r\nServer: a\r\nSet-Cookie: id=s3cr3t; Path=/\r\n\r\nbody s3cr3t\r\n"
    )
    assert _head(response) == ("HTTP/1.1 200 OK", "Server: a", "Set-Cookie: ***")


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        # folded
        (b"Set-Cookie: a\r\n s3cr3t\r\n", ("Set-Cookie: ***",)),
        (b"Set-Cookie:\r\n\ts3cr3t\r\n\t s3cr3t\r\nA: b\r\n", ("Set-Cookie: ***", "A: b")),
        (b"A: b\r\n c\r\n", ("A: b c",)),
        (b"Location: http://me:\r\n s3cr3t@h/\r\n", ("Location: http://***@h/",)),
        (b"Location: /a?\r\n s3cr3t\r\n", ("Location: /a?***",)),
        (b" s3cr3t\r\n", ("***",)),
        # cut off in the middle
        (b"Server: a\r\nSet-Cookie: s3cr3t", ("Server: a",)),
        (b"Server: a\r\nSet-Cook", ("Server: a",)),
        (b"Set-Cookie: x\r\n s3cr3t", ("Set-Cookie: ***",)),
        # other ends of lines, other names
        (b"Server: a\nset-cookie: s3cr3t\n", ("Server: a", "set-cookie: ***")),
        (b"Server: a\rSet-Cookie: s3cr3t\r\n", ("Server: a", "Set-Cookie: ***")),
        (b"SET-COOKIE : s3cr3t\r\n", ("SET-COOKIE: ***",)),
        (b"Set-Cookie\t: s3cr3t\r\n", ("Set-Cookie: ***",)),
        (b"Set-Cookie\0: s3cr3t\r\n", ("***",)),
        (b"Set-Cookie\xc2\xa0: s3cr3t\r\n", ("***",)),
        (b"s3cr3t\r\n", ("***",)),
        (b": s3cr3t\r\n", ("***",)),
        (b"Set-Cookie:\r\n", ("Set-Cookie: ***",)),
        # credentials by nature
        (b"Location: https://h/cb?code=s3cr3t&state=s3cr3t\r\n",
         ("Location: https://h/cb?code=***&state=***",)),
        (b"Location: /cb#access_token=s3cr3t\r\n", ("Location: /cb#***",)),
        (b"Location: /cb?a=1 s3cr3t\r\n", ("Location: /cb?a=***",)),
        (b"Refresh: 0; url=/a?s3cr3t\r\n", ("Refresh: 0; url=/a?***",)),
        (b'Link: </a?k=s3cr3t>; rel="next"\r\n', ("Link: </a?k=***",)),
        (b"X-Original-URL: /a?k=s3cr3t\r\n", ("X-Original-URL: /a?k=***",)),
        (b"X-Colour: #fff\r\n", ("X-Colour: #fff",)),
        # hostile to the terminal
        (b"A: \x1b[31m\xff\r\n", ("A: \\x1b[31m\\xff",)),
    ],
)  # fmt: skip
def test_lines_of_a_head(lines: bytes, shown: tuple[str, ...]) -> None:
    head = _head(b"HTTP/1.1 200 OK\r\n" + lines)
    assert head == ("HTTP/1.1 200 OK", *shown)


def test_a_query_is_shown_where_that_is_wanted_and_a_password_never() -> None:
    response = b"HTTP/1.1 302 Found\r\nLocation: http://me:s3cr3t@h/a?b=1#c\r\n\r\n"
    assert _head(response, query=False)[1] == "Location: http://***@h/a?b=1#c"


def _asked(request: bytes, query: bool = True) -> tuple[str, ...]:
    return HeadRedaction(NAMES, query=query).request(request)


def test_a_requests_head_is_redacted_alike() -> None:
    request = (
        b"POST /a?t=s3cr3t HTTP/1.1\r\nHost: h\r\nX-Api-Key: s3cr3t\r\nAuthorization: Basic\r\n"
        b"\ts3cr3t\r\nReferer: http://me:s3cr3t@h/a?b=s3cr3t#s3cr3t\r\n\r\nbody s3cr3t\r\n\r\n"
    )
    shown = ("Host: h", "X-Api-Key: ***", "Authorization: ***", "Referer: http://***@h/a?b=***#***")
    assert _asked(request) == shown
    assert _asked(request, query=False)[3] == "Referer: http://***@h/a?b=s3cr3t#s3cr3t"


@pytest.mark.parametrize(
    ("request_", "shown"),
    [
        (b"", ()),
        (b"GET / HTT", ()),
        (b"GET / HTTP/1.1\r\n", ()),
        (b"GET / HTTP/1.1\r\nHost: h\r\nCook", ("Host: h",)),
        (b"GET / HTTP/1.1\r\nHost: h\r\nA: b\r", ("Host: h", "A: b")),
        (b"GET / HTTP/1.1\nHost: h\n\nCookie: s3cr3t\n", ("Host: h",)),
        (b"GET / HTTP/1.1\r\n s3cr3t\r\n", ("***",)),
        (b"\r\ns3cr3t: a\r\n", ()),
    ],
)
def test_a_requests_head_as_far_as_it_was_kept(request_: bytes, shown: tuple[str, ...]) -> None:
    assert _asked(request_) == shown


@pytest.mark.parametrize("name", DEFAULTS.security.redact_headers)
def test_what_is_secret_by_default(name: str) -> None:
    names = frozenset(name.encode() for name in DEFAULTS.security.redact_headers)
    request = b"GET / HTTP/1.1\r\n%s: s3cr3t\r\n\r\n" % name.title().encode()
    assert HeadRedaction(names, query=True).request(request) == (f"{name.title()}: ***",)


def test_lines_are_remembered_unless_they_hold_secrets() -> None:
    redaction = HeadRedaction(NAMES, query=True)
    head = b"GET / HTTP/1.1\r\nHost: h\r\nX-Api-Key: s3cr3t\r\nReferer: /?b=s3cr3t\r\n\r\n"
    first = redaction.request(head)
    assert redaction.request(head) == first
    assert redaction.remembered == {b"Host: h"}
    for number in range(1000):
        redaction.request(b"GET / HTTP/1.1\r\nX: %d\r\n\r\n" % number)
        assert len(redaction.remembered) <= 256
    assert redaction.request(head) == first


def test_credentials_of_requests_are_secret_by_default() -> None:
    expected = {"authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token"}
    assert expected <= set(DEFAULTS.security.redact_headers)


@pytest.mark.parametrize(
    "response",
    [b"", b"HTTP/1.1 200 OK", b"\r\nHTTP/1.1 200 OK\r\n", b"s3cr3t\r\n", b"<html>\r\n\r\n"],
)
def test_what_is_no_head(response: bytes) -> None:
    assert _head(response) == ()


def test_a_head_is_bounded() -> None:
    response = b"HTTP/1.1 200 OK\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(100))
    assert len(_head(response)) == 32
    (_, line) = _head(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 5000 + b"\r\n")
    assert len(line) == 256


ENDS = st.sampled_from([b"\r\n", b"\n", b"\r"])
FOLDS = st.sampled_from([b"", b" ", b"\t", b"\r\n ", b"\n\t", b"\r "])


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"Set-Cookie", b"AUTHORIZATION", b"x-api-key ", b"X-Api-Key\t"]),
            FOLDS, st.binary(max_size=6), FOLDS, ENDS,
        ),
        max_size=5,
    ),
    st.integers(0, 300),
)  # fmt: skip
def test_no_redacted_value_gets_through(
    headers: list[tuple[bytes, bytes, bytes, bytes, bytes]], cut: int
) -> None:
    response = b"HTTP/1.1 200 OK\r\n"
    for name, fold, noise, second, end in headers:
        noise = bytes(byte for byte in noise if byte not in b"\r\n")
        response += name + b":" + fold + noise + SECRET + second + SECRET + end
    for whole in (response, response[:cut], response + b"\r\n"):
        assert not any("s3c" in line for line in _head(whole))
        asked = whole.replace(b"HTTP/1.1 200 OK", b"GET /a HTTP/1.1", 1)
        assert not any("s3c" in line for line in _asked(asked))


@given(st.binary(max_size=600))
def test_any_bytes_are_safe(data: bytes) -> None:
    for message in (data, b"HTTP/1.1 200 OK\r\n" + data):
        for line in (*_head(message), *_asked(message)):
            assert line.isprintable()
            assert len(line) <= 256
