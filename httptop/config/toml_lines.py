"""Find what tomllib does not report about a TOML file: the lines of its keys, the user's comments.

And what it does not survive: a key of 30,000 parts costs it 11 seconds and 3.4 GB. Lines and
comments are found line by line, which works for files as people write them; in unusual ones (quoted
keys across lines, comments inside a list) a line or a place may be missed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from typing import Final

#: The start of the comments that httptop writes itself.
OURS: Final = "##"
#: The key of comments that no setting follows.
AT_END: Final = ""
_HEADER: Final = re.compile(r"\[\[?([^\[\]]+)\]")
_KEY: Final = re.compile(r"""[\w."' \t-]+""")
#: The part of a line before its comment: strings may contain a #.
_BEFORE_COMMENT: Final = re.compile(r"""(?:[^#"']|"(?:[^"\\]|\\.)*+"|'[^']*+')*+""")
#: The most parts of a key without, and with quotation marks; our own have three.
_MOST_PARTS: Final = 40
_MOST_QUOTED: Final = 32
_JOINT: Final = re.compile(r"""[\w"'-][ \t]*+\.""")
_QUOTED_JOINT: Final = re.compile(r"""["'][ \t]*+\.""")
_NO_KEY: Final = re.compile(r"[=,\[\]{}#]")


def too_deep(text: str) -> int | None:
    """Return the line of a key that tomllib should not see; None if there is none.

    It may be part of a text that only looks like such a key.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") <= _MOST_PARTS or line.lstrip(" \t").startswith("#"):
            continue
        pieces = _NO_KEY.split(line)
        if len(_QUOTED_JOINT.findall(line)) > _MOST_QUOTED or any(
            len(_JOINT.findall(piece)) > _MOST_PARTS for piece in pieces
        ):
            return number
    return None


def lines_of_keys(text: str) -> dict[str, int]:
    """Return the line of each key and section by its dotted name."""
    found: dict[str, int] = {}
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if header := _HEADER.match(stripped):
            section = tuple(_parts(header[1]))
            found.setdefault(".".join(section), number)
        elif key := _key(stripped):
            parts = (*section, *_parts(key))
            for length in range(len(section) + 1, len(parts) + 1):
                found.setdefault(".".join(parts[:length]), number)
    return found


def user_comments(text: str, keys: Set[str]) -> dict[str, list[str]]:
    """Return the user's comments by the key, one of ``keys``, that they precede.

    A comment at the end of a key's line belongs to that key, too.
    """
    found: dict[str, list[str]] = {}
    section: tuple[str, ...] = ()
    waiting: list[str] = []
    for line in text.split("\n"):
        stripped = line.strip(" \t\r")
        if stripped.startswith("#"):
            if not stripped.startswith(OURS):
                waiting.append(stripped)
            continue
        if behind := _behind(stripped):
            waiting.append(behind)
        if header := _HEADER.match(stripped):
            section = tuple(_parts(header[1]))
        elif key := _key(stripped):
            name = ".".join((*section, *_parts(key)))
            if name in keys and waiting:
                found.setdefault(name, []).extend(waiting)
                waiting = []
    if waiting:
        found[AT_END] = waiting
    return found


def _key(line: str) -> str:
    before, equals, _ = line.partition("=")
    return before if equals and _KEY.fullmatch(before) else ""


def _behind(line: str) -> str:
    """Return the comment at the end of a line, as an ordinary ``#`` comment."""
    found = _BEFORE_COMMENT.match(line)
    comment = line[found.end() :] if found else ""
    return ("# " + comment.strip("# \t")).rstrip() if comment.startswith("#") else ""


def _parts(dotted: str) -> Iterator[str]:
    for part in dotted.split("."):
        yield part.strip().strip("\"'")
