"""The themes. Colour-blind users can tell the colours of statuses apart (after Okabe and Ito)."""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

#: Variables that ``httptop.tcss`` and widgets use; a theme may set its own.
DARK_HUES: Final = {
    "hue-text": "#c9d4df",
    "hue-strong": "#f0f4f8",
    "hue-muted": "#8595a5",
    "hue-faint": "#3d4a58",
    "hue-heading": "#6f8293",
    "hue-accent": "#7cc4f4",
    "hue-good": "#35b597",
    "hue-warn": "#f0b429",
    "hue-bad": "#ff7a4d",
    "hue-1xx": "#9aa8c7",
    "hue-2xx": "#35b597",
    "hue-3xx": "#5aa9e6",
    "hue-4xx": "#f0b429",
    "hue-5xx": "#ff7a4d",
    "hue-none": "#d58bbd",
    "hue-key": "#f0d48a",
    "hue-chip": "#1f4a6b",
    "hue-banner": "#f0b429",
    "hue-banner-text": "#10161c",
    "hue-cursor": "#1c2f42",
}

LIGHT_HUES: Final = {
    "hue-text": "#24313d",
    "hue-strong": "#0b141c",
    "hue-muted": "#5a6b7a",
    "hue-faint": "#b9c4ce",
    "hue-heading": "#5a6b7a",
    "hue-accent": "#005b9a",
    "hue-good": "#007a5a",
    "hue-warn": "#8f6200",
    "hue-bad": "#b83c00",
    "hue-1xx": "#56648a",
    "hue-2xx": "#007a5a",
    "hue-3xx": "#0067b0",
    "hue-4xx": "#8f6200",
    "hue-5xx": "#b83c00",
    "hue-none": "#99407c",
    "hue-key": "#7a5200",
    "hue-chip": "#bfe0f7",
    "hue-banner": "#f0b429",
    "hue-banner-text": "#10161c",
    "hue-cursor": "#d6e8f6",
}


def _theme(name: str, hues: dict[str, str], *, dark: bool) -> Theme:
    """Return the theme of a set of hues, which determine Textual's own colours, too."""
    background = "#0c1117" if dark else "#f7f9fb"
    return Theme(
        name=name,
        primary=hues["hue-3xx"],
        secondary=hues["hue-good"],
        accent=hues["hue-accent"],
        warning=hues["hue-warn"],
        error=hues["hue-bad"],
        success=hues["hue-good"],
        foreground=hues["hue-text"],
        background=background,
        surface=background,
        panel="#16202a" if dark else "#e6ecf1",
        dark=dark,
        variables={
            **hues,
            "scrollbar": "#2b3a49" if dark else hues["hue-faint"],
            "scrollbar-background": background,
        },
    )


DARK: Final = _theme("httptop-dark", DARK_HUES, dark=True)
LIGHT: Final = _theme("httptop-light", LIGHT_HUES, dark=False)
