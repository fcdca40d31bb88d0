"""The template rule in Python: the shared vectors, and what holds for every target."""

from __future__ import annotations

import random
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.http.path_template import CLASSES, END, TEMPLATE_LEN, path_of, template
from tests import vectors

VECTORS = vectors.paths()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"line{vector.line}")
def test_vectors(vector: vectors.PathVector) -> None:
    found = template(vector.target, connect=vector.connect)
    assert found == (vector.template, vector.truncated)


def test_there_are_many_vectors() -> None:
    assert len(VECTORS) > 150
    assert len({(vector.target, vector.connect) for vector in VECTORS}) == len(VECTORS)


@given(st.binary(max_size=700))
def test_any_bytes_have_a_bounded_template(target: bytes) -> None:
    text, _ = template(target)
    assert 1 <= len(text) <= TEMPLATE_LEN
    assert not any(CLASSES[code] & END for code in text)


@given(st.text("abz019-_./?%", max_size=60))
def test_a_template_is_its_own_template(text: str) -> None:
    once, cut = template(b"/" + text.encode())
    if not cut:
        assert template(once) == (once, False)


@given(st.text("abcXYZ09-.", max_size=40), st.text("abc09/&=", max_size=40))
def test_the_query_makes_no_difference(path: str, query: str) -> None:
    plain = template(f"/{path}".encode())
    assert template(f"/{path}?{query}".encode()) == plain
    assert template(f"http://h:80/{path}#{query}".encode()) == plain


def test_many_ids_make_one_template() -> None:
    dice = random.Random(7)
    targets = [f"/users/{dice.randrange(10**9)}/files/{uuid.UUID(int=dice.getrandbits(128))}.pdf"
               for _ in range(2000)]  # fmt: skip
    assert {template(target.encode()) for target in targets} == {
        (b"/users/{id}/files/{id}.pdf", False)
    }


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/a/42?x=1", b"/a/42"),
        (b"http://h/a/42#x", b"/a/42"),
        (b"http://h?a=/b", b"/"),
        (b"*", b"*"),
        (b"", b"/"),
    ],
)
def test_path_of_keeps_ids(target: bytes, path: bytes) -> None:
    assert path_of(target) == path


def test_path_of_authority_form() -> None:
    assert path_of(b"example.com:443", connect=True) == b"example.com:443"
