"""Write the settings as a TOML file that explains itself.

Our own comments start with ``##`` and are rewritten each time. The user's (``#``) are kept in front
of the setting, or the end of the file, that they preceded.
"""

from __future__ import annotations

import functools
from collections.abc import Set
from typing import Final

from httptop.config.settings import BY_KEY, SETTINGS, Setting, Settings
from httptop.config.toml_lines import OURS, user_comments

_HEAD: Final = (
    "## Settings of httptop. Environment variables and flags override this file.",
    "## Lines that start with ## are rewritten by --save-config; your own (#) are kept.",
)
_SECTION_DOCS: Final = {
    "general": "The run as a whole.",
    "filter": "What a filter excludes is not counted and cannot be looked at later.",
    "filter.process": "Which processes are selected; empty: all.",
    "filter.network": "Which connections are selected; empty: all.",
    "filter.http": "Which requests are counted; empty: all.",
    "filter.events": "Which kinds of traffic are read.",
    "sampling": "Which single requests are shown; counts are never sampled.",
    "paths": "How paths become the templates of endpoints.",
    "output": "What batch mode prints.",
    "request_log": "A line for each sampled request; what httptop itself has to say is in "
    "general.log_file.",
    "metrics": "What outputs of metrics send.",
    "prometheus": "Metrics for who comes and asks for them.",
    "otlp": "Metrics and spans for a receiver of OpenTelemetry's protocol.",
    "performance": "Sizes of the tables in the kernel, and what httptop may use.",
    "security": "What httptop may do, and what it keeps of requests.",
    "fleet": "How --from asks a Prometheus server.",
    "watches": "What is watched on the screen.",
    "ui": "How the screen looks at first.",
}


def to_toml(settings: Settings, previous: str = "", stated: Set[str] = BY_KEY.keys()) -> str:
    """Return the text of a file with ``settings``; the user's comments in ``previous`` are kept.

    Settings whose keys are not in ``stated`` are written as comments.
    """
    kept = user_comments(previous, BY_KEY.keys())
    lines = [*_HEAD]
    section = None
    for setting in SETTINGS:
        if setting.section != section:
            section = setting.section
            lines += ["", f"[{section}]", f"{OURS} {_SECTION_DOCS[section]}"]
        lines += kept.pop(setting.key, [])
        lines += [f"{OURS} {line}" for line in explain(setting)]
        line = f"{setting.name} = {setting.kind.show(setting.of(settings))}"
        lines.append(line if setting.key in stated else f"{OURS} {line}")
    rest = [line for comments in kept.values() for line in comments]
    if rest:
        lines += ["", *rest]
    return "\n".join(lines) + "\n"


@functools.cache
def explain(setting: Setting) -> tuple[str, ...]:
    """Return the lines that explain a setting to a reader of the file."""
    flag = f" Flag: {setting.flags[-1]}." if setting.flags else ""
    default = setting.kind.show(setting.default)
    return (setting.doc, f"Allowed: {setting.kind.allowed}. Default: {default}.{flag}")


def settings_table() -> str:
    """Return the Markdown table of docs/settings.md."""
    lines = [
        "| setting | default | allowed | flag | environment | reload | meaning |",
        "|---|---|---|---|---|---|---|",
    ]
    for setting in SETTINGS:
        flags = ", ".join(f"`{flag}`" for flag in setting.flags)
        cells = (
            f"`{setting.key}`",
            f"`{setting.kind.show(setting.default)}`",
            setting.kind.allowed,
            flags,
            f"`{setting.variable}`",
            "yes" if setting.live else "no",
            setting.doc,
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
