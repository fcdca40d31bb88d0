"""``python -m httptop`` and the ``httptop`` command.

An old Python must be able to read this file, and httptop/__init__.py, in order to say that it is
too old: no syntax newer than Python 3.6, no ``from __future__ import annotations``.
"""

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

        try:
            status = cli.main(session=session)
        except SystemExit as ended:  # --help, --version
            status = int(ended.code or 0)
    status = _written(status)
    if any(thread.is_alive() and not thread.daemon for thread in _others()):
        # A terminal that is closed sends SIGHUP and SIGCONT. On the latter Textual starts a second
        # thread that reads keys, and stops only one: the other would read "end of file" for ever.
        os._exit(status)
    return status


def _written(status: int) -> int:
    """Write what is left in the buffers; return the status, 1 where standard output takes no more.

    That its reader, or the terminal, is gone is no failure.
    """
    from httptop.console import complain, unwritten

    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except (ValueError, AttributeError):  # it is closed, or never was
            continue
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)  # or Python would try once more
            if number == 1 and error.errno not in (errno.EIO, errno.EPIPE):
                complain(unwritten(error))
                status = status or 1
    return status


def _others() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread is not threading.main_thread()]


if __name__ == "__main__":
    sys.exit(main())
