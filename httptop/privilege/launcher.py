"""The launcher: a small process that starts the demo when httptop itself may start nothing.

It is made by the helper while that is still root, becomes the user that httptop becomes, without
any capability, and waits on a socket that httptop gets the other end of.
"""

from __future__ import annotations

import os

from httptop.demo.launched import made_here, serve
from httptop.linux import capabilities, seccomp
from httptop.privilege.helper_protocol import Launch

NAME = "httptop-demo"


def run(channel: int, launch: Launch) -> None:
    """Become the user and serve httptop on the socket ``channel``, the only one, to its end."""
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
    serve(channel, made)
