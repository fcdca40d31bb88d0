"""Restrict the system calls of httptop's processes, and say so where that cannot be done.

httptop makes the filters of all of them: so the helper and the launcher need neither libseccomp nor
the lists, and stay small.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from httptop.errors import HttptopError
from httptop.linux import seccomp
from httptop.privilege import system_calls
from httptop.privilege.system_calls import UNKNOWN, calls

if TYPE_CHECKING:
    from httptop.privilege.system_calls import Groups


@dataclass(frozen=True, slots=True)
class Confinement:
    """What restricts httptop's processes; empty programs: nothing does."""

    helper: bytes = b""
    demo: bytes = b""


def filters_of_others(*, wanted: bool) -> Confinement:
    """Return the filters of the helper and of the demo; none if not ``wanted``, or impossible.

    Where they are impossible, so is httptop's own, and :func:`confine` says so.
    """
    if wanted:
        with contextlib.suppress(OSError):
            return Confinement(_program(system_calls.helper()), _program(system_calls.demo()))
    return Confinement()


def confine(groups: Groups) -> tuple[str, ...]:
    """Allow all threads of this process nothing else; return sentences where that cannot be.

    Raises :class:`HttptopError` if it was done, but not for all threads.
    """
    try:
        with seccomp.Filter(calls(groups), UNKNOWN) as made:
            made.apply()
    except OSError as error:
        return (f"system calls are not restricted: {error.strerror}",)
    if any(True for _ in seccomp.unrestricted_tasks()):
        raise HttptopError(
            "system calls could not be restricted in all threads; "
            "--set security.seccomp=false goes on without"
        )
    return ()


def _program(groups: Groups) -> bytes:
    with seccomp.Filter(calls(groups), UNKNOWN) as made:
        return made.program()
