"""The themes: what colours mean is named once, and each theme says which colours these are.

Every text can be read on every background it stands on, and statuses can be told apart, also with
a deficiency of colour vision: tests/screens/test_themes.py has the limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from textual.theme import Theme

#: Variables that ``httptop.tcss`` and widgets use; a theme changes some, and Textual's own ones.
_DARK: Final = {
    "background": "#0c1117",
    "panel": "#16202a",
    "scrollbar": "#2b3a49",
    "hue-text": "#c9d4df",
    "hue-strong": "#f0f4f8",
    "hue-muted": "#8a9aaa",
    "hue-faint": "#6f8293",
    "hue-border": "#3d4a58",
    "hue-heading": "#8a9aaa",
    "hue-accent": "#8fd0f7",
    "hue-1xx": "#9aa8c7",
    "hue-2xx": "#51dba2",
    "hue-3xx": "#83c0e1",
    "hue-4xx": "#f9d733",
    "hue-5xx": "#ff7651",
    "hue-none": "#c172f7",
    "hue-key": "#f0d48a",
    "hue-chip": "#1f4a6b",
    "hue-banner": "#f0b429",
    "hue-banner-text": "#10161c",
    "hue-cursor": "#1c2f42",
    "hue-cursor-text": "#f0f4f8",
}

_LIGHT: Final = {
    "background": "#f7f9fb",
    "panel": "#e6ecf1",
    "scrollbar": "#b9c4ce",
    "hue-text": "#24313d",
    "hue-strong": "#0b141c",
    "hue-muted": "#526473",
    "hue-faint": "#6f7f8d",
    "hue-border": "#b9c4ce",
    "hue-heading": "#526473",
    "hue-accent": "#0062a6",
    "hue-1xx": "#526089",
    "hue-2xx": "#03735a",
    "hue-3xx": "#0964c1",
    "hue-4xx": "#985600",
    "hue-5xx": "#7f0606",
    "hue-none": "#4a0a58",
    "hue-key": "#7a5200",
    "hue-chip": "#bfe0f7",
    "hue-banner": "#f0b429",
    "hue-banner-text": "#10161c",
    "hue-cursor": "#d6e8f6",
    "hue-cursor-text": "#0b141c",
}

_HIGH_CONTRAST: Final = _DARK | {
    "background": "#000000",
    "panel": "#000000",
    "scrollbar": "#8a8a8a",
    "hue-text": "#ffffff",
    "hue-strong": "#ffffff",
    "hue-muted": "#d0d0d0",
    "hue-faint": "#b0b0b0",
    "hue-border": "#a0a0a0",
    "hue-heading": "#ffffff",
    "hue-accent": "#62b0ff",
    "hue-1xx": "#d0d0ff",
    "hue-2xx": "#72fac7",
    "hue-3xx": "#4197fd",
    "hue-4xx": "#f6ec26",
    "hue-5xx": "#fe6050",
    "hue-none": "#facffb",
    "hue-key": "#ffe08a",
    "hue-chip": "#003f7f",
    "hue-banner": "#ffd700",
    "hue-banner-text": "#000000",
    "hue-cursor": "#ffffff",
    "hue-cursor-text": "#000000",
}

#: Statuses differ in lightness, too.
_COLOUR_BLIND: Final = _DARK | {
    "hue-accent": "#52a2f3",
    "hue-2xx": "#25a9fe",
    "hue-3xx": "#7dbbb1",
    "hue-4xx": "#fbf03f",
    "hue-5xx": "#fa6438",
    "hue-none": "#f5cdfc",
}

#: The terminal's own 16 colours, whatever it makes of them.
_ANSI: Final = {
    "background": "ansi_black",
    "panel": "ansi_black",
    "scrollbar": "ansi_white",
    "hue-text": "ansi_bright_white",
    "hue-strong": "ansi_bright_white",
    "hue-muted": "ansi_white",
    "hue-faint": "ansi_white",
    "hue-border": "ansi_cyan",
    "hue-heading": "ansi_white",
    "hue-accent": "ansi_bright_cyan",
    "hue-1xx": "ansi_white",
    "hue-2xx": "ansi_green",
    "hue-3xx": "ansi_cyan",
    "hue-4xx": "ansi_bright_yellow",
    "hue-5xx": "ansi_bright_red",
    "hue-none": "ansi_bright_magenta",
    "hue-key": "ansi_bright_yellow",
    "hue-chip": "ansi_blue",
    "hue-banner": "ansi_bright_yellow",
    "hue-banner-text": "ansi_black",
    "hue-cursor": "ansi_white",
    "hue-cursor-text": "ansi_black",
    "boost": "ansi_black",
    "surface": "ansi_black",
    "text": "ansi_bright_white",
    "text-muted": "ansi_white",
    "text-disabled": "ansi_white",
    "ansi-background": "ansi_black",
    "ansi-foreground": "ansi_bright_white",
    "block-cursor-foreground": "ansi_black",
    "block-cursor-background": "ansi_white",
    "input-cursor-foreground": "ansi_black",
    "input-cursor-background": "ansi_white",
}


def _theme(name: str, hues: dict[str, str], *, dark: bool = True, ansi: bool = False) -> Theme:
    """Return the theme of a set of hues, which determine Textual's own colours, too.

    A status of 2xx is good, one of 4xx a warning, and one of 5xx bad: one colour for both.
    """
    hues = hues | {
        "hue-good": hues["hue-2xx"],
        "hue-warn": hues["hue-4xx"],
        "hue-bad": hues["hue-5xx"],
        "scrollbar-background": hues["background"],
    }
    return Theme(
        name=name,
        primary=hues["hue-3xx"],
        secondary=hues["hue-good"],
        accent=hues["hue-accent"],
        warning=hues["hue-warn"],
        error=hues["hue-bad"],
        success=hues["hue-good"],
        foreground=hues["hue-text"],
        background=hues["background"],
        surface=hues["background"],
        panel=hues["panel"],
        dark=dark,
        ansi=ansi,
        variables=hues,
    )


#: All themes by their names, of which the first is the default.
THEMES: Final[Mapping[str, Theme]] = MappingProxyType(
    {
        theme.name: theme
        for theme in (
            _theme("dark", _DARK),
            _theme("light", _LIGHT, dark=False),
            _theme("high-contrast", _HIGH_CONTRAST),
            _theme("colour-blind", _COLOUR_BLIND),
            _theme("ansi", _ANSI, ansi=True),
        )
    }
)
