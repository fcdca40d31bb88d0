"""``python -m httptop`` and the ``httptop`` command.

An old Python must be able to read this file, and httptop/__init__.py, in order to say that it is
too old: no syntax newer than Python 3.6, no ``from __future__ import annotations``.
"""

import contextlib
import errno
import os
import sys
import threading

if sys.version_info < (3, 11):  # noqa: UP036 - pip refuses it; python3 -m httptop does not
    sys.stderr.write(
        "httptop: needs Python 3.11 or newer; this is Python %d.%d\n"  # noqa: UP031
        % sys.version_info[:2]
    )
    sys.exit(2)

__all__ = ["main"]

#: Words of a command line that wants no probes, or not at once.
_NO_PROBES = (
    "-h", "--help", "--version", "--doctor", "--replay", "--save-config", "--validate-config",
    "--print-config",
)  # fmt: skip


def main() -> int:
    """Run httptop and return its exit status; or end, where something would keep us from it."""
    from httptop.run.session import Session

    with Session() as session:
        probing = not any(word.startswith(_NO_PROBES) for word in sys.argv[1:])
        if probing and os.geteuid() == 0:
            session.begin()  # before anything else is imported
        from httptop import cli

        status = cli.main(session=session)
    if any(thread.is_alive() and not thread.daemon for thread in _others()):
        # A terminal that is closed sends SIGHUP and SIGCONT. On the latter Textual starts a second
        # thread that reads keys, and stops only one: the other would read "end of file" for ever.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(status)
    _let_go_of_terminal()
    return status


def _let_go_of_terminal() -> None:
    """Where the terminal is gone, keep what was left to be written from becoming a failure."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError) as fault:
            if isinstance(fault, OSError) and fault.errno == errno.EIO:
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def _others() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread is not threading.main_thread()]


if __name__ == "__main__":
    sys.exit(main())
