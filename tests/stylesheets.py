"""Stylesheets that are parsed once in a process: of tests, each has an app that parses them all."""

from __future__ import annotations

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.css.types import CSSLocation

_PARSED: dict[tuple[object, ...], list[RuleSet]] = {}


def parse_once(patch: pytest.MonkeyPatch) -> None:
    """Have apps share the rules that the same text gives with the same variables."""
    parse = Stylesheet._parse_rules

    def shared(
        sheet: Stylesheet,
        css: str,
        read_from: CSSLocation,
        is_default_rules: bool = False,
        tie_breaker: int = 0,
        scope: str = "",
    ) -> list[RuleSet]:
        given = (css, read_from, is_default_rules, tie_breaker, scope)
        key = (*given, *sheet._variables.items())
        if key not in _PARSED:
            _PARSED[key] = parse(sheet, *given)
        return _PARSED[key]

    patch.setattr(Stylesheet, "_parse_rules", shared)
