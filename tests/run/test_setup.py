"""scripts/packages.sh: which Python the set-up asks the distribution for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PACKAGES = Path(__file__).parents[2] / "scripts" / "packages.sh"
#: apt-cache, with the candidates of a distribution, in the language that is set.
APT_CACHE = """#!/bin/sh
[ "${{LC_ALL-}}" = C ] && word=Candidate || word=Installationskandidat
case $2 in
{candidates}
*) exit 0 ;;
esac
printf '%s:\\n  Installed: (none)\\n  %s: %s\\n' "$2" "$word" "$version"
"""


def ask(tmp_path: Path, call: str, **versions: str) -> subprocess.CompletedProcess[str]:
    """Call a function of the script where ``apt-cache`` knows these versions."""
    known = (
        f"{name.replace('_', '.')}) version='{version}' ;;" for name, version in versions.items()
    )
    tool = tmp_path / "apt-cache"
    tool.write_text(APT_CACHE.format(candidates="\n".join(known)))
    tool.chmod(0o755)
    die = 'die() { echo "Set-up failed: $*" >&2; exit 1; }'
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "LC_ALL": "de_DE.UTF-8",
    }
    return subprocess.run(
        ["sh", "-euc", f"{die}; . '{PACKAGES}'; {call}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_distribution_without_a_new_python_is_refused_in_one_line(tmp_path: Path) -> None:
    done = ask(tmp_path, "require_python", python3="3.9.2-3", python3_11="(none)")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Set-up failed: httptop needs Python 3.11 or newer; ")
    assert line.endswith(" has 3.9. Debian 12 and Ubuntu 24.04 have what is needed.")


def test_python_3_11_beside_an_older_one_is_taken(tmp_path: Path) -> None:
    call = "require_python; python_for_apt"
    done = ask(tmp_path, call, python3="3.10.6-1~22.04", python3_11="3.11.0~rc1-1~22.04")
    assert (done.returncode, done.stdout) == (0, "python3.11 python3.11-venv\n")


def test_a_new_python_is_taken_as_it_is(tmp_path: Path) -> None:
    done = ask(tmp_path, "require_python; python_for_apt", python3="3.13.5-1")
    assert (done.returncode, done.stdout) == (0, "python3 python3-venv\n")
