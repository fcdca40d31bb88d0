"""The tree of paths: starts of paths that several endpoints share, down to the endpoints.

Starts of which all members have more in common are one node: ``/api/v1``, not ``/api`` and ``/v1``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from httptop.model import EndpointKey

_PART = re.compile(r"/[^/]*")


@dataclass(frozen=True, slots=True)
class Node:
    """A start of paths, or an endpoint (then ``key`` says which)."""

    start: str  # "/api/v1"; of an endpoint its path
    name: str  # what it adds to the node above; "" if that is nothing
    members: Sequence[int]  # places of its endpoints
    depth: int
    key: EndpointKey | None = None


@lru_cache(maxsize=16384)
def parts_of(path: str) -> tuple[str, ...]:
    """Return the parts that make up a path, each with its slash; ``~other`` and ``*`` are whole."""
    return tuple(_PART.findall(path)) if path.startswith("/") else (path,)


def roots(keys: Sequence[EndpointKey]) -> list[Node]:
    """Return the uppermost nodes, in which each endpoint is once."""
    return list(_nodes(keys, range(len(keys)), 0, 0))


def children(keys: Sequence[EndpointKey], node: Node) -> list[Node]:
    """Return the nodes right below another; an endpoint has none."""
    if node.key is not None:
        return []
    return list(_nodes(keys, node.members, len(parts_of(node.start)), node.depth + 1))


def _nodes(
    keys: Sequence[EndpointKey], members: Collection[int], done: int, depth: int
) -> Iterator[Node]:
    """Yield the nodes of some endpoints, of whose paths so many parts stand above."""
    found: dict[str, list[int]] = {}
    for at in members:
        parts = parts_of(keys[at].path)
        if len(parts) > done:
            found.setdefault(parts[done], []).append(at)
        else:
            yield Node(keys[at].path, "", (at,), depth, keys[at])
    for places in found.values():
        if len(places) == 1:
            key = keys[places[0]]
            yield Node(key.path, "".join(parts_of(key.path)[done:]), places, depth, key)
            continue
        paths = [parts_of(keys[at].path) for at in places]
        common, last = min(paths), max(paths)
        length = next(
            (at for at, part in enumerate(common) if at >= len(last) or part != last[at]),
            len(common),
        )
        common = common[:length]
        yield Node("".join(common), "".join(common[done:]), places, depth)
