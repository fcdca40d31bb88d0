"""The tables of docs/screen.md: keys, letters of menus, columns and settings, from the code itself.

``make docs-pictures`` writes them into the page; a test says when they are others.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from textual.pilot import Pilot

from httptop.app import HttptopApp
from httptop.config.toml_document import settings_table
from httptop.screens.base import HttptopScreen
from httptop.screens.commands import Command, commands
from httptop.view.keys import ACTIONS
from httptop.view.menus import SORT_LETTERS
from httptop.widgets.columns import COLUMNS
from tests.factory import waiting
from tests.screens.handles import show
from tests.screens.views import VIEWS, controls, go, leave

PAGE: Final = Path(__file__).parents[2] / "docs" / "screen.md"
#: The views that have keys of their own, as the page calls them.
_PAGES: Final = ("endpoint", "request", "in flight", "compare", "watches", "health")
_BLOCK: Final = re.compile(r"(?<=<!-- table: )([\w ]+)( -->\n).*?(?=<!-- end of table -->)", re.S)


def blocks_of(text: str) -> list[str]:
    """Return the names of the tables of a page."""
    return [found[1] for found in _BLOCK.finditer(text)]


def with_tables(text: str, tables: dict[str, str]) -> str:
    """Return a page with these tables in their places."""
    return _BLOCK.sub(lambda found: f"{found[1]}{found[2]}{tables[found[1]]}\n", text)


async def tables() -> dict[str, str]:
    """Return all tables by their names."""
    made = {"settings": _settings(), "columns": _columns()}
    app = HttptopApp(run=controls())
    async with app.run_test(size=(120, 40)) as pilot:
        await show(pilot, waiting())
        home = commands(app.screen, ACTIONS)
        made["keys"] = _all_keys(home)
        made |= _menus(app)
        for view in VIEWS:
            if view.name in _PAGES:
                made[view.name] = await _page(pilot, view.keys, home)
                await leave(pilot)
    return made


async def _page(pilot: Pilot[int], keys: Sequence[str], home: Sequence[Command]) -> str:
    app = await go(pilot, next(view for view in VIEWS if view.keys == keys))
    found = commands(app.screen, ACTIONS)
    known = {(one.keys, one.meaning) for one in home}
    own = [one for one in found if (one.keys, one.meaning) not in known]
    same = [_code(one.keys[:1]) for one in found if (one.keys, one.meaning) in known]
    table = _table(("key", "what it does"), ((_code(one.keys), one.meaning) for one in own))
    return f"{table}\nAs on the dashboard: {' '.join(same)}.\n"


def _all_keys(found: Iterable[Command]) -> str:
    rows = [
        (one.group, _code(one.keys), one.meaning, f"`{one.name}`" if one.name else "")
        for one in found
    ]
    return _table(("", "key", "what it does", "name in `ui.keys`"), rows)


def _menus(app: HttptopApp) -> dict[str, str]:
    screen = app.screen
    assert isinstance(screen, HttptopScreen)
    return {
        f"{name} menu": _table(
            ("letter", name), ((_code((one.key,)), one.label) for one in menu.choices)
        )
        for name, menu in screen.menus().items()
        if name in ("group", "only")
    }


def _columns() -> str:
    rows = ((f"`{one.title}`", _code((SORT_LETTERS[one.sort],)), one.meaning) for one in COLUMNS)
    return _table(("column", "`s` and", "what it is"), rows)


def _settings() -> str:
    heading, rule, *rows = settings_table().splitlines()
    own = [row for row in rows if row.startswith(("| `ui.", "| `watches."))]
    return "\n".join((heading, rule, *own)) + "\n"


def _code(keys: Iterable[str]) -> str:
    return " ".join(f"`{key}`" for key in keys)


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in escaped)


def write() -> None:
    """Write the tables into the page."""
    PAGE.write_text(with_tables(PAGE.read_text("utf-8"), asyncio.run(tables())), "utf-8")


if __name__ == "__main__":
    write()
