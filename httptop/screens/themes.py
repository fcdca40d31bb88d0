"""Colours. Status colours keep apart for colour-blind eyes (after Okabe and Ito)."""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

#: Variables that ``httptop.tcss`` and the pages use; any theme may set its own.
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

DARK: Final = Theme(
    name="httptop-dark",
    primary="#5aa9e6",
    secondary="#35b597",
    accent="#7cc4f4",
    warning="#f0b429",
    error="#ff7a4d",
    success="#35b597",
    foreground="#c9d4df",
    background="#0c1117",
    surface="#0c1117",
    panel="#16202a",
    dark=True,
    variables={**DARK_HUES, "scrollbar": "#2b3a49", "scrollbar-background": "#0c1117"},
)

LIGHT: Final = Theme(
    name="httptop-light",
    primary="#0067b0",
    secondary="#007a5a",
    accent="#005b9a",
    warning="#8f6200",
    error="#b83c00",
    success="#007a5a",
    foreground="#24313d",
    background="#f7f9fb",
    surface="#f7f9fb",
    panel="#e6ecf1",
    dark=False,
    variables={**LIGHT_HUES, "scrollbar": "#b9c4ce", "scrollbar-background": "#f7f9fb"},
)
