"""Header sections: whatever the other side sends, secrets do not get through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.http.head_redaction import HeadRedaction
from httptop.http.redaction import Level, Redaction

SECRET = b"s3cr3t"
SHOWN = ("server", "a", "location", "host", *(f"a{n}" for n in range(100)))


def _redaction(level: Level = "default") -> HeadRedaction:
    return HeadRedaction(Redaction(level, SHOWN))


def _head(response: bytes, level: Level = "default") -> tuple[str, ...]:
    return _redaction(level).response(response)


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
        # hostile to the terminal
        (b"A: \x1b[31m\xff\r\n", ("A: \\x1b[31m\\xff",)),
    ],
)  # fmt: skip
def test_lines_of_a_head(lines: bytes, shown: tuple[str, ...]) -> None:
    head = _head(b"HTTP/1.1 200 OK\r\n" + lines)
    assert head == ("HTTP/1.1 200 OK", *shown)


def test_what_was_sent_is_shown_where_that_is_wanted() -> None:
    response = (
        b"HTTP/1.1 302 s3cr3t\r\nSet-Cookie: s3cr3t\r\nLocation: http://me:s3@h/a?b=1#c\r\n\r\n"
    )
    assert _head(response, "off") == (
        "HTTP/1.1 302 s3cr3t", "Set-Cookie: s3cr3t", "Location: http://me:s3@h/a?b=1#c"
    )  # fmt: skip
    assert _head(response)[2] == "Location: http://***@h/a?b=***#***"
    assert _head(response, "strict") == ("HTTP/1.1 302", "Set-Cookie: ***", "Location: ***")


def _asked(request: bytes, level: Level = "default") -> tuple[str, ...]:
    return _redaction(level).request(request)


def test_a_requests_head_is_redacted_alike() -> None:
    request = (
        b"POST /a?t=s3cr3t HTTP/1.1\r\nHost: h\r\nX-Api-Key: s3cr3t\r\nAuthorization: Basic\r\n"
        b"\ts3cr3t\r\nReferer: http://me:s3cr3t@h/a?b=s3cr3t#s3cr3t\r\n\r\nbody s3cr3t\r\n\r\n"
    )
    assert _asked(request) == ("Host: h", "X-Api-Key: ***", "Authorization: ***", "Referer: ***")


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


def test_lines_are_remembered_unless_they_hold_secrets() -> None:
    redaction = _redaction()
    head = (
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Api-Key: s3cr3t\r\nLocation: /?b=s3cr3t\r\n"
        b"A: Bearer s3cr3t\r\ns3cr3t\r\n\r\n"
    )
    first = redaction.request(head)
    assert first == ("Host: h", "X-Api-Key: ***", "Location: /?b=***", "A: ***", "***")
    assert redaction.request(head) == first
    assert redaction.remembered == {b"Host: h", b"X-Api-Key", b"A"}
    assert redaction.request(b"GET / HTTP/1.1\r\nX-Api-Key: other\r\n\r\n") == ("X-Api-Key: ***",)
    for number in range(1000):
        redaction.request(b"GET / HTTP/1.1\r\nA: %d\r\nX-%d: 1\r\n\r\n" % (number, number))
        assert len(redaction.remembered) <= 2 * 256
    assert redaction.request(head) == first


def test_nothing_is_remembered_where_nothing_is_masked() -> None:
    redaction = _redaction("off")
    redaction.request(b"GET / HTTP/1.1\r\nCookie: s3cr3t\r\n\r\n")
    assert not redaction.remembered


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
