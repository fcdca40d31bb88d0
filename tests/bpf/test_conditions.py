"""Filters in the kernel: their shape, when they are decided, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.bpf.abi import OUTCOME, SUBJECT
from httptop.bpf.filter.conditions import ON_OUTCOME, ON_SUBJECT, Conditions, conditions_of
from httptop.config.scope import limited
from httptop.filters import (
    And,
    Compare,
    Expression,
    FilterError,
    Not,
    Or,
    comparisons,
    evaluate,
)
from httptop.filters.values import parse_value
from tests.bpf.tables import result_of


def made(text: str) -> Conditions:
    return conditions_of(limited(text).kernel)


def test_without_a_filter_nothing_is_compiled_or_linked() -> None:
    assert conditions_of(()) == Conditions()


def selects(text: str, **known: int) -> dict[str, int]:
    """Return what each function says of a call and a response with these values."""
    return results(made(text), known)


def results(conditions: Conditions, known: Mapping[str, int]) -> dict[str, int]:
    """Run all functions as filter.h does; return their results."""
    subject = SUBJECT.pack(*(known.get(name, 0) for name in SUBJECT_NAMES))
    outcome = OUTCOME.pack(*(known.get(name, 0) for name in OUTCOME_NAMES))
    truths = result_of(conditions, "truths_of", subject)
    host_and_method = known.get("host", 0), known.get("method", 0)
    return {
        "truths_of": truths,
        "selects_process": result_of(conditions, "selects_process", subject),
        "selects_connection": result_of(conditions, "selects_connection", truths),
        "selects_request": result_of(conditions, "selects_request", truths, *host_and_method),
        "selects_response": result_of(conditions, "selects_response", truths, outcome),
        "selects_beginning": result_of(conditions, "selects_beginning", truths, outcome),
    }


SUBJECT_NAMES: Final = (
    "comm", "peer", "pid", "user", "container", "side", "port", "socket", "connection",
)  # fmt: skip
OUTCOME_NAMES: Final = ("latency", "request_size", "size", "status", "method", "host")


def test_the_fields_stand_where_the_programs_put_them() -> None:
    for given_, names, struct_ in (
        (ON_SUBJECT, SUBJECT_NAMES, SUBJECT),
        (ON_OUTCOME, OUTCOME_NAMES, OUTCOME),
    ):
        for name in names:
            place = given_[name]
            assert place.offset is not None
            values = [1 if other == name else 0 for other in names]
            data = struct_.pack(*values)
            assert data[place.offset : place.offset + place.width] == (1).to_bytes(
                place.width, "little"
            )


def asked(text: str) -> set[str]:
    """Return the constants that are 1."""
    return {name for name, value in made(text).constants.items() if value == 1}


def test_what_a_filter_does_not_compare_is_not_looked_for() -> None:
    assert asked("pid = 7") == {"FILTER_PROCESS"}
    assert asked("user = 0") == {"FILTER_PROCESS", "FILTER_USER"}
    assert asked("port = 80") == set()
    assert asked("peer = ::1 and comm = a") == {"FILTER_PEER", "FILTER_COMM"}
    later = {"FILTER_REQUEST", "FILTER_RESPONSE"}
    assert asked("container = a and status = 404 or host = a") == {
        *later, "FILTER_PROCESS", "FILTER_CONTAINER", "FILTER_HOST",
    }  # fmt: skip


def test_very_many_values_take_more_room() -> None:
    def odd_numbers(below: int) -> Conditions:
        values = (parse_value("pid", "=", str(number), False) for number in range(1, below, 2))
        return conditions_of([Compare("pid", "=", tuple(values))])

    some, many = odd_numbers(30), odd_numbers(5000)
    assert (some.constants["RANGES_MASK"], many.constants["RANGES_MASK"]) == (15, 4095)
    assert results(many, {"pid": 4999})["selects_process"] == 1
    assert results(many, {"pid": 4998})["selects_process"] == 0


def test_a_process_is_decided_at_its_calls() -> None:
    assert selects("pid = 7,9", pid=9)["selects_process"] == 1
    assert selects("pid = 7,9", pid=8)["selects_process"] == 0
    assert selects("pid = 7,9", pid=8)["selects_connection"] == 1  # decided before


def test_what_is_not_known_yet_is_possible() -> None:
    text = "pid = 7 and latency > 1s or port = 80"
    found = selects(text, pid=8, port=81, latency=2 * 10**9)
    assert found["selects_process"] == 1
    assert found["selects_connection"] == 0
    found = selects(text, pid=7, port=81, latency=10**9)
    assert (found["truths_of"], found["selects_connection"]) == (0b01, 1)
    assert found["selects_response"] == 0
    assert selects(text, pid=7, port=80, latency=10**9)["selects_response"] == 1


def test_a_negation_of_what_is_not_known_yet_is_possible_too() -> None:
    assert selects("not (pid = 7 and latency > 1s)", pid=7)["selects_process"] == 1
    assert selects("not (pid = 7 or latency > 1s)", pid=7)["selects_process"] == 0


def test_of_a_response_that_has_begun_the_size_is_possible() -> None:
    found = selects("size > 1KiB and (port = 1 or status = 200)", status=200)
    assert (found["selects_beginning"], found["selects_response"]) == (1, 0)
    assert (
        selects("size > 1KiB and (port = 1 or status = 200)", status=404)["selects_beginning"] == 0
    )


def test_responses_are_held_back_for_their_size_only() -> None:
    assert made("size > 1KiB").holds_back
    assert not made("request_size > 1KiB").holds_back


def test_sixty_four_comparisons_of_a_connection() -> None:
    text = " or ".join(f"port = {number}" for number in range(1, 65))
    found = selects(text, port=64)
    assert (found["truths_of"], found["selects_connection"]) == (1 << 63, 1)
    assert selects(text, port=65)["selects_connection"] == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("comm ~ *" + "a" * 64, "at most 63 characters"),
        (" or ".join(f"host = {name}" for name in "abcdefghi"), "at most 8 comparisons"),
        (" or ".join(f"container = {name}" for name in "abcdefghi"), "at most 8 comparisons"),
        (" or ".join(f"port = {number}" for number in range(1, 66)), "more than 64 comparisons"),
        ("host ~ " + ",".join(f"*{n:060}" for n in range(13)), "about 756 characters"),
        ("comm ~ " + ",".join(f"*{n:036}" for n in range(65)), "about 4032 characters"),
        ("peer ~ 10.*", "an address or a network"),
    ],
)  # fmt: skip
def test_what_is_too_much_is_refused(text: str, said: str) -> None:
    with pytest.raises(FilterError, match=said):
        made(text)


LEAVES = st.builds(
    lambda name, operator, lows: Compare(
        name,
        operator,
        tuple(
            parse_value(name, operator, f"{low}{'ns' * (name == 'latency')}", False)
            for low in (lows if operator in ("=", "!=") else lows[:1])
        ),
    ),
    st.sampled_from(["pid", "port", "status", "latency", "size"]),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    st.lists(st.integers(100, 104), min_size=1, max_size=3),
)
#: Fields whose comparisons the programs know as bits: each value is a name of its own.
WORDS = st.builds(
    lambda name, operator, number: Compare(
        name, operator, (parse_value(name, operator, f"w{number}", False),)
    ),
    st.sampled_from(["comm", "host"]),
    st.sampled_from(["=", "!="]),
    st.integers(0, 2),
)
EXPRESSIONS = st.recursive(
    st.one_of(LEAVES, WORDS),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.tuples(inner, inner)),
        st.builds(Or, st.tuples(inner, inner)),
    ),
    max_leaves=7,
)


@given(EXPRESSIONS, st.tuples(*[st.integers(99, 105)] * 5), st.tuples(*[st.integers(0, 3)] * 2))
def test_the_functions_mean_what_the_filter_means(
    expression: Expression, numbers: tuple[int, ...], words: tuple[int, ...]
) -> None:
    """The last moment decides exactly; earlier ones refuse nothing that it would take."""
    known: dict[str, int] = dict(
        zip(("pid", "port", "status", "latency", "size"), numbers, strict=True)
    )
    texts = dict(zip(("comm", "host"), (f"w{number}" for number in words), strict=True))
    conditions = conditions_of([expression])
    values: dict[str, str | int] = {**known, **texts}
    selected = evaluate(expression, lambda name: (values[name],)) is True
    for name, text in texts.items():
        leaves = [leaf for leaf in comparisons(expression) if leaf.name == name]
        known[name] = sum(
            1 << bit for bit, leaf in enumerate(leaves) if leaf.values[0].text == text
        )
    found = results(conditions, known)
    stages = ("selects_process", "selects_connection", "selects_request", "selects_response")
    assert all(found[name] for name in stages) == selected
    assert {found[name] for name in stages} <= {0, 1}
    if selected:
        assert found["selects_beginning"] == 1
