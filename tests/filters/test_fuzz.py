"""Ten thousand configurations and filters each: they are understood, or refused with clean faults.

HTTPTOP_FUZZ=100000 tries more, and other ones each time.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from httptop.config.conflicts import contradictions
from httptop.config.load import Config, ConfigError, build, check_file, check_text
from httptop.config.settings import BY_KEY, SETTINGS, Setting
from httptop.config.toml_document import to_toml
from httptop.config.value_types import (
    Choice,
    Duration,
    Integer,
    Kind,
    Many,
    Number,
    Size,
    Switch,
    show_text,
)
from httptop.filters import FilterError, parse
from httptop.filters.values import FIELDS
from httptop.linux.files import Caller
from tests.config.test_load import EXAMPLES

_MORE = int(os.environ.get("HTTPTOP_FUZZ", "0"))
fuzzed = settings(
    max_examples=_MORE or 10_000,
    derandomize=not _MORE,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

_OTHERS = {setting: setting.kind.parse_text(EXAMPLES[setting.key][0]) for setting in SETTINGS}
_EXAMPLES = [text for pair in EXAMPLES.values() for text in pair]
_KEYS = [*BY_KEY, "general", "filter.process", "ui.x", '"general".tick', "a.b"]
#: Values as TOML: right ones, wrong ones, of every type.
_VALUES = [
    *(setting.kind.show(setting.default) for setting in SETTINGS),
    *(setting.kind.show(value) for setting, value in _OTHERS.items()),
    *(show_text(text) for text in _EXAMPLES),
    *(f"[{show_text(text)}]" for text in _EXAMPLES),
    *("[]", "{}", "[[]]", "{a = 1}", "{tick = '1s', window = 2}", "[1, 'a', {}]", "''", "="),
    *("nan", "-inf", "1e999", "0x10", "9" * 40, "1979-05-27", "07:32:00", "'\u202e'"),
    *map(str, (-1, 0, 1, 2, 100, 4096, 2**31, 2**63, 0.5, -0.5)),
]
_LINES = [
    "[general]",
    "[filter.process] # mine",
    "[filter",
    "[[filter]]",
    'tick = "1s" # mine',
    "tick = [",
    "pids = [1,",
    "2] # two",
    "pids = {a = 1}",
    "general.tick = nan",
    "filter = 3",
    '"general" = 1',
    '"fil\\u0074er"."process" . pids = [1]',
    "exclude_pids = [1]",
    "x = 1e999",
    'x = """',
    "# mine",
    "## ours",
    "\ufeff",
    "\x85\u2028",
    "a.b.c.d.e.f = 'x'",
]
_WORDS = [
    *FIELDS,
    *("=", "!=", "~", "!~", "<", "<=", ">", ">=", "==", "!"),
    *("and", "or", "not", "(", ")", ",", '"', "'", "\\", "/", "-", " "),
    *("10ms", "4KiB", "5xx", "400-499", "unknown", "10.0.0.0/8", "::1", "GET", "server", "yes"),
    *("/api/*", "/a[/", "[", "/x.*y/", "(?P<", "{id}", "*" * 40, "\x1b", "é"),
]


def picks(words: list[str], most: int) -> st.SearchStrategy[list[str]]:
    """Return lists of words; from bytes, which hypothesis draws a hundred times as fast."""

    def pick(raw: bytes) -> list[str]:
        numbers = (256 * high + low for high, low in zip(raw[::2], raw[1::2], strict=False))
        return [words[number % len(words)] for number in numbers]

    return st.binary(max_size=2 * most).map(pick)


_TEXTS = st.one_of(picks(_LINES, 6).map("\n".join), st.text(max_size=40))
_DOCUMENTS = st.builds(
    lambda keys, values: "\n".join(
        f"{key} = {value}" for key, value in zip(dict.fromkeys(keys), values, strict=False)
    ),
    picks(_KEYS, 4),
    picks(_VALUES, 4),
)
_FILTERS = st.one_of(
    picks(_WORDS, 8).map(" ".join), picks(_WORDS, 8).map("".join), st.text(max_size=20)
)


def clean_or_refused(text: str) -> Config | None:
    """Return the configuration of a text; None where it was refused as it should be."""
    try:
        return check_text(text, Path("/a.toml"))
    except ConfigError as error:
        faults = error.problems
    assert faults
    for fault in faults:
        assert str(fault).isprintable()
        assert str(fault).startswith("/a.toml")
        assert fault.line is None or 1 <= fault.line <= text.count("\n") + 1
    return None


@fuzzed
@given(_TEXTS)
def test_any_text(text: str) -> None:
    config = clean_or_refused(text)
    if config is not None:
        saved = to_toml(config.settings, text)
        assert check_text(saved, Path("/a.toml")).settings == config.settings
        assert to_toml(config.settings, saved) == saved


@fuzzed
@given(_DOCUMENTS)
def test_any_values_of_known_keys(text: str) -> None:
    clean_or_refused(text)


@settings(fuzzed, max_examples=fuzzed.max_examples // 5)
@given(content=st.binary(max_size=100))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzz.toml"
    file.write_bytes(content)
    faults = ""
    try:
        check_file(file, Caller(os.geteuid(), os.getegid(), Path("/")))
    except ConfigError as error:
        faults = str(error)
    assert all(line.isprintable() for line in faults.split("\n"))
    assert file.read_bytes() == content


def allowed(setting: Setting, kind: Kind) -> st.SearchStrategy[object]:
    """Return values that a setting may have."""
    match kind:
        case Duration(low_ns, high_ns, seconds):
            some = st.integers(low_ns, high_ns)
            return some.map(lambda ns: ns / 1e9) if seconds else some
        case Size(low, high, False) | Integer(low, high):
            return st.integers(low, high)
        case Number(low, high):
            return st.floats(low, high)
        case Switch():
            return st.booleans()
        case Choice(words):
            return st.sampled_from(words)
        case Many(item) if isinstance(item, Integer | Choice):
            return st.lists(allowed(setting, item), max_size=3, unique=True).map(tuple)
        case _:
            return st.sampled_from([setting.default, _OTHERS[setting]])


@settings(fuzzed, max_examples=fuzzed.max_examples // 20)
@given(
    st.dictionaries(st.sampled_from(SETTINGS), st.none(), max_size=12).flatmap(
        lambda some: st.fixed_dictionaries({s.key: allowed(s, s.kind) for s in some})
    )
)
def test_saved_and_loaded_is_saved_as_the_same_bytes(values: dict[str, object]) -> None:
    wanted = build(values)
    text = to_toml(wanted)
    try:
        again = check_text(text, Path("/a.toml")).settings
    except ConfigError:
        assert list(contradictions(wanted))
        return
    assert again == wanted
    assert to_toml(again, text) == to_toml(again) == text


@fuzzed
@given(_FILTERS)
def test_any_filter(text: str) -> None:
    try:
        tree = parse(text)
    except FilterError as error:
        column = error.column
    else:
        assert str(parse(str(tree))) == str(tree)
        return
    assert 1 <= column <= len(text) + 1
