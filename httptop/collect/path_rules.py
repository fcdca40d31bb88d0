"""The user's own templates, applied to paths that are templates of the kernel's already.

The kernel applies them to every new request (bpf/tuning.py); this is for what it counted before
a template was added. A pattern is a path whose segments are

- words, which stand for themselves;
- ``*`` or ``{name}``, which stand for any one segment, ``{id}`` among them. The row shows
  ``{name}`` by its name and ``*`` as ``{id}``.

A pattern matches paths with as many segments as it has; the first that matches wins. What was
added up cannot be taken apart again: without its template only new requests are told apart. In the
same way patterns to keep (``paths.keep``) tell new requests apart, and are the kernel's alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_ANY: Final = "*"


class PathRules:
    """The templates of a run, tried in their order."""

    def __init__(self, templates: Iterable[str] = ()) -> None:
        self._templates = tuple(pattern.split("/") for pattern in templates)

    def apply(self, path: str) -> str:
        """Return the path that a row goes by.

        One that was cut off (``…``) stays: what its other segments were is not known.
        """
        if not self._templates or not path.startswith("/") or path.endswith("…"):
            return path
        segments = path.split("/")
        for pattern in self._templates:
            if _matches(pattern, segments):
                return "/".join("{id}" if word == _ANY else word for word in pattern)
        return path


def _matches(pattern: list[str], segments: list[str]) -> bool:
    return len(pattern) == len(segments) and all(
        word in (_ANY, segment) or word[:1] == "{"
        for word, segment in zip(pattern, segments, strict=True)
    )
