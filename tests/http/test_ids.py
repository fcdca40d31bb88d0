"""Ids within segments: kinds of paths that are one row, and names that stay."""

from __future__ import annotations

from collections import Counter

import pytest

from httptop.http import ids
from httptop.http.path_template import template
from tests import vectors
from tests.vectors import id_shapes


@pytest.mark.parametrize("shape", id_shapes.SHAPES)
def test_ids_of_a_kind_are_one_row(shape: str) -> None:
    rows = Counter(template(target)[0].decode() for target in id_shapes.values(shape))
    _, most = id_shapes.SHAPES[shape]
    assert rows.most_common(1)[0][0] == shape
    assert len(rows) <= most, rows


def test_names_of_real_interfaces_stay() -> None:
    names = vectors.names()
    assert len(names) > 400
    assert [name for name in names if ids.segment_template(name) != name] == []


@pytest.mark.parametrize(
    "secret",
    [
        b"/login;token=%s", b"/login;%s", b"/a%%3Ftoken=%s", b"/a%%3bb%%3d%s", b"/Users('%s')",
        b"/%s@example.com", b"/proxy/http://me:%s@localhost/", b"/proxy/http:%%2F%%2Fme:%s%%40h/",
        b"//me:%s@host/x", b"/x/%s%%40example.com:verify", b"/@%s:example.org",
    ],
)  # fmt: skip
def test_what_may_be_secret_is_in_no_template(secret: bytes) -> None:
    assert b"hunter" not in template(secret % b"hunter")[0]
    assert b"hunter" in template(b"/hunter")[0]


def test_random_text_scores_higher_than_names() -> None:
    """The weights are one row and one column for each group."""
    assert {len(row) for row in ids.WEIGHTS} == {len(ids.WEIGHTS)} == {len(ids.GROUPS)}
    assert all(-128 <= weight < 128 for row in ids.WEIGHTS for weight in row)
