"""What docs/screen.md says of keys, menus, columns and settings is what there is."""

from __future__ import annotations

from tests.screens.docs_tables import PAGE, blocks_of, tables, with_tables


async def test_the_tables_of_the_page_are_those_of_the_code() -> None:
    text = PAGE.read_text("utf-8")
    made = await tables()
    assert sorted(blocks_of(text)) == sorted(made), "a view or a menu has no table there"
    assert with_tables(text, made) == text, "make docs-pictures writes the tables"
