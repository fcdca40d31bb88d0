"""Filters in the kernel: their shape, when they are decided, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.bpf.filter.c_conditions import Conditions, conditions_of
from httptop.config.scope import limited
from httptop.filters import And, Compare, Expression, FilterError, Not, Or, evaluate
from httptop.filters.values import parse_value
from tests.bpf.tables import in_set


def made(text: str) -> Conditions:
    return conditions_of(limited(text).kernel)


def body(text: str, function: str) -> str:
    """Return what a function of the generated C returns."""
    found = re.search(rf"{function}\(.*?\n{{\n(.*?)\n}}", made(text).text, re.DOTALL)
    assert found, made(text).text
    return found[1].rpartition("return ")[2]


def test_without_a_filter_nothing_is_compiled() -> None:
    assert conditions_of(()) == Conditions()


#: Two filters of one shape for every field; the second has more values, of other kinds.
SAME_SHAPE: Final = {
    "pid": ("pid = 7", "pid = 8,9,100-200,5000"),
    "pid, an order": ("pid = 7", "pid >= 100"),
    "user": ("user = 0", "user = 1,2,65534"),
    "container": ("container = a", "container ~ b*,c"),
    "comm": ("comm = nginx", "comm ~ ng*,search,a?c,*x*"),
    "side": ("side = server", "side = client"),
    "port": ("port = 80", "port = 443,8000-8999"),
    "peer": ("peer = 10.0.0.1", "peer = 10.0.0.0/8,::1,fe80::/10"),
    "socket": ("socket = tcp", "socket = unix"),
    "connection": ("connection = opened", "connection = accepted,opened"),
    "host": ("host = a.example", "host ~ *.example.org,b," + "c" * 60),
    "method": ("host = a or method = GET", "host = a or method = PUT,OTHER,DELETE"),
    "status": ("port = 1 or status = 404", "port = 1 or status = 5xx,400-403,unknown"),
    "status, an order": ("port = 1 or status = 404", "port = 1 or status < 200"),
    "latency": ("latency > 10ms", "latency = 1s-2s,5s"),
    "size": ("size > 10", "size = 1KiB,2KiB-1MiB"),
    "request_size": ("request_size > 10", "request_size <= 7"),
    "equal values": ("pid = 7 or port = 7 or pid = 7", "pid = 7 or port = 8 or pid = 9"),
}


@pytest.mark.parametrize("name", SAME_SHAPE)
def test_only_the_shape_is_compiled(name: str) -> None:
    one, other = map(made, SAME_SHAPE[name])
    assert one.text
    assert (one.text, one.defines) == (other.text, other.defines)
    assert (one.tables, one.containers) != (other.tables, other.containers)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pid = 7", "port = 7"),
        ("pid = 7", "pid != 7"),
        ("pid = 7 and port = 8", "pid = 7 or port = 8"),
        ("not (pid = 7 and port = 8)", "pid = 7 and port = 8"),
    ],
)
def test_another_shape_is_another_program(one: str, other: str) -> None:
    assert made(one).text != made(other).text


def test_very_many_values_take_more_room() -> None:
    def odd_numbers(below: int) -> Conditions:
        values = (parse_value("pid", "=", str(number), False) for number in range(1, below, 2))
        return conditions_of([Compare("pid", "=", tuple(values))])

    some, many = odd_numbers(4000), odd_numbers(5000)
    assert some.text == many.text
    assert (some.defines["FILTER_RANGES"], many.defines["FILTER_RANGES"]) == (2048, 4096)
    assert in_set(many, 0, 4999)
    assert not in_set(many, 0, 4998)


def test_a_process_is_decided_at_its_calls() -> None:
    assert body("pid = 7,9", "selects_process") == "((in_set(sets, 0, pid)));"
    assert body("pid = 7,9", "selects_connection") == "1;"
    flags = {name for name, value in made("pid = 7").defines.items() if value == 1}
    assert flags == {"FILTER_PROCESS", "FILTER_CONNECTION", "FILTER_SETS"}


def test_what_is_not_known_yet_is_possible() -> None:
    text = "pid = 7 and latency > 1s or port = 80"
    assert body(text, "selects_process") == "1;"
    assert body(text, "selects_connection") == "((((truths >> 0 & 1))) || ((truths >> 1 & 1)));"
    assert "in_set(sets, 1, outcome->latency_ns)" in body(text, "selects_response")
    assert "FILTER_REQUEST" in made(text).defines


def test_a_negation_of_what_is_not_known_yet_is_possible_too() -> None:
    assert body("not (pid = 7 and latency > 1s)", "selects_process") == "1;"
    text = body("not (pid = 7 or latency > 1s)", "selects_process")
    assert text == "((!((in_set(sets, 0, pid)))));"


def test_responses_are_held_back_for_their_size_only() -> None:
    assert made("size > 1KiB").holds_back
    assert not made("request_size > 1KiB").holds_back


def test_no_text_of_the_users_reaches_the_compiler() -> None:
    text = made('comm ~ "*x;}/*" and host = "a\\"b" and container ~ "c*/"').text
    assert ";}" not in text.replace(";\n}", "").replace("};", "")
    assert "*/" not in text
    assert '"' not in text


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


NAMES = ("pid", "status", "latency")
LEAVES = st.builds(
    lambda name, operator, lows: Compare(
        name,
        operator,
        tuple(
            parse_value(name, operator, f"{low}{'ns' * (name == 'latency')}", False)
            for low in (lows if operator in ("=", "!=") else lows[:1])
        ),
    ),
    st.sampled_from(NAMES),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    st.lists(st.integers(100, 104), min_size=1, max_size=3),
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
    conditions = conditions_of([expression])
    selected = evaluate(expression, lambda name: (known[name],)) is True
    truths = 0
    for bit, leaf in enumerate(re.findall(r"truths \|= \(u64\)\((.*)\) << ", conditions.text)):
        truths |= run(conditions, leaf, known) << bit
    variables = {
        "pid": known["pid"],
        "outcome_status": known["status"],
        "outcome_latency_ns": known["latency"],
        "truths": truths,
    }
    stages = [
        run(conditions, found, variables)
        for found in re.findall(r"selects_\w+\([^{]*\{[^}]*return (.*);\n\}", conditions.text)
    ]
    assert all(stages) == selected


def run(conditions: Conditions, text: str, variables: Mapping[str, int]) -> bool:
    """Evaluate an expression of the generated C, by way of Python's."""
    python = text.replace("&&", " and ").replace("||", " or ").replace("->", "_")
    python = re.sub(r"!(?!=)", " not ", python)
    functions = {"in_set": lambda _, number, value: in_set(conditions, number, value), "sets": None}
    return bool(eval(python, {"__builtins__": {}}, {**functions, **variables}))
