"""What was changed on the screen, as settings."""

from __future__ import annotations

from httptop.config.settings import Paths, Ui, Watches
from httptop.filters import parse
from httptop.filters.on_screen import parse_for_screen
from httptop.screens.unsaved import changes, filter_text, merged, pattern_of, split
from httptop.view.state import View
from tests.factory import endpoint, key
from tests.filters.plain import matches_row


def test_only_what_differs_is_a_change() -> None:
    ui, paths, watches = Ui(), Paths(), Watches()
    same = (paths, watches, watches)
    assert changes(View(), ui, ui.theme, paths, *same) == {}
    view = View(side="client", sort="p99", expression=parse("comm = a"))
    assert changes(view, ui, "light", Paths(keep=("/a/*",)), *same) == {
        "ui.filter": "comm = a",
        "ui.sort": "p99",
        "ui.side": "client",
        "ui.theme": "light",
        "paths.keep": ("/a/*",),
    }
    assert changes(View(), Ui(filter="comm = a"), ui.theme, paths, *same) == {"ui.filter": ""}
    fewer = Watches(watches.rules[1:])
    assert changes(View(), ui, ui.theme, paths, paths, fewer, watches) == {
        "watches.rules": watches.rules[1:]
    }


def test_the_part_of_a_path_is_saved_so_that_it_means_itself() -> None:
    for part in ("users", "a b", "[x]*?", "/r/", '"', "and", "{id}"):
        text = filter_text(View(path_filter=part, expression=parse("comm = nginx or comm = b")))
        saved = parse_for_screen(text)
        assert matches_row(saved, endpoint(key(f"/x{part}y")))
        assert not matches_row(saved, endpoint(key("/other")))
        assert not matches_row(saved, endpoint(key(f"/x{part}y", process="c")))
        assert str(saved) == text


def test_patterns_of_templates() -> None:
    assert pattern_of("/users/{id}/posts/{name}") == "/users/*/posts/*"
    assert pattern_of("/a{b}/*") == "/a{b}/*"


def test_merged_paths_go_before_others_and_are_no_longer_kept() -> None:
    paths = Paths(templates=("/a/*", "/b/*"), keep=("/c/{id}",))
    assert merged(paths, "/c/*") == Paths(templates=("/c/*", "/a/*", "/b/*"))
    assert merged(paths, "/b/{x}").templates == ("/b/{x}", "/a/*")


def test_split_takes_back_a_template_or_keeps_what_the_rules_would_join() -> None:
    paths = Paths(templates=("/a/{x}",))
    assert split(paths, "/a/*") == Paths()
    assert split(Paths(), "/a/*") == Paths(keep=("/a/*",))
    assert split(split(Paths(), "/a/*"), "/a/*") == Paths(keep=("/a/*",))
