"""The manual page httptop(1), made of the parser and of the table of settings."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator
from typing import Final

from httptop import __version__
from httptop.config.settings import BY_KEY, SETTINGS, Setting
from httptop.run.arguments import EXAMPLES, EXIT_STATUSES, command_line

_DESCRIPTION: Final = """\
eBPF programs in the kernel pair each HTTP/1 request of this host's processes with its response
and count both: nothing is sampled, no application is changed, and no proxy stands between.
httptop shows the counts live, or prints them where standard output is no terminal. It needs root
to attach its programs, and gives root up then.

On the screen ? shows all keys.
"""
_FILES: Final = (
    ("/etc/httptop/config.toml", "the settings of the host"),
    ("~/.config/httptop/config.toml", "those of the user who runs httptop, or called sudo"),
    ("/var/cache/httptop", "compiled programs, and the layout of the running kernel"),
)


def manual(date: str = "") -> str:
    """Return the page; ``date``: of the version, empty where there is none."""
    lines = [
        f'.TH HTTPTOP 1 "{date}" "httptop {__version__}" "User Commands"',
        ".nh",
        ".SH NAME",
        _text("httptop - top for HTTP: requests of this host, live, over eBPF"),
        ".SH SYNOPSIS",
        r".B httptop",
        "[options]",
        ".SH DESCRIPTION",
    ]
    for number, paragraph in enumerate(_DESCRIPTION.strip().split("\n\n")):
        lines += [*([".PP"] if number else []), _text(paragraph)]
    lines += [".SH OPTIONS", *_options(command_line()), ".SH EXIT STATUS"]
    for status, meaning in EXIT_STATUSES:
        lines += [".TP", rf"\fB{status}\fR", _text(meaning)]
    lines += [".SH EXAMPLES"]
    for what, command in EXAMPLES:
        lines += [".TP", _text(what), rf"\fB{_text(command.format(program='httptop'))}\fR"]
    lines += [
        ".SH SETTINGS",
        _text(
            "Flags override the environment, which overrides the user's file, which overrides the "
            "host's. --print-config lists them with where each comes from, --set KEY=VALUE sets "
            "any. In the environment general.tick is HTTPTOP_GENERAL__TICK."
        ),
    ]
    for setting in SETTINGS:
        shown = f"{setting.key} = {setting.kind.show(setting.default)}"
        lines += [".TP", rf"\fB{_text(_short(shown))}\fR", _text(setting.doc)]
    lines += [".SH FILES"]
    for file, meaning in _FILES:
        lines += [".TP", rf"\fI{_text(file)}\fR", _text(meaning)]
    lines += [".SH SEE ALSO", r"\fBtop\fR(1), \fBss\fR(8), \fBbpftool\fR(8)"]
    return "\n".join(lines) + "\n"


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for group in parser._action_groups:
        if not group._group_actions:
            continue
        yield f'.SS "{_text(group.title or "")}"'
        for action in group._group_actions:
            value = f" \\fI{_text(str(action.metavar))}\\fR" if action.nargs != 0 else ""
            if action.nargs == "?":
                value = f" [{value.strip()}]"
            yield ".TP"
            yield ", ".join(rf"\fB{_text(name)}\fR{value}" for name in action.option_strings)
            yield from _meaning(action)


def _meaning(action: argparse.Action) -> Iterator[str]:
    """Yield all of a setting's meaning, where --help has its first clause."""
    setting = BY_KEY.get(action.dest)
    if setting is None:
        text = (action.help or "").replace("%%", "%")
        yield _text(text[:1].upper() + text[1:] + ".")
        return
    yield _text(setting.doc)
    yield ".br"
    yield _text(f"Setting: {setting.key}{_default(setting)}.")


def _default(setting: Setting) -> str:
    shown = setting.kind.show(setting.default)
    return "" if shown in ("[]", '""', "false") else f", by default {shown}"


def _short(text: str) -> str:
    return textwrap.shorten(text, 72, placeholder=" ...")


def _text(text: str) -> str:
    """Return a text as it stands, whatever roff would make of it, on one line."""
    text = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    text = re.sub(r"[^ -~]", lambda found: rf"\[u{ord(found[0]):04X}]", text)
    return rf"\&{text}" if text.startswith((".", "'")) else text
