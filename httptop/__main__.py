"""``python -m httptop`` and the ``httptop`` command.

An old Python must be able to compile this file and httptop/__init__.py in order to report that it
is too old: no syntax newer than Python 3.6, no ``from __future__ import annotations``.
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from httptop.linux.service_manager import ServiceManager

__all__ = ["main"]

#: Flags of runs that need no probes, or not immediately.
_NO_PROBES = (
    "-h", "--help", "--version", "--doctor", "--replay", "--from", "--save-config",
    "--validate-config", "--print-config",
)  # fmt: skip


def main() -> int:
    """Run httptop and return its exit status; exit directly if other threads still run."""
    from httptop.optional_modules import leave_out

    leave_out()
    from httptop.linux.signals import end_at_interrupt
    from httptop.run.session import Session

    end_at_interrupt()
    with Session(_service_manager()) as session:
        probing = not any(word.startswith(_NO_PROBES) for word in sys.argv[1:])
        if probing and os.geteuid() == 0:
            session.begin()  # before anything else is imported
        from httptop import cli

        try:
            status = cli.main(session=session)
        except SystemExit as ended:  # --help, --version
            status = int(ended.code or 0)
        session.end()
        status = _written(status)
    if any(thread.is_alive() and not thread.daemon for thread in _others()):
        # When a terminal is closed, the kernel sends SIGHUP and SIGCONT. On SIGCONT Textual starts
        # a second thread that reads keys, but stops only one; the other would read "end of file"
        # forever.
        os._exit(status)
    return status


def _service_manager() -> "ServiceManager | None":
    """Return who started this process as a service; nothing that it starts has that any more."""
    if "NOTIFY_SOCKET" not in os.environ:
        return None
    from httptop.linux.service_manager import take_manager

    try:
        return take_manager(os.environ)
    except OSError as error:
        from httptop.console import complain

        complain("the service manager cannot be reached: %s" % error)  # noqa: UP031
        return None


def _written(status: int) -> int:
    """Flush the standard streams; return the status, or 1 if standard output cannot be written.

    It is not an error if its reader, or the terminal, is gone.
    """
    from httptop.console import complain, nothing, unwritten

    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except (ValueError, AttributeError):  # it is closed, or was never open
            continue
        except OSError as error:
            os.dup2(nothing(), number)  # or Python would try to flush again
            if number == 1 and error.errno not in (errno.EIO, errno.EPIPE):
                complain(unwritten(error))
                status = status or 1
    return status


def _others() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread is not threading.main_thread()]


if __name__ == "__main__":
    sys.exit(main())
