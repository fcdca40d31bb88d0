"""The kernel's head parser and template rule, run on bytes of our own."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from httptop.http.path_template import template
from tests import vectors
from tests.live import reference
from tests.live.parser import WINDOW, Parser
from tests.stress.fuzz import heads
from tests.vectors import id_shapes

pytestmark = pytest.mark.ebpf

PATHS = vectors.paths()
HEADS = vectors.heads()


@pytest.mark.parametrize("vector", PATHS, ids=lambda vector: f"line{vector.line}")
def test_path_vectors(parser: Parser, vector: vectors.PathVector) -> None:
    found = parser.template(vector.target, connect=vector.connect)
    assert found == (vector.template, vector.truncated)


@pytest.mark.parametrize("shape", id_shapes.SHAPES)
def test_ids_of_a_kind_are_one_row(parser: Parser, shape: str) -> None:
    rows = Counter(parser.template(target)[0].decode() for target in id_shapes.values(shape))
    _, most = id_shapes.SHAPES[shape]
    assert rows.most_common(1)[0][0] == shape
    assert len(rows) <= most, rows


def test_names_of_real_interfaces_stay(parser: Parser) -> None:
    names = [b"/" + name for name in vectors.names()]
    assert [name for name in names if parser.template(name) != (name, False)] == []


@pytest.mark.parametrize("seed", range(8))
def test_kernel_and_python_agree_on_made_up_targets(parser: Parser, seed: int) -> None:
    dice = random.Random(seed)
    differing = []
    for _ in range(600):
        target = reference.made_up_target(dice)[: WINDOW - 1]
        connect = dice.random() < 0.03
        kernel, python = parser.template(target, connect=connect), template(target, connect=connect)
        if kernel != python:
            differing.append((target, connect, kernel, python))
    assert not differing, f"{len(differing)} differ, the first: {differing[0]}"


@pytest.mark.parametrize("vector", HEADS, ids=lambda vector: f"line{vector.line}")
def test_head_vectors(parser: Parser, vector: vectors.HeadVector) -> None:
    assert reference.of_verdict(parser.head(vector.data)) == vector.expected


@pytest.mark.parametrize("seed", range(8))
def test_kernel_and_reference_agree_on_mutated_heads(parser: Parser, seed: int) -> None:
    dice = random.Random(1000 + seed)
    differing = []
    for _ in range(600):
        data = reference.mutated(dice, dice.choice(HEADS).data)[:WINDOW]
        kernel, expected = reference.of_verdict(parser.head(data)), reference.judge(data)
        if kernel != expected:
            differing.append((data, kernel, expected))
    assert not differing, f"{len(differing)} differ, the first: {differing[0]}"


@pytest.mark.parametrize("seed", range(3))
def test_kernel_and_reference_agree_on_made_up_heads(parser: Parser, seed: int) -> None:
    _, differing = heads.compare(parser, f"test/{seed}", 5000)
    assert not differing, f"{len(differing)} differ, the shortest: {min(differing, key=len)!r}"


def test_a_space_is_looked_for_in_256_bytes_of_the_path(parser: Parser) -> None:
    for length, outcome in ((254, "invalid"), (255, "invalid"), (256, "request")):
        data = b"GET /%s b HTTP/1.1\r\n\r\n" % (b"a" * (length - 1))
        found = reference.of_verdict(parser.head(data))
        assert found == reference.judge(data)
        assert found.outcome == outcome


def test_a_delete_character_ends_an_authority(parser: Parser) -> None:
    data = b"GET http://a\x7fb/c HTTP/1.1\r\n\r\n"
    assert reference.of_verdict(parser.head(data)) == reference.judge(data)


def test_a_difference_is_shrunk() -> None:
    data = b"GET /some/where HTTP/1.1\r\nHost: a\r\nX-Bad: yes\r\n\r\n"
    assert heads.shrunk(data, lambda less: b"Bad" in less) == b"Bad"


def test_status_lines(parser: Parser) -> None:
    for status in range(100, 1000):
        assert parser.head(b"HTTP/1.1 %d OK\r\n\r\n" % status).status == status
    for minor in range(10):
        assert parser.head(b"HTTP/1.%d 200 OK\r\n\r\n" % minor).status == 200
    for data in (b"HTTP/1.1 204", b"HTTP/1.1 204\r\n\r\n", b"HTTP/1.1 204 ", b"HTTP/1.1 204\n\n"):
        assert parser.head(data).status == 204, data


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 20", b"HTTP/1.1 2x0 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 099 OK",
        b"HTTP/1.1    200 OK", b"HTTP/2.0 200 OK", b"HTTP/1.x 200 OK", b"http/1.1 200 OK",
        b"HTTP/1.1\t200 OK", b"HTTP/1.12 200 OK", b"XTTP/1.1 200 OK", b"HTTP/1.1 200OK",
        b" HTTP/1.1 200 OK", b"H", b"HTTP/1.1 ",
    ],
)  # fmt: skip
def test_what_is_no_status_line(parser: Parser, data: bytes) -> None:
    assert parser.head(data).status == 0


def test_what_stood_there_before_makes_no_difference(parser: Parser) -> None:
    """Bytes of an earlier, longer call lie behind the ones that came."""
    short = b"GET /a HTTP/1.1\r\nContent-"
    alone = parser.head(short)
    parser.head(short + b"Length: 77\r\n\r\nGET /b HTTP/1.1\r\n\r\n" + b"x" * 600)
    assert parser.head(short) == alone
    assert alone.head_end == 0
    parser.head(b"HTTP/1.1 200 OK\r\n\r\n")
    assert parser.head(b"HTTP/1.1 20").status == 0


def test_random_bytes_are_no_heads(parser: Parser) -> None:
    dice = random.Random(5)
    for _ in range(2000):
        data = dice.randbytes(dice.randrange(1, WINDOW))
        assert reference.of_verdict(parser.head(data)) == reference.judge(data), data


def test_bytes_of_an_earlier_head_mean_nothing(parser: Parser) -> None:
    """They are still there behind the new ones, and may look like a header."""
    now, then = b"PUT / HTTP/1.1\r\nContent-Length: 10\r\n", b"Content-Length: 51\r\n\r\n"
    assert parser.head(now + then).body == 51
    verdict = parser.head(now)
    assert (verdict.has_length, verdict.body) == (1, 10)


@pytest.mark.parametrize(
    "name", [b"Content-Length\x1a", b"Content\rLength:", b"Transfer\rEncoding:"]
)
def test_bytes_that_are_letters_but_for_a_bit(parser: Parser, name: bytes) -> None:
    verdict = parser.head(b"PUT / HTTP/1.1\r\n" + name + b" 10, chunked\r\n\r\n")
    assert (verdict.has_length, verdict.has_coding) == (0, 0)
