"""Menus of letters."""

from __future__ import annotations

from httptop.view.menus import SORT_LETTERS, row_menu, sort_menu
from httptop.view.sorts import SORTS


def test_every_order_has_a_letter_of_its_own() -> None:
    assert set(SORT_LETTERS) == set(SORTS)
    assert len(set(SORT_LETTERS.values())) == len(SORT_LETTERS)


def test_no_letter_of_a_menu_does_two_things() -> None:
    for menu in (row_menu(excluded=False), row_menu(excluded=True), sort_menu({}, "rps")):
        keys = [choice.key for choice in menu.choices]
        assert len(set(keys)) == len(keys)
        assert all(len(key) == 1 and key.isalnum() for key in keys)
