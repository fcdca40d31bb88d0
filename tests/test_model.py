"""The model: cleaning of hostile texts, and the few sums it makes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from httptop.model import Snapshot, clean
from tests.factory import row, snapshot_at


def test_clean_keeps_what_can_be_shown() -> None:
    assert clean("/größe/日本".encode()) == "/größe/日本"
    assert clean(b"/a[/b]") == "/a[/b]"


def test_clean_escapes_what_cannot() -> None:
    assert clean(b"/\x1b[31m\n\0") == "/\\x1b[31m\\x0a\\x00"
    assert clean(b"/\xff\xc3") == "/\\xff\\xc3"
    assert clean("/\u202e\u200b\x85".encode()) == "/\\u202e\\u200b\\x85"


def test_clean_bounds() -> None:
    assert clean(b"a" * 300) == "a" * 255 + "…"
    assert clean(b"a" * 256) == "a" * 256


@given(st.binary(max_size=400))
def test_clean_is_printable_bounded_and_stable(raw: bytes) -> None:
    text = clean(raw)
    assert text.isprintable()
    assert len(text) <= 256
    assert clean(text.encode()) == text


def test_sums() -> None:
    one = row(status={200: 5, 302: 1, 404: 2, 503: 3}, unanswered=4)
    assert [one.status_class(n) for n in range(1, 6)] == [0, 5, 1, 2, 3]
    assert one.errors == 9


def test_totals_of_a_side_without_any() -> None:
    bare = snapshot_at()
    empty = Snapshot(bare.taken_at, "box", 1.0, 1.0, 60.0, {}, ())
    assert empty.total("client").requests == 0
    assert not bare.health.good
    assert empty.health.good
