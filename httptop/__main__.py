"""``python -m httptop`` and the ``httptop`` command."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

from httptop import cli

__all__ = ["main"]


def main() -> int:
    """Run httptop and return its exit status; or end, where something would keep us from it."""
    status = cli.main()
    if any(thread.is_alive() and not thread.daemon for thread in _others()):
        # A terminal that is closed sends SIGHUP and SIGCONT. On the latter Textual starts a second
        # thread that reads keys, and stops only one: the other would read "end of file" for ever.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(status)
    return status


def _others() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread is not threading.main_thread()]


if __name__ == "__main__":
    sys.exit(main())
