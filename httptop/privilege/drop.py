"""Give up root permanently, in a process that has threads.

The order follows from what belongs to the process and what to a thread:

- The bounding, inheritable and ambient sets of capabilities and "no new privileges" belong to a
  thread, and new threads inherit those of the thread that starts them. So the main thread calls
  :meth:`Drop.prepare` before there are others. It affects only programs that are started later.
- The C library changes users and groups in all threads. When a thread's last user id ceases to be
  root's, the kernel clears its capabilities. So any thread may call :meth:`Drop.give_up`;
  capabilities that are kept remain in that thread only.
- The kernel checks permissions per thread, so the last step checks every thread.

From then on only root can trace the process, not even its own user.
"""

from __future__ import annotations

import importlib.machinery
import os
import pwd
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from httptop.config.settings import Security
from httptop.errors import HttptopError
from httptop.linux import capabilities
from httptop.linux.fsuid import files_of

#: The uid and gid to use if the system has no such user.
_NOBODY: Final = 65534
_NO_OTHER_USER: Final = (
    "it may not become another user here (CAP_SETUID and CAP_SETGID are missing)"
)
#: Packages that are imported late.
_LATE: Final = ("textual", "rich", "psutil", "pygments", "markdown_it")
_OURS: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class User:
    """The user that httptop becomes."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]


def user_of(wanted: str) -> User:
    """Return the user to become: ``wanted`` (name or number), else nobody.

    Never by itself who called sudo: that user's files decide on what root does at the next start.
    """
    wanted = wanted or "nobody"
    try:
        by_number = wanted.isascii() and wanted.isdecimal()
        entry = pwd.getpwuid(int(wanted)) if by_number else pwd.getpwnam(wanted)
    except KeyError:
        uid = int(wanted) if by_number else _NOBODY
        return User(wanted, uid, _NOBODY, ())
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid, tuple(groups))


@dataclass(frozen=True, slots=True)
class Drop:
    """The plan for giving up root."""

    user: User | None = None  # the user to become; None: the process keeps its user
    kept: frozenset[int] = frozenset()  # the capabilities to keep
    notes: tuple[str, ...] = ()  # sentences for the user

    def prepare(self) -> None:
        """Restrict what this thread, and what it starts from now on, can gain; the first step."""
        if self.user is not None:
            capabilities.forbid_new_privileges()
            capabilities.empty_inherited_sets()

    def give_up(self) -> None:
        """Become the user; raise :class:`HttptopError` if any of root's privileges remain."""
        if self.user is None:
            return
        try:
            _become(self.user, self.kept)
            left = sorted(set(_left(self.user, self.kept)))
        except OSError as error:
            left = [str(error.strerror)]
        if left:
            raise HttptopError(
                f"root could not be given up ({'; '.join(left)}); "
                "--set security.drop_privileges=false runs httptop as root instead"
            )


NOTHING: Final = Drop()


def plan_drop(security: Security, *, screen: bool, needed: Collection[int] = ()) -> Drop:
    """Decide what to give up: nothing unless this process is root. Call it in the main thread.

    ``needed``: capabilities without which this kernel refuses later operations. Raises
    :class:`HttptopError` if a screen would run as root although that is forbidden.
    """
    if os.geteuid() != 0:
        return NOTHING
    if not security.drop_privileges:
        refuse_root_screen(security, screen=screen, reason="security.drop_privileges is false")
        return NOTHING
    user = user_of(security.user)
    if not _may_become(user):
        refuse_root_screen(security, screen=screen, reason=_NO_OTHER_USER)
        return Drop(notes=(f"httptop stays root: {_NO_OTHER_USER}",))
    if not security.keep_no_capabilities:
        return Drop(user, frozenset((capabilities.CAP_BPF, capabilities.CAP_PERFMON)))
    if needed:
        names = " and ".join(sorted(capabilities.NAMES[number] for number in needed))
        note = f"httptop keeps {names}: this kernel requires it for reading BPF maps"
        return Drop(user, frozenset(needed), (note,))
    return Drop(user)


def refuse_root_screen(
    security: Security, *, screen: bool, reason: str = "replaying needs no root, run it as a user"
) -> None:
    """Raise :class:`HttptopError` if a screen runs as root and ``allow_root_ui`` is false."""
    if screen and not security.allow_root_ui and os.geteuid() == 0:
        raise HttptopError(
            "the screen may not run as root (security.allow_root_ui is false), and root is not "
            f"given up: {reason}"
        )


def reads_code(user: User) -> bool:
    """Return whether a user may read what is imported late; raises :class:`OSError` as files_of."""
    found = (importlib.machinery.PathFinder.find_spec(name) for name in _LATE)
    theirs = [spec.origin for spec in found if spec is not None and spec.origin]
    with files_of(user.uid, user.gid):
        try:
            for file in (os.__file__, *theirs):
                os.close(os.open(file, os.O_RDONLY))
                os.listdir(os.path.dirname(file))
            for ours in _files_below(_OURS):
                os.close(os.open(ours, os.O_RDONLY))
        except OSError:
            return False
    return True


def _may_become(user: User) -> bool:
    try:
        with files_of(user.uid, user.gid):
            return True
    except OSError:
        return False


def _files_below(directory: Path) -> Iterator[Path]:
    for entry in os.scandir(directory):
        if entry.is_dir():
            yield from _files_below(Path(entry))
        elif entry.name.endswith(".py"):
            yield Path(entry)


def _become(user: User, kept: Collection[int]) -> None:
    capabilities.keep_over_change_of_user(bool(kept))
    os.setgroups(list(user.groups))
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    capabilities.keep_only(kept)
    capabilities.keep_over_change_of_user(False)
    capabilities.make_undumpable()


def _left(user: User, kept: Collection[int]) -> Iterator[str]:
    """Yield the privileges that threads of this process have but should not."""
    allowed = sum(1 << number for number in kept)
    groups = [str(group) for group in sorted(user.groups)]
    for task in os.listdir("/proc/self/task"):
        try:
            text = Path(f"/proc/self/task/{task}/status").read_text("utf-8", "replace")
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread has ended
        fields = {
            name: rest.split() for name, _, rest in (x.partition(":") for x in text.splitlines())
        }
        if set(fields["Uid"]) != {str(user.uid)} or set(fields["Gid"]) != {str(user.gid)}:
            yield "a thread has another user"
        if sorted(fields["Groups"], key=int) != groups:
            yield "a thread has other groups"
        if fields["NoNewPrivs"] != ["1"]:
            yield "a thread may gain privileges"
        for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            if int(fields[name][0], 16) & ~allowed:
                yield f"a thread has capabilities ({name})"
