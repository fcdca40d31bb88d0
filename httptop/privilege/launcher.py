"""The launcher: a small process that starts the demo when httptop itself may start nothing.

It is made by the helper while that is still root, becomes the user that httptop becomes, without
any capability, and waits on a socket that httptop gets the other end of. What waits is a shell,
which takes 1 MiB, where Python would take 9; it becomes Python when the demo is to start. Where the
user could not read httptop by then, it is Python from the beginning.
"""

from __future__ import annotations

import os
import sys

from httptop.demo.launched import SERVE, made_here, serve
from httptop.linux import capabilities, seccomp
from httptop.privilege.helper_protocol import Launch

NAME = "httptop-demo"
_SHELL = "/bin/sh"
#: Names itself, and reads a line from the socket, which is its standard input, too.
_WAIT = 'printf %s "$0" > /proc/self/comm; read -r asked && exec "$@"'


def run(channel: int, launch: Launch) -> None:
    """Become the user and serve httptop on the socket ``channel``, the only one, to its end.

    It is passed on to a program that takes the place of this one; raises :class:`OSError`.
    """
    with open("/proc/self/comm", "w") as name:
        name.write(NAME)
    made = made_here() if launch.ahead else None
    os.setgroups(launch.groups)
    os.setresgid(launch.gid, launch.gid, launch.gid)
    os.setresuid(launch.uid, launch.uid, launch.uid)
    capabilities.keep_only(())
    capabilities.make_undumpable()
    if launch.filter:
        seccomp.apply(launch.filter)
    if made is not None:
        serve(channel, made)
        return
    os.dup2(channel, 0)
    python = [sys.executable, "-ISBc", SERVE, NAME, str(channel), *sys.path]
    os.execve(_SHELL, [_SHELL, "-c", _WAIT, NAME, *python], {})
