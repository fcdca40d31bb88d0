"""What shells complete: each shell that is installed here is asked."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from distribution.completions import PLACES, completion
from httptop.run.arguments import command_line
from tests.patience import PATIENCE_S

FLAGS = {name for action in command_line()._actions for name in action.option_strings}
LONG = {name for name in FLAGS if name.startswith("--")}


def asked(shell: str, script: str, directory: Path) -> list[str]:
    """Return the lines that a shell's script prints."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    ran = subprocess.run(
        [program, *({"zsh": ["-f"], "fish": ["--no-config"]}.get(shell, [])), "-c", script],
        cwd=directory,
        env={"PATH": "/usr/bin:/bin", "HOME": str(directory), "XDG_CONFIG_HOME": str(directory)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.splitlines()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the script of every shell, and a capture."""
    for shell, file in PLACES.items():
        (tmp_path / Path(file).name).write_text(completion(shell))
    (tmp_path / "today.capture").touch()
    return tmp_path


def in_bash(place: Path, *words: str) -> set[str]:
    typed = " ".join(f"'{word}'" for word in words)
    return set(
        asked(
            "bash",
            f"source ./httptop; COMP_WORDS=(httptop {typed}); COMP_CWORD={len(words)}; "
            "$(complete -p httptop | sed 's/.*-F //; s/ .*//') httptop; "
            'printf "%s\\n" "${COMPREPLY[@]}"',
            place,
        )
    )


def test_bash_knows_every_flag_and_what_comes_after_some(place: Path) -> None:
    assert in_bash(place, "-") == FLAGS
    assert in_bash(place, "--format", "") == {"text", "json"}
    assert in_bash(place, "--replay", "to") == {"today.capture"}


def test_fish_does_too(place: Path) -> None:
    def completes(words: str) -> set[str]:
        shown = asked("fish", f"source ./httptop.fish; complete -C 'httptop {words}'", place)
        return {line.split("\t")[0] for line in shown}

    assert completes("--") == LONG
    assert completes("--format ") == {"text", "json"}
    assert "today.capture" in completes("--replay to")


def test_zsh_finds_and_reads_its_script(place: Path) -> None:
    script = (place / "_httptop").read_text()
    assert [flag for flag in FLAGS if flag not in script] == []
    assert '"--format[format of batch output]:text|json:(text json)"' in script
    shown = asked(
        "zsh",
        "fpath=($PWD $fpath); autoload -Uz compinit; compinit -D -u; print $_comps[httptop]; "
        "autoload +X _httptop && print ${+functions[_httptop]}; zsh -n _httptop",
        place,
    )
    assert shown == ["_httptop", "1"]
