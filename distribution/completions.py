"""What shells complete, made of the parser by shtab: nothing runs httptop at a press of Tab."""

from __future__ import annotations

from typing import Final

import shtab

from httptop.config.settings import BY_KEY
from httptop.config.value_types import Choice
from httptop.run.arguments import command_line

#: Where each shell looks for them, below share/.
PLACES: Final = {
    "bash": "bash-completion/completions/httptop",
    "zsh": "zsh/site-functions/_httptop",
    "fish": "fish/vendor_completions.d/httptop.fish",
}


def completion(shell: str) -> str:
    """Return a shell's script: flags, files, and the words that a setting allows."""
    parser = command_line()
    for action in parser._actions:
        setting = BY_KEY.get(action.dest)
        if action.metavar == "FILE":
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif setting is not None and isinstance(setting.kind, Choice):
            action.choices = setting.kind.words
    return str(shtab.complete(parser, shell))
