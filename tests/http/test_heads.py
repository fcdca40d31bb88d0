"""Parsing the header sections of samples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.http.heads import path_in, response_length
from httptop.http.redaction import LEVELS, Redaction


@pytest.mark.parametrize(
    ("line", "cut", "path"),
    [
        (b"GET /users/42?x=1 HTTP/1.1\r\n", False, "/users/42?x=***"),
        (b"GET /users/42 HTTP/1.1\r\n", False, "/users/42"),
        (b"CONNECT a:443 HTTP/1.1\r\n", False, "a:443"),
        (b"OPTIONS * HTTP/1.1\r\n", False, "*"),
        (b"GET http://h/a#b HTTP/1.1\r\n", False, "/a#***"),
        (b"GET http://me:secret@h/a HTTP/1.1\r\n", False, "/a"),
        (b"GET http://me:secret@h?a=1 HTTP/1.1\r\n", False, "/?a=***"),
        (b"CONNECT me:secret@h:443 HTTP/1.1\r\n", False, "***@h:443"),
        (b"GET /a?b=secret more secrets HTTP/1.1", False, "/a?b=***"),
        (b"GET /" + b"a" * 50, True, "/" + "a" * 50 + "…"),
        (b"GET /a?" + b"b" * 50, True, "/a?***…"),
        (b"GET /a?q=1&" + b"b" * 50, True, "/a?q=***&***…"),
        (b"GET /a HTTP", True, "/a"),
        (b"GET http://h/" + b"a" * 50, True, "/" + "a" * 50 + "…"),
        (b"GET /a/http://me:s3cr", True, "/a/http://***…"),
        (b"GET //me%3As3cr", True, "//***…"),
        (b"CONNECT me:s3cr", True, "***…"),
        (b"GET /a:b/c", True, "/a:b/c…"),
        (b"GET /" + b"a" * 600, True, "/" + "a" * 510 + "…"),
        (b"GET ", True, None),
        (b"GE", True, None),
        (b"", False, None),
        (b"GET /\xff\xe2\x98\x83 HTTP/1.1\r\n", False, "/\\xff\u2603"),
    ],
)
def test_path_in(line: bytes, cut: bool, path: str | None) -> None:
    assert path_in(line, cut, Redaction("default")) == path


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (b"GET /users/42?x=1&y#z HTTP/1.1\r\n", "/users/42?x=1&y#z"),
        (b"GET http://h/a?x=1 HTTP/1.1\r\n", "/a?x=1"),
        (b"CONNECT me:secret@h:443 HTTP/1.1\r\n", "me:secret@h:443"),
    ],
)
def test_path_in_as_it_was_sent(line: bytes, path: str) -> None:
    assert path_in(line, False, Redaction("off")) == path


@pytest.mark.parametrize(
    ("response", "method", "status", "length"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", "GET", 200, 43),
        (b"HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\n", "GET", 200, 42),
        (b"HTTP/1.1 200 OK\nContent-Length: 5\n\n", "GET", 200, 40),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", 200, 38),
        (b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", "GET", 304, 38),
        (b"HTTP/1.1 204 No\r\n\r\n", "GET", 204, 19),
        (b"HTTP/1.1 200 OK\r\n\r\n", "GET", 200, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "GET", 200, None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", 200, None),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
            "GET", 200, None,
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "GET", 200, None),
        (b"HTTP/1.1 200 OK\r\nX-Content-Length: 5\r\n\r\n", "GET", 200, None),
        (b"HTTP/1.1 200 OK\r\n\r\nContent-Length: 5\r\n\r\n", "GET", 200, None),
        (b"", "GET", 200, None),
    ],
)  # fmt: skip
def test_response_length(response: bytes, method: str, status: int, length: int | None) -> None:
    assert response_length(response, method, status) == length


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_safe(data: bytes, cut: bool) -> None:
    for level in LEVELS:
        path = path_in(data, cut, Redaction(level))
        assert path is None or (path.isprintable() and len(path) <= 513)
    response_length(data, "GET", 200)
