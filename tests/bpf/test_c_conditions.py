"""Filters in the kernel: when they are decided, and what is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.bpf.filter.c_conditions import Conditions, conditions_of
from httptop.config.scope import limited
from httptop.filters import And, Compare, Expression, FilterError, Not, Or, evaluate
from httptop.filters.values import parse_value


def made(text: str) -> Conditions:
    return conditions_of(limited(text).kernel)


def body(text: str, function: str) -> str:
    """Return what a function of the generated C returns."""
    found = re.search(rf"{function}\(.*?\n{{\n(.*?)\n}}", made(text).text, re.DOTALL)
    assert found, made(text).text
    return found[1].rpartition("return ")[2]


def test_without_a_filter_nothing_is_compiled() -> None:
    assert conditions_of(()) == Conditions()


def test_a_process_is_decided_at_its_calls() -> None:
    assert body("pid = 7,9", "selects_process") == "((pid == 0x7ULL) || (pid == 0x9ULL));"
    assert body("pid = 7,9", "selects_connection") == "1;"
    assert set(made("pid = 7").defines) == {"FILTER_PROCESS", "FILTER_CONNECTION"}


def test_what_is_not_known_yet_is_possible() -> None:
    text = "pid = 7 and latency > 1s or port = 80"
    assert body(text, "selects_process") == "1;"
    assert body(text, "selects_connection") == "((((truths >> 0 & 1))) || ((truths >> 1 & 1)));"
    assert "latency_ns > 0x3b9aca00ULL" in body(text, "selects_response")
    assert "FILTER_REQUEST" in made(text).defines


def test_a_negation_of_what_is_not_known_yet_is_possible_too() -> None:
    assert body("not (pid = 7 and latency > 1s)", "selects_process") == "1;"
    assert body("not (pid = 7 or latency > 1s)", "selects_process") == "((!(pid == 0x7ULL)));"


def test_responses_are_held_back_for_their_size_only() -> None:
    assert made("size > 1KiB").holds_back
    assert not made("request_size > 1KiB").holds_back


def test_no_text_of_the_users_reaches_the_compiler() -> None:
    text = made('comm ~ "*x;}/*" and host = "a\\"b" and container ~ "c*/"').text
    assert ";}" not in text.replace(";\n}", "").replace("};", "")
    assert "*/" not in text
    assert '"' not in text


@pytest.mark.parametrize(
    "text",
    [
        "comm ~ *" + "a" * 64,
        " or ".join(f"host = {name}" for name in "abcdefghi"),
        " or ".join(f"container = {name}" for name in "abcdefghi"),
        "peer ~ 10.*",
    ],
)
def test_what_is_too_much_is_refused(text: str) -> None:
    with pytest.raises(FilterError):
        made(text)


NAMES = ("pid", "status", "latency")
LEAVES = st.builds(
    lambda name, operator, low: Compare(
        name, operator, (parse_value(name, operator, f"{low}{'ns' * (name == 'latency')}", False),)
    ),
    st.sampled_from(NAMES),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    st.integers(100, 104),
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.tuples(inner, inner)),
        st.builds(Or, st.tuples(inner, inner)),
    ),
    max_leaves=6,
)


@given(EXPRESSIONS, st.tuples(*[st.integers(99, 105)] * 3))
def test_the_c_means_what_the_filter_means(expression: Expression, values: tuple[int, ...]) -> None:
    """The last moment decides exactly; earlier ones refuse nothing that it would take."""
    known = dict(zip(NAMES, values, strict=True))
    text = conditions_of([expression]).text
    meant = evaluate(expression, lambda name: (known[name],)) is True
    truths = 0
    for bit, leaf in enumerate(re.findall(r"truths \|= \(u64\)!!\((.*)\) << ", text)):
        truths |= bool(run(leaf, known)) << bit
    variables = {**known, "latency_ns": known["latency"], "truths": truths}
    stages = [
        run(found, variables)
        for found in re.findall(r"selects_\w+\([^{]*\{[^}]*return (.*);\n\}", text)
    ]
    assert all(stages) == meant


def run(text: str, variables: dict[str, int]) -> bool:
    """Evaluate an expression of the generated C, by way of Python's."""
    python = re.sub(r"(0x[0-9a-f]+)ULL", r"\1", text).replace("&&", " and ").replace("||", " or ")
    python = re.sub(r"!(?!=)", " not ", python)
    return bool(
        eval(python, {"__builtins__": {}}, {**variables, "latency_ns": variables["latency"]})
    )
