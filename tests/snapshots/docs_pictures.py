"""The pictures of the docs: those of the tests, made small, and without fonts from elsewhere.

``make docs-pictures`` writes them to docs/pictures; a test says when one is not that of its test.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PICTURES: Final = ROOT / "docs" / "pictures"
_TAKEN: Final = Path(__file__).with_name("__snapshots__") / "test_pictures"

#: The pictures of the docs, and the tests that make them.
OF_DOCS: Final = {
    "overview": "test_busy",
    "overview-80x24": "test_narrow",
    "path-tree": "test_path_tree",
    "peers": "test_peers",
    "filtered": "test_filtered",
    "filter-editor": "test_editor_with_completion",
    "endpoint": "test_endpoint",
    "request": "test_request",
    "in-flight": "test_in_flight",
    "compare": "test_compare",
    "time-travel": "test_travel",
    "replay": "test_replay",
    "watches": "test_watches",
    "health": "test_health",
    "export": "test_export",
    "help": "test_help",
    "palette": "test_palette",
}

_RECT: Final = re.compile(
    r'<rect fill="(#\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"'
    r' shape-rendering="crispEdges"/>'
)
_FONTS: Final = "ui-monospace, DejaVu Sans Mono, Menlo, Consolas, monospace"
_CHANGES: Final = (
    (r"\s*<!--.*?-->", ""),
    (r"\s*@font-face \{.*?\}", ""),
    (r"font-family: Fira Code, monospace", f"font-family: {_FONTS}"),
    (r"font-family: arial", "font-family: sans-serif"),
    (r'<clipPath id="terminal-line-\d+">.*?</clipPath>\s*', ""),
    (r' clip-path="url\(#terminal-line-\d+\)"', ""),
    (r"terminal-r(\d)", r"r\1"),
    (r"(\d\.\d)\d{4,}", r"\1"),
    (r"\n\s+", "\n"),
    (r"\n{2,}", "\n"),
)


def of_docs(svg: str) -> str:
    """Return a picture of Textual's that refers to nothing outside, in a third of its size."""
    for pattern, instead in _CHANGES:
        svg = re.sub(pattern, instead, svg, flags=re.DOTALL)
    return re.sub(rf"(?:{_RECT.pattern})+", lambda found: _merged(found[0]), svg)


def _merged(rects: str) -> str:
    """Return rectangles of the background, those of one colour in a line as one."""
    found: list[tuple[str, float, str, float, str]] = []
    for fill, x, y, width, height in _RECT.findall(rects):
        if found and (found[-1][0], found[-1][2]) == (fill, y):
            last = found.pop()
            found.append((fill, last[1], y, round(last[3] + float(width), 1), height))
        else:
            found.append((fill, float(x), y, float(width), height))
    return "".join(
        f'<rect fill="{fill}" x="{x:g}" y="{y}" width="{width:g}" height="{height}"/>'
        for fill, x, y, width, height in found
    )


def taken(test: str) -> str:
    """Return the picture of a test."""
    return (_TAKEN / f"{test}.svg").read_text("utf-8")


def write() -> None:
    """Write the pictures of the docs."""
    PICTURES.mkdir(exist_ok=True)
    for old in PICTURES.glob("*.svg"):
        old.unlink()
    for name, test in OF_DOCS.items():
        (PICTURES / f"{name}.svg").write_text(of_docs(taken(test)), "utf-8")


if __name__ == "__main__":
    write()
