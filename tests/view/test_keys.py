"""Keys: one table, and what becomes of it with keys of the user's own."""

from __future__ import annotations

import re

import pytest

from httptop.view.keys import ACTIONS, behind_escape, effective, parse_key, shown


def keys(name: str, *own: str) -> tuple[str, ...]:
    return next(action.keys for action in effective(own) if action.name == name)


def test_no_key_does_two_things() -> None:
    given = [key for action in ACTIONS for key in action.keys]
    assert len(set(given)) == len(given)
    assert len({action.name for action in ACTIONS}) == len(ACTIONS)


def test_an_own_key_goes_before_ours() -> None:
    assert keys("pause") == ("p",)
    assert keys("pause", "pause=f7") == ("f7", "p")
    assert keys("fold", "pause=space") == ("o",)
    assert keys("drop", "quit=x", "drop=q") == ("q",)


@pytest.mark.parametrize(
    ("own", "error"),
    [
        (["pause=r"], "r is the only key of 'reverse'"),
        (["pause=f7", "side=f7"], "f7 is given to both 'pause' and 'side'"),
        (["paus=x"], "unknown action 'paus'; did you mean 'pause'?"),
        (["zzz=x"], "there are down, up,"),
        (["not_pid=o"], "no action 'not_pid' any more: hide (!), then i does it"),
        (["pause=3"], "3 chooses a panel"),
        (["notes=f12"], "no action 'notes' any more: health does it"),
        (["live=f12"], "no action 'live' any more: the digit in the title of a panel"),
        (["pause=ctrl+q"], "quits"),
        (["pause=spcae"], "did you mean 'space'"),
        (["pause=f13"], "unknown key"),
        (["pause=hyper+x"], "unknown key"),
        (["pause"], "as in pause=space"),
        (["pause="], "as in pause=space"),
    ],
)
def test_what_is_invalid_is_refused_with_the_reason(own: list[str], error: str) -> None:
    with pytest.raises(ValueError, match=re.escape(error)):
        effective(own)


def test_signs_have_names() -> None:
    assert parse_key("pause=?") == ("pause", "question_mark")
    assert parse_key("pause==") == ("pause", "equals_sign")
    assert parse_key("pause=ctrl+x") == ("pause", "ctrl+x")


def test_names_of_keys_on_the_screen() -> None:
    expected = {"question_mark": "?", "escape": "Esc", "f1": "F1", "G": "G", "ctrl+c": "Ctrl-C"}
    assert {key: shown(key) for key in expected} == expected
    assert shown("shift+tab") == "Shift-Tab"


def test_alt_and_a_letter_may_be_esc_and_the_letter() -> None:
    expected = {
        "alt+j": "j", "alt+shift+o": "O", "alt+5": "5",
        "j": None, "shift+j": None, "alt+ctrl+j": None, "alt+enter": None, "escape": None,
    }  # fmt: skip
    assert {key: behind_escape(key) for key in expected} == expected
