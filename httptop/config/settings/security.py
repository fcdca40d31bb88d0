"""The settings of ``[security]``: what httptop may do, and what it keeps of requests."""

from __future__ import annotations

from typing import Final

from httptop.config.settings.setting import Setting
from httptop.config.settings.string_types import FIELD, OTHER_USER
from httptop.config.value_types import Choice, Many, Size, Switch
from httptop.http.redaction import LEVELS

SECURITY_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "security",
        "drop_privileges",
        Switch(),
        "Whether httptop gives up root once its probes are attached.",
    ),
    Setting(
        "security",
        "user",
        OTHER_USER,
        "User that httptop then becomes; empty: nobody.",
    ),
    Setting(
        "security",
        "keep_no_capabilities",
        Switch(),
        "Whether all capabilities are given up as well; false keeps CAP_BPF and CAP_PERFMON.",
    ),
    Setting(
        "security",
        "seccomp",
        Switch(),
        "Whether each process of httptop may make only the system calls that it needs from then "
        "on (docs/security.md).",
    ),
    Setting(
        "security",
        "allow_root_ui",
        Switch(),
        "Whether the screen may run as root; if false, httptop exits if it cannot give up root.",
    ),
    Setting(
        "security",
        "redact",
        Choice(LEVELS),
        "What is masked in samples, in the log and in a replay (docs/privacy.md). default: values "
        "of queries, what looks like a secret or a person, all fields but shown_fields; strict: "
        "all that a client may choose but the words of a path; off: nothing.",
        flags=("--redact",),
        metavar="strict|default|off",
        group="sampling",
    ),
    Setting(
        "security",
        "redact_captures",
        Choice(LEVELS),
        "The same of what --record, --export and --log write, where stricter than "
        "security.redact; --log to standard output has security.redact.",
    ),
    Setting(
        "security",
        "shown_fields",
        Many(FIELD),
        "Fields of a sampled request, and of its response, whose values are shown with "
        'security.redact = "default"; those of all others are ***.',
    ),
    Setting(
        "security",
        "max_captured_bytes",
        Size(0, 1024),
        "Bytes that a sample may hold of a request's header section, of a response's (at most "
        "512), and of a request line (at most 128).",
    ),
)
