"""What httptop finds with the rights of the service, in a process that has them.

``python -m httptop.doctor.as_service`` prints the findings as a line of JSON each, for the doctor
that has started it as another user.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from httptop.bpf.build.cache import Cache
from httptop.config.load import SYSTEM_FILE, Config, load
from httptop.doctor.checks import Check, tried
from httptop.doctor.host import Host, this_host
from httptop.errors import HttptopError
from httptop.linux.capabilities import CAP_SYS_ADMIN
from httptop.linux.files import invoking_user

#: What only root sees (docs/service.md).
ROOTS_ALONE: Final = (
    "what the probes cost in the kernel, why a process is not seen, and names of containers"
)


def findings(host: Host | None = None, *, cached: bool = True) -> list[Check]:
    """Check what this process, with its user and its capabilities, can do; takes seconds.

    ``cached``: whether the cache of compiled probes is this user's already.
    """
    host = host or this_host()
    found = tried(host)
    configuration, config = _configuration()
    found.append(configuration)
    if cached and config is not None:
        found.append(_cache(config.settings.performance.cache))
    found.append(_processes())
    if not host.capable(CAP_SYS_ADMIN):
        found.append(Check("Not seen", None, f"{ROOTS_ALONE}: only root sees these"))
    return found


def _configuration() -> tuple[Check, Config | None]:
    name = "Configuration"
    try:
        config = load({}, os.environ, invoking_user(os.environ))
    except HttptopError as error:
        said = "; ".join(str(error).splitlines()[:3])
        return Check(name, False, said, _mended(SYSTEM_FILE)), None
    except OSError as error:  # a directory above it is closed
        return Check(name, False, str(error), _mended(SYSTEM_FILE)), None
    read = ", ".join(map(str, config.files))
    return Check(name, True, read or "none, the defaults apply"), config


def _mended(file: Path) -> str:
    """Return the command that lets everybody read a file, or the one that lists all errors."""
    for part, right in ((file.parent, os.X_OK), (file, os.R_OK)):
        if part.exists() and not os.access(part, right):
            return f"sudo chmod a+rX {file.parent} {file}"
    return "httptop --validate-config"


def _cache(directory: str) -> Check:
    name, slow = "Cache", "the probes are compiled at each start, which takes some seconds"
    if not directory:
        return Check(name, None, f"none: {slow}", "set performance.cache")
    if Cache(Path(directory)).keeps():
        return Check(name, True, directory)
    return Check(
        name,
        None,
        f"{directory} is not a directory of this user's alone: {slow}",
        f"sudo install -d -m 0700 -o {os.geteuid()} {directory}",
    )


def _processes() -> Check:
    """Look at process 1, which is another user's."""
    name = "Processes"
    try:
        Path("/proc/1/stat").read_text("utf-8", "replace")
    except OSError:
        return Check(
            name,
            None,
            "/proc hides those of other users (hidepid, ProtectProc): containers are not known",
            "mount -o remount,hidepid=0 /proc",
        )
    return Check(name, True, "/proc shows those of all users")


def main() -> int:
    """Print the findings of this process, but for the cache, which is another user's."""
    for check in findings(cached=False):
        print(json.dumps(asdict(check)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
