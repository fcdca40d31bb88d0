"""``httptop --doctor --service``: what httptop could trace as a service, and what is missing.

The service is a user without root's rights, with two capabilities (docs/service.md). Who has those
rights, as the service itself or a container, tries what it can do. Root starts a process that has
them and no others, and looks at systemd's unit beside. Nobody else can know.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from httptop.console import program, say
from httptop.doctor import as_service
from httptop.doctor.checks import Check, table, verdict
from httptop.doctor.host import Host, this_host
from httptop.doctor.unit import NAME, Unit, installed_unit
from httptop.linux import capabilities

#: The capabilities of the service; no others.
RIGHTS: Final = (capabilities.CAP_PERFMON, capabilities.CAP_BPF)
#: A user without any rights: that of the service exists while it runs only.
_NOBODY: Final = 65534
#: What root needs to become it.
_TO_BECOME: Final = (capabilities.CAP_SETUID, capabilities.CAP_SETGID, capabilities.CAP_SETPCAP)
_ISOLATION: Final = "-I" if sys.flags.isolated else "-P"
_TRIAL: Final = (sys.executable, _ISOLATION, "-m", as_service.__name__)
_PATIENCE_S: Final = 120.0
#: What a unit may set, whether httptop can work so, and what is wrong with it.
_HINDERS: Final = {
    "PrivateUsers": (False, "capabilities do not count for tracing then"),
    "ProcSubset": (False, "httptop reads more of /proc, such as loadavg"),
    "ProtectProc": (None, "containers of processes are not known then"),
    "PrivateNetwork": (None, "outputs reach nobody by network then, and nobody reaches them"),
}
_HARMLESS: Final = ("", "no", "0", "false", "n", "f", "off", "default", "all")
_EDIT: Final = f"sudo systemctl edit {NAME.partition('.')[0]}"


def main(host: Host | None = None, root: Path = Path("/")) -> int:
    """Print what was found; return 0 if the service works here and 77 if it does not."""
    host = host or this_host()
    if not host.privileged:
        say(table([_untried(host)]))
        say("")
        return _verdict([_untried(host)])
    about: list[Check] = []
    if host.euid == 0 and all(map(host.capable, _TO_BECOME)):
        unit, about = _unit(root)
        about += list(manager(root, unit))
        who = f"user {_NOBODY} with CAP_BPF and CAP_PERFMON alone"
        tried = trial(unit.environment if unit is not None else {})
    else:
        who = "root" if host.euid == 0 else f"user {host.euid}"
        tried = as_service.findings(host)
    if about:
        say(f"The unit:\n{table(about)}\n")
    say(f"As {who}:\n{table(tried)}\n")
    return _verdict([*about, *tried])


def _verdict(found: Sequence[Check]) -> int:
    return verdict(found, "The service works here", "The service does not work here")


def _untried(host: Host) -> Check:
    return Check(
        "Privileges",
        False,
        "the rights of the service can be tried by root, or by who has them",
        f"sudo {program()} --doctor --service" if host.euid else "",
    )


def _unit(root: Path) -> tuple[Unit | None, list[Check]]:
    try:
        return installed_unit(root), []
    except OSError as error:
        return None, [Check("Unit", False, f"it cannot be read: {error}")]


def manager(root: Path, unit: Unit | None) -> Iterator[Check]:
    """Yield what is to be said of systemd and its unit; nothing of it forbids other managers."""
    running = (root / "run/systemd/system").is_dir()
    if running:
        yield Check("systemd", True, "is the service manager here")
    else:
        yield Check(
            "systemd",
            None,
            "does not run here; any other manager, or a container, may start httptop so",
        )
    if unit is None:
        yield Check(
            "Unit",
            False if running else None,
            f"{NAME} is not installed",
            f"sudo cp {shipped_unit()} /etc/systemd/system/ && sudo systemctl daemon-reload",
        )
        return
    more = f", changed by {', '.join(map(str, unit.drop_ins))}" if unit.drop_ins else ""
    yield Check("Unit", True, f"{unit.path}{more}")
    there = _program(unit)
    yield there
    yield from _rights(unit)
    yield _cached(unit)
    for key, (ok, what) in _HINDERS.items():
        if (value := unit.last(key)).lower() not in _HARMLESS:
            yield Check(key, ok, f"{value}: {what}", f"{_EDIT}: [Service] {key}=")
    if there.ok is not False:
        yield from verified(unit)


def shipped_unit() -> Path:
    """Return where this httptop has the unit that it comes with."""
    clone = Path(__file__).parents[2] / "contrib" / "systemd" / NAME
    return clone if clone.exists() else Path(sys.prefix, "share", "httptop", NAME)


def _program(unit: Unit) -> Check:
    name, path = "Program", Path(unit.program)
    if not path.is_absolute() or not path.is_file() or not os.access(path, os.X_OK):
        return Check(
            name, False, f"{path} is not there", "sudo make install, in a clone of httptop"
        )
    if not path.stat().st_mode & 0o001:
        return Check(name, False, f"only its owner may run {path}", f"sudo chmod a+rx {path}")
    ours = Path(sys.argv[0])
    if path.resolve() != ours.resolve():
        return Check(
            name,
            None,
            f"{path} is another one than {ours}, with which all this is tried",
            f"sudo {path} --doctor --service",
        )
    return Check(name, True, str(path))


def _rights(unit: Unit) -> Iterator[Check]:
    name = "Rights"
    if unit.is_root:
        yield Check(name, None, "it is root, and gives that up once the probes are attached")
        return
    given = {word.upper() for word in unit.words("AmbientCapabilities")}
    missing = [capabilities.NAMES[number] for number in RIGHTS]
    missing = [one for one in missing if one not in given]
    if missing and "CAP_SYS_ADMIN" not in given:
        all_of_them = " ".join(capabilities.NAMES[number] for number in RIGHTS)
        yield Check(
            name,
            False,
            f"the unit does not give {' and '.join(missing)}",
            f"{_EDIT}: [Service] AmbientCapabilities={all_of_them}",
        )
        return
    user = "a user of its own" if unit.on("DynamicUser") else unit.last("User")
    yield Check(name, True, f"{user}, with {' and '.join(sorted(given))}")


def _cached(unit: Unit) -> Check:
    name = "Cache"
    cache = unit.environment.get("HTTPTOP_PERFORMANCE__CACHE", "").replace("%C", "/var/cache")
    made = [f"/var/cache/{word}" for word in unit.words("CacheDirectory")]
    if unit.is_root or cache in made:
        return Check(name, True, cache or "that of root")
    return Check(
        name,
        None,
        "it has no directory for compiled probes, which takes some seconds at each start",
        f"{_EDIT}: [Service] CacheDirectory=httptop-service, and "
        "Environment=HTTPTOP_PERFORMANCE__CACHE=%C/httptop-service",
    )


def verified(unit: Unit, analyze: str = "systemd-analyze") -> Iterator[Check]:
    """Yield what systemd itself says of a unit; nothing where its program is not there."""
    with contextlib.suppress(FileNotFoundError, subprocess.TimeoutExpired):
        said = subprocess.run(
            [analyze, "verify", "--man=no", unit.path],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        lines = (said.stdout + said.stderr).strip().splitlines()
        if said.returncode == 0 and not lines:
            yield Check("Verified", True, f"{analyze} finds nothing wrong")
        else:
            first = lines[0] if lines else f"{analyze} ends with {said.returncode}"
            remedy = f"{analyze} verify {unit.path}"
            yield Check("Verified", False if said.returncode else None, first, remedy)


def trial(variables: dict[str, str], become: Callable[[], None] | None = None) -> list[Check]:
    """Return what a process finds that has the rights of the service; call it as root.

    ``variables``: those that the unit sets.
    """
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    ours = {name: value for name, value in variables.items() if name.startswith("HTTPTOP_")}
    ours.pop("HTTPTOP_PERFORMANCE__CACHE", None)  # which is the service's own user's
    name = "Program"
    closed = Check(
        name,
        False,
        f"a user without rights cannot run {sys.executable}, or read httptop",
        "sudo make install, in a clone of httptop",
    )
    try:
        ended = subprocess.run(
            _TRIAL,
            env=kept | ours | {"HOME": "/"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            preexec_fn=become or _become,
            timeout=_PATIENCE_S,
            check=False,
        )
    except PermissionError:
        return [closed]
    except subprocess.TimeoutExpired:
        return [Check("Probes", False, f"they were not loaded within {_PATIENCE_S:.0f} s")]
    found = [Check(**_fields(line)) for line in ended.stdout.splitlines()]
    if ended.returncode == 0 and found:
        return found
    said = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
    if "No module named" in said or "PermissionError" in said:
        return [closed]
    return [*found, Check(name, False, f"the trial ended with {ended.returncode}: {said}")]


def _fields(line: str) -> dict[str, Any]:
    return dict(json.loads(line))


def _become() -> None:
    capabilities.become_with(_NOBODY, _NOBODY, RIGHTS)
