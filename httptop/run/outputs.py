"""What the outputs of a run need of the system, known before they are opened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from httptop.config.destination import parse_destination
from httptop.config.settings import DEFAULTS, Settings
from httptop.privilege.system_calls import of_outputs, serving

if TYPE_CHECKING:
    from httptop.config.load import Config
    from httptop.privilege.system_calls import Groups
    from httptop.run.arguments import Arguments


def config_of_run(asked: Arguments, config: Config) -> Config:
    """Return the configuration without outputs that a run cannot have, or that are not for it.

    Files set what a service sends. A capture that is played, or other hosts that are looked at, are
    none of that: such a run logs requests if the command line asks for it.
    """
    if asked.replay is None and asked.source is None:
        return config
    settings = config.settings
    log = settings.request_log if "request_log.to" in asked.settings else DEFAULTS.request_log
    less = replace(settings, prometheus=DEFAULTS.prometheus, otlp=DEFAULTS.otlp, request_log=log)
    return replace(config, settings=less)


def system_calls_of(settings: Settings) -> Groups:
    """Return the system calls that the outputs of a run make, besides those of every run."""
    pushes = bool(settings.otlp.endpoint)
    kinds = {parse_destination(text).kind for text in settings.request_log.to}
    groups = of_outputs(
        files="file" in kinds or bool(settings.general.log_file),
        hosts=pushes or not kinds.isdisjoint(("tcp", "syslog+udp", "syslog+tcp")),
        sockets=not kinds.isdisjoint(("unix", "syslog")),
    )
    return groups | serving() if settings.prometheus.listen else groups


def logs_of(settings: Settings) -> list[tuple[Path, str]]:
    """Return the files that logs go to, which may be rotated, with the format of their lines.

    The format is that of a log of requests; empty: it is httptop's own log.
    """
    own, to = settings.general.log_file, map(parse_destination, settings.request_log.to)
    requests = [
        (Path(place.path), settings.request_log.format) for place in to if place.kind == "file"
    ]
    return [*([(Path(own), "")] if own else []), *requests]


def exports_metrics(settings: Settings) -> bool:
    """Return whether any output of metrics is on; what they need is not kept otherwise."""
    pushes = settings.otlp.endpoint and settings.otlp.metrics
    return bool(settings.prometheus.listen or pushes)  # each output that there is stands here


def known_methods(environ: Mapping[str, str]) -> frozenset[str] | None:
    """Return the methods that metrics tell apart, as OpenTelemetry has it; None: all.

    https://opentelemetry.io/docs/specs/semconv/http/http-metrics/: "a full override of the list".
    """
    words = environ.get("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "").split(",")
    return frozenset(word.strip() for word in words if word.strip()) or None


def own_pid_of(settings: Settings) -> int:
    """Return the id of this process if its own traffic is to be left out, otherwise 0."""
    kinds = {parse_destination(text).kind for text in settings.request_log.to}
    talks = bool(settings.prometheus.listen or settings.otlp.endpoint or kinds - {"-", "file"})
    return os.getpid() if talks and not settings.filter.events.own else 0
