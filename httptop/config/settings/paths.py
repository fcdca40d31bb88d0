"""The settings of ``[paths]``: how paths become the templates of endpoints."""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.settings.string_types import PATH_PATTERN
from httptop.config.value_types import Choice, Integer, Many

PATHS_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "paths",
        "templates",
        Many(PATH_PATTERN),
        "Your own templates, tried first: /users/{name}/posts/{id}, or /users/*/posts/*. Adding "
        "one during a run merges the rows that match it; removing one affects new requests only.",
        live=True,
    ),
    Setting(
        "paths",
        "keep",
        Many(PATH_PATTERN),
        "Paths that are kept as they are unless a template matches: /files/* counts every file "
        "separately, from then on.",
        live=True,
    ),
    Setting(
        "paths",
        "id_rules",
        Many(Choice(("number", "hex", "mixed"))),
        "Which parts of paths become {id}: numbers, hexadecimal ids, mixed letters and digits.",
    ),
    Setting(
        "paths",
        "max_distinct",
        Integer(1, 32768),
        "Number of paths with a row of their own per process and method; all others are counted "
        "under ~other.",
    ),
    Setting(
        "paths",
        "max_not_found",
        Integer(0, 32768),
        "Number of endpoints with a row of their own per process and side of which no outcome but "
        "404, 400 and 405 was ever seen; if there are more, the row ~not found has them all. "
        "0: any number.",
    ),
)
