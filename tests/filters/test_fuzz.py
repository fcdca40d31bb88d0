"""Ten thousand configurations and filters each: they are understood, or refused with clean errors.

HTTPTOP_FUZZ=100000 tries more, and other ones each time.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from httptop.config.conflicts import contradictions
from httptop.config.load import Config, build, check_file, check_text
from httptop.config.problems import ConfigError
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
from httptop.linux.files import InvokingUser
from tests.config.test_load import EXAMPLES

Made = TypeVar("Made")

_MORE: Final = int(os.environ.get("HTTPTOP_FUZZ", "0"))
_CASES: Final = _MORE or 10_000

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
    '"\\u001b\\u202e" = 1',
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


#: Characters that parsers trip over, and some of every length in UTF-8.
_CHARACTERS: Final = (
    *map(chr, range(32, 127)),
    *"\0\a\b\t\n\v\f\r\x1b\x7f\x85\xa0\xe9\xff\u0600\u200b\u2028\u202e\u3042\ufeff\ufffd",
    *"\U0001f600\U000e0001\U0010ffff",
)


def check_each(
    make: Callable[[random.Random], Made], check: Callable[[Made], None], count: int = _CASES
) -> None:
    """Check made-up cases: the same ones each time, unless more are asked for; equal ones once.

    Not by hypothesis, whose drawing costs ten times as much as what is tested here.
    """
    seed = random.SystemRandom().randrange(1 << 32) if _MORE else 0
    dice = random.Random(seed)
    checked: set[str] = set()
    for number in range(count):
        case = make(dice)
        if (shown := repr(case)) in checked:
            continue
        checked.add(shown)
        try:
            check(case)
        except Exception as error:
            error.add_note(f"case {number} of seed {seed}: {shown}")
            raise


def picked(dice: random.Random, words: list[str], most: int) -> list[str]:
    return dice.choices(words, k=dice.randint(0, most))


def characters(dice: random.Random, most: int) -> str:
    return "".join(dice.choices(_CHARACTERS, k=dice.randint(0, most)))


def text(dice: random.Random) -> str:
    return "\n".join(picked(dice, _LINES, 6)) if dice.random() < 0.5 else characters(dice, 40)


def document(dice: random.Random) -> str:
    """Return settings, each key once, with values that may be of any type."""
    keys = dict.fromkeys(picked(dice, _KEYS, 4))
    return "\n".join(f"{key} = {dice.choice(_VALUES)}" for key in keys)


def filter_text(dice: random.Random) -> str:
    joined_by = dice.choice((" ", "", None))
    return characters(dice, 20) if joined_by is None else joined_by.join(picked(dice, _WORDS, 8))


def content(dice: random.Random) -> bytes:
    return dice.randbytes(dice.randint(0, 100))


def values(dice: random.Random) -> dict[str, object]:
    """Return values that some settings may have."""
    some = dice.sample(SETTINGS, dice.randint(0, 12))
    return {setting.key: allowed(dice, setting, setting.kind) for setting in some}


def allowed(dice: random.Random, setting: Setting, kind: Kind) -> object:
    """Return a value that a setting may have, the least and the largest more often."""
    match kind:
        case Duration(low_ns, high_ns, seconds):
            some_ns = dice.choice((low_ns, high_ns, dice.randint(low_ns, high_ns)))
            return some_ns / 1e9 if seconds else some_ns
        case Size(low, high, False) | Integer(low, high):
            return dice.choice((low, high, dice.randint(low, high)))
        case Number(low, high):
            return float(dice.choice((low, high, dice.uniform(low, high))))
        case Switch():
            return dice.random() < 0.5
        case Choice(words):
            return dice.choice(words)
        case Many(item) if isinstance(item, Integer | Choice):
            found = (allowed(dice, setting, item) for _ in range(dice.randint(0, 3)))
            return tuple(dict.fromkeys(found))
        case _:
            return dice.choice((setting.default, _OTHERS[setting]))


def clean_or_refused(text: str) -> Config | None:
    """Return the configuration of a text; None where it was refused as it should be."""
    try:
        return check_text(text, Path("/a.toml"))
    except ConfigError as caught:
        errors = caught.problems
    assert errors
    for error in errors:
        assert str(error).isprintable()
        assert str(error).startswith("/a.toml")
        assert error.line is None or 1 <= error.line <= text.count("\n") + 1
    return None


def test_any_text() -> None:
    def check(text: str) -> None:
        config = clean_or_refused(text)
        if config is not None:
            saved = to_toml(config.settings, text)
            assert check_text(saved, Path("/a.toml")).settings == config.settings
            assert to_toml(config.settings, saved) == saved

    check_each(text, check)


def test_any_values_of_known_keys() -> None:
    def check(text: str) -> None:
        clean_or_refused(text)

    check_each(document, check)


def test_any_bytes(tmp_path: Path) -> None:
    file = tmp_path / "fuzz.toml"
    invoker = InvokingUser(os.geteuid(), os.getegid(), Path("/"))

    def check(content: bytes) -> None:
        file.write_bytes(content)
        errors = ""
        try:
            check_file(file, invoker)
        except ConfigError as error:
            errors = str(error)
        assert all(line.isprintable() for line in errors.split("\n"))
        assert file.read_bytes() == content

    check_each(content, check, _CASES // 5)


def test_saved_and_loaded_is_saved_as_the_same_bytes() -> None:
    def check(values: dict[str, object]) -> None:
        given = build(values)
        text = to_toml(given)
        try:
            again = check_text(text, Path("/a.toml")).settings
        except ConfigError:
            assert list(contradictions(given))
            return
        assert again == given
        assert to_toml(again, text) == to_toml(again) == text

    check_each(values, check, _CASES // 20)


def test_any_filter() -> None:
    def check(text: str) -> None:
        try:
            tree = parse(text)
        except FilterError as error:
            column = error.column
        else:
            assert str(parse(str(tree))) == str(tree)
            return
        assert 1 <= column <= len(text) + 1

    check_each(filter_text, check)
