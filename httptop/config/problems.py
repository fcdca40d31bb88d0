"""Errors in a configuration: what is said about each, with a hint at what was perhaps meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from httptop.config.settings import BY_KEY, SETTINGS
from httptop.errors import UsageError
from httptop.literals import nearest
from httptop.printable import clean

#: The most errors that are listed.
MOST_PROBLEMS: Final = 50
#: The names of all tables, by their dotted names.
SECTIONS: Final = frozenset(
    ".".join(parts[:length])
    for setting in SETTINGS
    for parts in [setting.section.split(".")]
    for length in range(1, len(parts) + 1)
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One error, and where it is."""

    where: str  # a file, a variable, a flag
    message: str
    line: int | None = None
    key: str = ""

    def __str__(self) -> str:
        place = self.where if self.line is None else f"{self.where}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.message) if part)


class ConfigError(UsageError):
    """The errors in a configuration; the message has one line for each, up to MOST_PROBLEMS."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)[:MOST_PROBLEMS]
        lines = [*map(str, self.problems)]
        if len(lines) == MOST_PROBLEMS:
            lines.append(f"these are the first {MOST_PROBLEMS} errors, there may be more")
        super().__init__("\n".join(lines))


def found_instead(message: str, value: object) -> str:
    """Return a message with the value that was found."""
    return f"{message}, found {shortened(repr(value))}"


def shortened(text: str) -> str:
    """Return a text that is safe to show, and short."""
    return clean(text.encode("utf-8", "replace"), 60)


def hint_at(path: tuple[str, ...]) -> str:
    """Return a hint at a similar key: first of the same section, then of the same name."""
    above = ".".join(path[:-1])
    prefix = f"{above}." if above else ""
    known = [*BY_KEY, *SECTIONS]
    beside = {key.removeprefix(prefix).split(".")[0] for key in known if key.startswith(prefix)}
    if hint := nearest(path[-1], beside):
        return hint
    namesakes = [key for key in BY_KEY if key.endswith(f".{path[-1]}")]
    if namesakes:
        return f"; did you mean {namesakes[0]!r}?"
    return nearest(".".join(path), BY_KEY)


def syntax_problem(where: str, error: ValueError | RecursionError, text: str) -> Problem:
    """Return what tomllib says about a text, with the line."""
    if isinstance(error, RecursionError):
        return Problem(where, "invalid TOML: nested too deeply")
    message = clean(str(error).encode("utf-8", "replace"))
    if message.endswith(" (at end of document)"):
        return Problem(where, f"invalid TOML: {message}", text.count("\n", 0, -1) + 1)
    position = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if position is None:
        return Problem(where, f"invalid TOML: {message}")
    reason = f"invalid TOML: {message[: position.start()]} at column {position[2]}"
    return Problem(where, reason, int(position[1]))
