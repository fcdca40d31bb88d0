"""The unit of the service, as systemd would read it: its file, and the drop-ins that change it.

Of systemd.syntax(7) only as much as the doctor's questions need: sections, lines that go on, lists
that an empty value takes back. No specifier (``%C``) is resolved.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

NAME: Final = "httptop.service"
#: Where systemd looks for units, the first wins.
_PLACES: Final = (
    "etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system",
    "usr/lib/systemd/system", "lib/systemd/system",
)  # fmt: skip
_LARGEST: Final = 64 << 10
#: What may stand before a command, and is none of its path: systemd.service(5).
_PREFIXES: Final = "@-:+!|"
_TRUE: Final = ("1", "yes", "y", "true", "t", "on")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit with its drop-ins."""

    path: Path
    drop_ins: tuple[Path, ...] = ()
    #: The values of each key of [Service] in their order, those that were taken back left out.
    service: dict[str, list[str]] = field(default_factory=dict)

    def last(self, key: str) -> str:
        """Return the value of a key that has one; empty if it is not set."""
        return (self.service.get(key) or [""])[-1]

    def on(self, key: str) -> bool:
        """Return whether a switch is on."""
        return self.last(key).lower() in _TRUE

    def words(self, key: str) -> list[str]:
        """Return the words of all values of a key."""
        return [word for value in self.service.get(key, ()) for word in _split(value)]

    @property
    def program(self) -> str:
        """The path of the program that it starts; empty if it names none."""
        words = _split(self.last("ExecStart"))
        return words[0].lstrip(_PREFIXES) if words else ""

    @property
    def is_root(self) -> bool:
        """Whether its user is root."""
        return not self.on("DynamicUser") and self.last("User") in ("", "0", "root")

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it sets."""
        pairs = (word.partition("=") for word in self.words("Environment"))
        return {name: value for name, equals, value in pairs if equals}


def installed_unit(root: Path = Path("/")) -> Unit | None:
    """Return the unit that systemd would start; None if there is none. Raises OSError."""
    places = [root / place for place in _PLACES]
    path = next((place / NAME for place in places if (place / NAME).exists()), None)
    if path is None:
        return None
    drop_ins: dict[str, Path] = {}
    for place in reversed(places):  # of two with the same name the first place's counts
        drop_ins |= {one.name: one for one in sorted((place / f"{NAME}.d").glob("*.conf"))}
    found = [drop_ins[name] for name in sorted(drop_ins)]
    service: dict[str, list[str]] = {}
    for file in (path, *found):
        for key, value in _assignments(file):
            if value:
                service.setdefault(key, []).append(value)
            else:
                service.pop(key, None)
    return Unit(path, tuple(found), service)


def _assignments(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the keys and values of a file's section [Service]."""
    with path.open("rb") as file:
        text = file.read(_LARGEST).decode("utf-8", "replace")
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and line[0] not in "#;":
            key, _, value = line.partition("=")
            yield key.strip(), value.strip()


def _split(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:  # a quotation that does not end: systemd refuses it
        return value.split()
