"""The user's own templates, applied to paths that are templates of the kernel's already.

The kernel applies them to every new request (bpf/paths.h); this is for what it counted before a
template was added. A pattern is a path whose segments are

- words, which stand for themselves;
- ``*`` or ``{name}``, which stand for any one segment that is not empty, ``{id}`` among them. The
  row shows ``{name}`` by its name and ``*`` as ``{id}``.

A pattern matches paths with as many segments as it has. The first of the templates that matches
wins; a path that a pattern to keep matches stays as it is, whatever the templates say. What was
added up cannot be taken apart again: without its template only new requests are told apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_ANY: Final = "*"


class PathRules:
    """Templates and patterns to keep; two of them are equal if they do the same."""

    def __init__(self, templates: Iterable[str] = (), keep: Iterable[str] = ()) -> None:
        self._templates = tuple(pattern.split("/") for pattern in templates)
        self._keep = tuple(pattern.split("/") for pattern in keep)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, PathRules)
            and self._templates == other._templates
            and self._keep == other._keep
        )

    __hash__ = None  # type: ignore[assignment]  # nobody looks them up

    def apply(self, path: str) -> str:
        """Return the path that a row goes by.

        One that was cut off (``…``) stays: what its other segments were is not known.
        """
        if not self._templates or not path.startswith("/") or path.endswith("…"):
            return path
        segments = path.split("/")
        if any(_matches(pattern, segments) for pattern in self._keep):
            return path
        for pattern in self._templates:
            if _matches(pattern, segments):
                return "/".join("{id}" if word == _ANY else word for word in pattern)
        return path


def _matches(pattern: list[str], segments: list[str]) -> bool:
    return len(pattern) == len(segments) and all(
        segment if word == _ANY or word[:1] == "{" else word == segment
        for word, segment in zip(pattern, segments, strict=True)
    )
