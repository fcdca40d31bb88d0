"""The lines of a captured header section, as texts: which are fields, and what names a host."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

#: A field: its name and its value.
_FIELD: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)", re.S)
#: A name or an address, perhaps with a port, as in the field Host.
HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::[0-9]{1,5})?")


def fields_of(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Return names and values of the lines that are fields; the values end as they were sent."""
    found = (_FIELD.fullmatch(line) for line in lines)
    return [(match[1], match[2]) for match in found if match is not None]
