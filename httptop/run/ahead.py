"""Import ahead what a run would import later, where the user to become could not read it.

That is so in a checkout below a home directory that is closed to others, or made with umask 077.
Elsewhere modules are imported when they are needed: the start is quicker, and less memory is used.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from typing import Final

import httptop

#: What no run imports once root is given up: the loader and the compiler that it brings, the
#: self-test; what is imported whole when its output is made, and needs packages that may not be
#: there; and the command, which would be a second one by this name.
_NEVER: Final = (
    *("httptop.bpf.build", "httptop.conformance", "httptop.run.warm"),
    *("httptop.output.otlp", "httptop.run.otlp"),
    "httptop.__main__",
)
#: What only a screen imports.
_ON_SCREEN: Final = ("httptop.app", "httptop.screens", "httptop.widgets")
#: What Textual imports late, of that which our screens use, with the errors that it shows.
_LATE_ON_SCREEN: Final = (
    "concurrent.futures.thread",
    "rich._emoji_codes",
    "rich.traceback",
    "textual.layouts.factory",
    "textual.scrollbar",
)


def import_ahead(*, screen: bool) -> None:
    """Import all that a run may need from now on; ``screen``: a run on the screen."""
    left_out = _NEVER if screen else (*_NEVER, *_ON_SCREEN)
    for name in _modules(httptop.__path__, "httptop.", left_out):
        importlib.import_module(name)
    if screen:
        for name in _LATE_ON_SCREEN:
            importlib.import_module(name)
        # What Rich knows of wide letters it imports with the first of them.
        importlib.import_module("rich.cells").cell_len("\N{WATCH}")


def _modules(paths: Sequence[str], prefix: str, left_out: Sequence[str]) -> Iterator[str]:
    for _, name, is_package in pkgutil.iter_modules(paths, prefix):
        if name in left_out:
            continue
        yield name
        if is_package:
            package = importlib.import_module(name)
            yield from _modules(package.__path__, f"{name}.", left_out)
