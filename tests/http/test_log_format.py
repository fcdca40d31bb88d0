"""Apache's log formats: what is understood, and what is said of what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.http.log_format import NAMED, Directive, FormatError, parse_log_format


def test_the_common_format() -> None:
    plain = [part for part in parse_log_format(NAMED["clf"]) if isinstance(part, str)]
    letters = [part.letter for part in parse_log_format(NAMED["clf"]) if not isinstance(part, str)]
    assert letters == list("hlutrsb")
    assert plain == [" ", " ", " ", ' "', '" ', " "]


def test_arguments_conditions_marks_and_escapes() -> None:
    assert parse_log_format(r"%%\t\"\\%>s%!200,304{User-agent}i%404{serial}x%{%Y}t") == (
        '%\t"\\',
        Directive("s"),
        Directive("i", "User-agent", frozenset((200, 304)), True),
        Directive("x", "serial", frozenset((404,))),
        Directive("t", "%Y"),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("%h %y", "unknown letter 'y' at character 4: '%y'; known are a B b"),
        ("%", "a letter such as %h is needed at character 1"),
        ("%h %{x", "a letter such as %h is needed at character 4"),
        ("%{far}T", "one of %T, %{s}T, %{ms}T, %{us}T is needed at character 1"),
        ("%{x}h", "one of %h is needed"),
        ("%i", "the name of a field is needed: %{Name}i at character 1"),
        ("%{a b}o", "the name of a field is needed: %{Name}o"),
        ("%{nothing}x", "one of %{serial}x, %{side}x"),
        ("%x", "one of %{serial}x, %{side}x"),
        ("%!s", "status codes are needed after the !"),
        ("%h\\n", 'after a backslash, one of \\ " t is needed at character 3'),
        ("%h\\", "after a backslash"),
        ("just text", "at least one letter"),
        ("", "at least one letter"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_log_format(text)
    assert str(caught.value).startswith(told)


@given(st.text(st.sampled_from('%h{}sTt!>,204"\\ x')))
def test_any_text_is_a_format_or_a_fault(text: str) -> None:
    try:
        parts = parse_log_format(text)
    except FormatError:
        return
    assert any(isinstance(part, Directive) for part in parts)
