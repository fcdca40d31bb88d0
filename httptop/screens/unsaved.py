"""Find what was changed on the screen and can be saved as settings; pure functions."""

from __future__ import annotations

import re
from dataclasses import replace

from httptop.config.settings import Paths, Ui, Watches
from httptop.filters import Value, parse
from httptop.filters.on_screen import joined
from httptop.view.state import View


def changes(
    view: View,
    ui: Ui,
    theme: str,
    paths: Paths,
    read: Paths,
    watches: Watches,
    read_watches: Watches,
) -> dict[str, object]:
    """Return the settings, by key, that differ from those last read (``ui``, ``read``...)."""
    now = {
        "ui.filter": (filter_text(view), ui.filter),
        "ui.sort": (view.sort, ui.sort),
        "ui.side": (view.side, ui.side),
        "ui.theme": (theme, ui.theme),
        "paths.templates": (paths.templates, read.templates),
        "paths.keep": (paths.keep, read.keep),
        "watches.rules": (watches.rules, read_watches.rules),
    }
    return {key: value for key, (value, before) in now.items() if value != before}


def filter_text(view: View) -> str:
    """Return a view's filters as one filter; the part of a path becomes a case-sensitive glob."""
    parts = () if view.expression is None else (view.expression,)
    if view.path_filter:
        literally = re.sub(r"([*?\[])", r"[\1]", view.path_filter)
        parts = (parse(f"path ~ {Value(f'*{literally}*', 'glob')}"), *parts)
    whole = joined(parts)
    return "" if whole is None else str(whole)


def pattern_of(path: str) -> str:
    """Return a path template as a pattern: ``/users/*/posts/*`` for ``/users/{id}/posts/{id}``."""
    return "/".join(
        "*" if re.fullmatch(r"\{[^{}]*\}", segment) else segment for segment in path.split("/")
    )


def merged(paths: Paths, pattern: str) -> Paths:
    """Return path rules that count paths of a pattern together; the pattern comes first."""
    return replace(
        paths,
        templates=(pattern, *_without(paths.templates, pattern)),
        keep=_without(paths.keep, pattern),
    )


def split(paths: Paths, pattern: str) -> Paths:
    """Return path rules that count paths of a pattern separately.

    A template of the user that joined them is removed; without one, they are kept as they are.
    """
    templates = _without(paths.templates, pattern)
    keep = _without(paths.keep, pattern)
    if templates == paths.templates:
        keep = (*keep, pattern)
    return replace(paths, templates=templates, keep=keep)


def _without(patterns: tuple[str, ...], pattern: str) -> tuple[str, ...]:
    """Return the patterns without those that match the same paths."""
    same = pattern_of(pattern)
    return tuple(other for other in patterns if pattern_of(other) != same)
