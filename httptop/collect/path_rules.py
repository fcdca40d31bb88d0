"""The user's own path templates (``paths.templates``), applied to templates made by the kernel.

The kernel applies them to each new request (bpf/tuning.py). This is for what it counted before a
template was added. A pattern is a path whose segments are

- words, which match themselves;
- ``*`` or ``{name}``, which match any one segment, ``{id}`` included. The row shows ``{name}`` as
  it is and ``*`` as ``{id}``.

A pattern matches paths with the same number of segments; the first one that matches is used. What
has been added up is never split: when a template is removed, only new requests are told apart. For
the same reason patterns to keep (``paths.keep``) are applied to new requests only, by the kernel.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_ANY: Final = "*"


class PathRules:
    """The templates of a run, tried in order."""

    def __init__(self, templates: Iterable[str] = ()) -> None:
        self._templates = tuple(pattern.split("/") for pattern in templates)

    def apply(self, path: str) -> str:
        """Return the path that a row shows.

        A path that was cut (``…``) stays as it is, since its other segments are not known.
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
