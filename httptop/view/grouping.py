"""How the table's rows are grouped: what may be chosen, what is chosen, and filters of one group.

Pure values, without Textual; :mod:`httptop.view.groups` makes the groups.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from httptop.filters import Expression, parse
from httptop.filters.values import Value
from httptop.model import OTHER_PEERS, OTHER_PIDS, UNIX_PEER, EndpointKey, status_name

By = Literal[
    "endpoint", "path", "process", "pid", "peer", "port", "status", "container", "user", "host"
]

#: What a group is told by: a name, a number, the start of a path, containers, or an endpoint.
GroupId = str | int | tuple[str, ...] | EndpointKey

#: What rows may be grouped by, with the name of each, in the order of their digits.
GROUPINGS: Final[Mapping[By, str]] = MappingProxyType(
    {
        "endpoint": "endpoint",
        "path": "path tree",
        "process": "process",
        "pid": "pid",
        "peer": "peer",
        "port": "port",
        "status": "status",
        "container": "container",
        "user": "user",
    }
)

#: Likewise, in a fleet by host as well, which has the digit 0.
GROUPING_NAMES: Final[Mapping[By, str]] = MappingProxyType({**GROUPINGS, "host": "host"})

#: By these a row may belong to several groups: each has its part of what was counted.
PARTED: Final = frozenset({"pid", "peer", "status"})

#: The port, the user and the containers of rows of which they are not known, or have none.
NO_PORT: Final = 0
NO_USER: Final = ""
NO_HOST: Final = ""
NO_CONTAINER: Final[tuple[str, ...]] = ()
#: Groups that no filter selects.
_NO_FILTER: Final[Mapping[By, tuple[GroupId, ...]]] = MappingProxyType(
    {
        "process": ("",),
        "pid": (OTHER_PIDS,),
        "peer": (OTHER_PEERS, UNIX_PEER),
        "port": (NO_PORT,),
        "container": (NO_CONTAINER,),
        "user": (NO_USER,),
        "host": (NO_HOST,),
    }
)
_FIELDS: Final[Mapping[By, str]] = MappingProxyType(
    {
        "process": "comm",
        "pid": "pid",
        "peer": "peer",
        "port": "port",
        "user": "user",
        "host": "host",
    }
)
_GLOB: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Grouping:
    """What rows are grouped by, in which order groups stand, and which one is selected."""

    by: By = "endpoint"
    sort: str = "rps"  # a column of the groups
    descending: bool = True
    selected: GroupId | None = None
    #: The nodes of the path tree of which the members are shown.
    unfolded: frozenset[str] = frozenset()

    @property
    def on(self) -> bool:
        """Whether groups are shown in the place of endpoints."""
        return self.by != "endpoint"

    def sorted_by(self, sort: str) -> Grouping:
        """Return the same sorted by a column, reversed if it was already."""
        if sort == self.sort:
            return replace(self, sort=sort, descending=not self.descending)
        return replace(self, sort=sort, descending=sort != "name")

    def folded(self, node: str) -> Grouping:
        """Return the same with a node of the path tree folded, or unfolded if it was folded."""
        return replace(self, unfolded=self.unfolded ^ {node})


NO_GROUPING: Final = Grouping()


def part_for_group(by: By, group: GroupId, *, excluded: bool) -> Expression | None:
    """Return a filter that keeps what belongs to a group, or leaves it out.

    None: no filter can tell, as of processes that are not known. A filter selects whole endpoints:
    also those that have only a part in the group. Of an endpoint in the path tree it is the path.

    Raises:
        FilterError: The name of a user is not known on this host.
    """
    if isinstance(group, EndpointKey):
        return parse(f"path {'!=' if excluded else '='} {_quoted(group.path)}")
    if by == "path":
        return _of_path(str(group), excluded)
    if by == "status":
        name = status_name(group) if isinstance(group, int) else ""
        return parse(f"status {'!=' if excluded else '='} {name}")
    if group in _NO_FILTER[by]:
        return None
    if by == "container" and isinstance(group, tuple):
        parts = " and ".join(f"container = {_quoted(name)}" for name in group)
        return parse(f"not ({parts})" if excluded else parts)
    return parse(f"{_FIELDS[by]} {'!=' if excluded else '='} {_quoted(str(group))}")


def _of_path(start: str, excluded: bool) -> Expression:
    below = Value(_GLOB.sub(r"[\g<0>]", start) + "/*", "glob").quoted()
    here = f"path = {_quoted(start)} or path ~ {below}"
    return parse(f"not ({here})" if excluded else here)


def _quoted(text: str) -> str:
    return Value(text, "literal").quoted()
