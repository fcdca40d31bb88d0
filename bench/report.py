"""Write the results in bench/README.md from those of a run: ``python -m bench.report FILE``.

FILE is what ``make bench`` wrote, JSON in ``bench/results/``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from bench.figures import number

PAGE: Final = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- results -->\n", "<!-- /results -->\n"


def results(run: Mapping[str, Any]) -> str:
    """Return a run as Markdown: the machine, one table, what the reader should know."""
    machine = run["machine"]
    quick = "make bench ARGS=--quick" if run["quick"] else "make bench"
    lines = [
        f"`{quick}`, {machine['date'][:10]}: {machine['cpu']}, {machine['cores']} CPUs"
        f"{' (virtual)' if machine['virtual'] else ''}, Linux {machine['kernel']}, "
        f"BCC {machine['bcc']}, Python {machine['python']}.",
        "",
        "| what | median | quartiles | goal | met |",
        "|---|--:|--:|--:|---|",
    ]
    section = None
    for figure in run["figures"]:
        if figure["section"] != section:
            section = figure["section"]
            lines.append(f"| **{section}** | | | | |")
        lines.append(_row(figure))
    lines += [f"| FAILED: {name} | {reason} | | | |" for name, reason in run["failures"].items()]
    return "\n".join([*lines, "", *_items(run["notes"])]) + "\n"


def _row(figure: Mapping[str, Any]) -> str:
    unit = figure["unit"]
    median, low, high = (number(figure[name], unit) for name in ("median", "low", "high"))
    name = figure["name"] + (f" ({figure['note']})" if figure.get("note") else "")
    between = f"{low} to {high}" if figure["times"] > 1 else ""
    met = {None: "", True: "yes", False: "no"}[figure.get("met")]
    return (
        f"| {name} | {f'{median} {unit}'.rstrip()} | {between} | {figure.get('goal', '')} | {met} |"
    )


def _items(notes: Iterable[str]) -> list[str]:
    return [f"- {note}" for note in notes]


def replaced(page: str, text: str) -> str:
    """Return a page with the part between the markers replaced; raise ValueError without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks {BEGIN.strip()} or {END.strip()}")
    return before + begin + text + end + after


def main(words: list[str]) -> int:
    """Rewrite the page; return 2 where no file was named."""
    if len(words) != 1:
        print("usage: python -m bench.report bench/results/FILE.json", file=sys.stderr)
        return 2
    run = json.loads(Path(words[0]).read_text(encoding="utf-8"))
    PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), results(run)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
