"""The filter language: what parses, what it means, and the columns of errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.filters import (
    FIELDS,
    MAX_LENGTH,
    FilterError,
    conjuncts,
    matches_key,
    matches_transaction,
    parse,
)
from tests.factory import key, request, row
from tests.filters.plain import matches_row


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("users", "path ~ *users*"),
        ('"a b"', 'path ~ "*a b*"'),
        ("method=get", "method = GET"),
        ("method == GET", "method = GET"),
        ("Path ~ /a/*", "path ~ /a/*"),
        ("status = 5xx , 404,400-499", "status = 5xx,404,400-499"),
        ("NOT (comm=a OR comm=b)", "not (comm = a or comm = b)"),
        ("comm=a and (path=/x or path=/y)", "comm = a and (path = /x or path = /y)"),
        ("comm=a or comm=b and comm=c", "comm = a or comm = b and comm = c"),
        ("path ~ /^.users.[0-9]+(x|y)$/", "path ~ /^.users.[0-9]+(x|y)$/"),
        ('path ~ "/users/"', 'path ~ "/users/"'),
        ("path ~ /a,/b", 'path ~ "/a","/b"'),
        ("proto = 1.1", "proto = HTTP/1.1"),
        ("peer = 10.0.0.0/8", "peer = 10.0.0.0/8"),
        ("latency>=10ms and size<4KiB", "latency >= 10ms and size < 4KiB"),
        ("path = /a=b", "path = /a=b"),
    ],
)
def test_parses_to_what_prints_as(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)


@pytest.mark.parametrize(
    ("text", "column", "part"),
    [
        ("", 1, "empty"),
        ("   ", 4, "empty"),
        ("a b", 3, "'and' or 'or'"),
        ("a or", 5, "at the end"),
        ("(a", 1, "never closed"),
        ("a)", 2, "no ("),
        ("path = 'x", 8, "quote"),
        ("statsu = 5xx", 1, "did you mean 'status'"),
        ("a and statsu = 5xx", 7, "unknown field"),
        ("status = 6", 10, "5xx"),
        ("status = 499-400", 10, "400-499"),
        ("status ~ 5", 8, "takes only"),
        ("latency > 10", 11, "unit"),
        ("latency > 10parsecs", 11, "unit"),
        ("latency > 1ms,2ms", 14, "one value"),
        ("side = left", 8, "server or client"),
        ("peer = 10.0.0.0/99", 8, "network"),
        ("port = 70000", 8, "65535"),
        ("path =", 7, "value"),
        ("path = and", None, ""),
        ("path ! x", 6, "unknown operator"),
        ("path ~ /(/", 8, "regular expression"),
        ("~other", 1, "field or a word"),
        ("and", 1, "before 'and'"),
        ("(" * 99 + "a" + ")" * 99, 33, "deep"),
        ("not " * 99 + "a", 129, "deep"),
        ("a" * (MAX_LENGTH + 1), MAX_LENGTH, "characters"),
    ],
)
def test_points_at_the_error(text: str, column: int | None, part: str) -> None:
    if column is None:
        parse(text)
        return
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert caught.value.column == column
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("users", True),
        ("user = x", None),
        ("path = /users/{id}", True),
        ("path = /users/7", False),
        ("path ~ /users/*", True),
        ("path ~ /^.users.\\{id\\}$/", True),
        ("path !~ /users/*", False),
        ("comm = nginx and method = GET", True),
        ("comm != nginx", False),
        ("method = POST,GET", True),
        ("side = client", False),
        ("proto = 1.1", True),
        ("tls = no", True),
        ("status = 404", True),
        ("status = 5xx", False),
        ("status != 404", True),  # its other responses
        ("not status = 200,404,unknown", False),
        ("status >= 400", True),
        ("status < 200", False),  # no response is no small status
        ("status = unknown", True),
        ("pid = 12", True),
        ("pid = 10-13", True),
        ("pid = 13", False),
        ("latency >= 3ms", True),
        ("latency > 3ms", False),
        ("size = 90-91", True),
        ("in_flight > 0", True),
        ("host = x", False),
        ("not host = x", True),
    ],
)
def test_row(text: str, matches: bool | None) -> None:
    one = row(key(), {200: 10, 404: 1}, unanswered=1)
    if matches is None:
        with pytest.raises(FilterError):
            parse(text)
        return
    assert matches_row(parse(text), one) is matches


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("path = /users/7", True),
        ("path = /users/{id}", True),
        ("peer = 10.0.0.0/8", True),
        ("peer = 10.1.2.3", True),
        ("peer = ::/0", False),
        ("peer ~ 10.1.*", True),
        ("port = 4567", False),  # the peer of a server is a client
        ("latency = 1ms-2ms", True),
        ("size <= 2KiB", True),
        ("size < 2KiB", False),
        ("status = 2xx and pid = 12", True),
    ],
)
def test_transaction(text: str, matches: bool) -> None:
    assert matches_transaction(parse(text), request(7)) is matches


def test_port_of_a_client_is_its_peers() -> None:
    one = request(7, key(side="client"), peer="[::1]:8080")
    assert matches_transaction(parse("port = 8080 and peer = ::1"), one)


@pytest.mark.parametrize("path", ["/users/7", "/users/7?q=***&***", "/users/7#***", "/users/7?"])
def test_the_path_of_a_request_has_no_query(path: str) -> None:
    one = request(7, path=path)
    for text in ("path = /users/7", "path ~ /users/?", "path = /users/{id}"):
        assert matches_transaction(parse(text), one)
    assert not matches_transaction(parse("path ~ *q*"), one)


def test_undecided_until_the_status_is_known() -> None:
    mixed = parse("path = /a and status = 404 or path = /b")
    assert matches_key(mixed, key("/a"), None) is None
    assert matches_key(mixed, key("/b"), None) is True
    assert matches_key(mixed, key("/c"), None) is False
    assert matches_key(mixed, key("/a"), 404) is True
    assert matches_key(mixed, key("/a"), 200) is False


def test_conjuncts_are_flat() -> None:
    assert [str(part) for part in conjuncts(parse("a and (b and c) and (d or e)"))] == [
        "path ~ *a*",
        "path ~ *b*",
        "path ~ *c*",
        "path ~ *d* or path ~ *e*",
    ]


_WORDS = st.sampled_from(
    [
        *FIELDS,
        *"=~<>()!,",
        "!=",
        ">=",
        "and",
        "or",
        "not",
        "5xx",
        "10ms",
        "'",
        '"',
        "/a/",
        "*",
        "\\",
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(_WORDS, max_size=20).map(" ".join)))
def test_any_text_is_a_filter_or_a_clean_error(text: str) -> None:
    try:
        tree = parse(text)
    except FilterError as caught:
        error = caught
        tree = None
    if tree is None:
        assert 1 <= error.column <= len(text) + 1
        return
    assert parse(str(tree)) == tree
    matches_row(tree, row())
    matches_transaction(tree, request(1))
