"""The probes without the counts for each process and peer, to know what these cost.

``python -m bench.without_parties FD`` loads them, like ``httptop.bpf.build.loader``. No switch of
httptop's leaves these counts out: where they are shed, no new party is noted, but the counting goes
on. So the functions through which all of it goes (bpf/c/parties.h) return at once here, and what
they would have done is not compiled.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from httptop.bpf.build import compiler, loader

#: How a function begins, and what it begins with instead.
_AT_ONCE: Final = (
    "static __always_inline void find_party(struct conn *conn)\n{\n",
    "static __always_inline void count_answered(struct conn *conn, u64 latency_ns)\n{\n",
    "static __always_inline void count_without_response(u64 party, const bool unanswered)\n{\n",
    "static __always_inline void note_other_end(struct conn *conn, u64 sk, bool unix_socket)\n{\n",
)


def without_parties(text: str) -> str:
    """Return the probes' text with the counts left out; raise ValueError if it is another text."""
    for begins in _AT_ONCE:
        if text.count(begins) != 1:
            raise ValueError(f"the probes do not have once: {begins.splitlines()[0]}")
        text = text.replace(begins, f"{begins}\treturn;\n")
    return text


def main() -> int:
    """Load a plan as the loader does."""
    whole = compiler.source
    compiler.source = lambda name="probes.c": without_parties(whole(name))
    return loader.main()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # as the loader ends
