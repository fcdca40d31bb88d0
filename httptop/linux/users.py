"""Names of users."""

from __future__ import annotations

import functools
import pwd


@functools.lru_cache(maxsize=1024)
def name_of(uid: int) -> str:
    """Return the name of a user, the number where it has none; as this host has it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
