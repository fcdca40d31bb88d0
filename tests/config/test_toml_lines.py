"""Lines of keys and the user's comments, by a look at the text."""

from __future__ import annotations

import pytest

from httptop.config.toml_lines import AT_END, lines_of_keys, user_comments

_KEYS = {"general.tick", "general.window", "ui.sort"}


def test_lines_of_keys_and_sections() -> None:
    text = '\n[general]\n  tick = 1\r\nui.sort = "a=b"\n# x = 1\n[filter . process]\npids = [\n1]\n'
    assert lines_of_keys(text) == {
        "general": 2,
        "general.tick": 3,
        "general.ui": 4,
        "general.ui.sort": 4,
        "filter.process": 6,
        "filter.process.pids": 7,
    }


@pytest.mark.parametrize(
    ("line", "comment"),
    [
        ("tick = 1 # mine", "# mine"),
        ("tick = 1 ## mine", "# mine"),
        ("tick = \"a # b\" #'mine'", "# 'mine'"),
        (r'tick = "a \" # b" # mine', "# mine"),
        ("tick = 'a \\' # mine", "# mine"),
        ('tick = """a # b""" # mine', "# mine"),
        ("tick = 1#", "#"),
    ],
)
def test_a_comment_behind_a_key_belongs_to_it(line: str, comment: str) -> None:
    assert user_comments(f"[general]\n{line}\nwindow = 2", _KEYS) == {"general.tick": [comment]}


def test_comments_belong_to_the_key_that_follows() -> None:
    text = "#a\n[general] # b\n## ours\n# c\ntick = 1\nwindow = 'x # y'\n[ui]\nfoo = 1\n# d\u2028e"
    assert user_comments(text, _KEYS) == {
        "general.tick": ["#a", "# b", "# c"],
        AT_END: ["# d\u2028e"],
    }


@pytest.mark.parametrize("text", [" " * 500_000, "a" * 500_000, 'a = "' + "#" * 500_000 + '"', "["])
def test_long_lines_take_no_time(text: str) -> None:
    assert not user_comments(text, _KEYS)
    assert len(lines_of_keys(text)) <= 1
