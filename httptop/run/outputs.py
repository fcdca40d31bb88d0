"""What the outputs of a run need of the system, known before they are opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from httptop.config.destination import parse_destination
from httptop.config.settings import Settings
from httptop.privilege.system_calls import of_outputs, serving

if TYPE_CHECKING:
    from httptop.privilege.system_calls import Groups


def system_calls_of(settings: Settings, *, replayed: bool = False) -> Groups:
    """Return the system calls that the outputs of a run make, besides those of every run."""
    pushes = bool(settings.otlp.endpoint) and not replayed
    kinds = {parse_destination(text).kind for text in settings.request_log.to}
    groups = of_outputs(
        files="file" in kinds,
        hosts=pushes or not kinds.isdisjoint(("tcp", "syslog+udp", "syslog+tcp")),
        sockets=not kinds.isdisjoint(("unix", "syslog")),
    )
    return groups | serving() if settings.prometheus.listen and not replayed else groups
