"""Where metrics and spans go: the settings, and what OpenTelemetry's variables add to them.

``otlp.endpoint`` is the address below which a receiver has ``v1/metrics`` and ``v1/traces``. With
``auto`` it is that of the variables ``OTEL_EXPORTER_OTLP_*``, or a collector on this host. Fields
for the receiver may be secrets: they come from a variable or a file, and no text has them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from httptop.config.otlp_endpoint import AUTO, DEFAULT, Signal, below, parsed
from httptop.config.settings import Otlp
from httptop.errors import UsageError
from httptop.linux.files import InvokingUser, read_text
from httptop.printable import clean

_FIELD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8192}")
#: Fields that are httptop's own to send.
_OURS: Final = frozenset(
    (
        *("connection", "content-encoding", "content-length", "content-type", "expect", "host"),
        "transfer-encoding",
    )
)
_LARGEST_FILE: Final = 1 << 16
_LARGEST_CERTIFICATES: Final = 1 << 20
_MOST_ATTRIBUTES: Final = 64


@dataclass(frozen=True, slots=True)
class Receiver:
    """One address of a receiver, and how to talk to it."""

    scheme: str  # "http", "https"
    host: str
    port: int
    path: str
    timeout_s: float
    compressed: bool = True
    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    certificates: str = ""  # of authorities, as PEM; empty: those of this host

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def receiver_of(
    signal: Signal, settings: Otlp, environ: Mapping[str, str], invoker: InvokingUser
) -> Receiver:
    """Return where a signal goes; raise :class:`UsageError`."""
    origin, url = _url(signal, settings.endpoint, environ)
    try:
        scheme, host, port, path = parsed(url)
    except ValueError as error:
        raise UsageError(f"{origin}: {error}") from None
    return Receiver(
        scheme,
        host,
        port,
        path,
        settings.timeout_s,
        settings.compression == "gzip",
        tuple(_fields(signal, settings, environ, invoker)),
        _text_of("otlp.certificate", settings.certificate, _LARGEST_CERTIFICATES, invoker),
    )


def _url(signal: Signal, endpoint: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return where the address of a signal comes from, and the address."""
    if endpoint != AUTO:
        return "otlp.endpoint", below(endpoint, signal)
    protocol = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    if protocol != "http/protobuf":
        raise UsageError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol[:40]!r}, but httptop speaks http/protobuf "
            "only: name a receiver of that, as in --otlp http://localhost:4318"
        )
    own = f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
    if environ.get(own):
        return own, environ[own]
    shared = "OTEL_EXPORTER_OTLP_ENDPOINT"
    return shared, below(environ.get(shared) or DEFAULT, signal)


def _fields(
    signal: Signal, settings: Otlp, environ: Mapping[str, str], invoker: InvokingUser
) -> Iterator[tuple[str, str]]:
    """Yield the fields for the receiver, each name once: a file's before those of variables."""
    found: dict[str, tuple[str, str]] = {}
    for name in ("OTEL_EXPORTER_OTLP_HEADERS", f"OTEL_EXPORTER_OTLP_{signal.upper()}_HEADERS"):
        for key, value in pairs(name, environ.get(name, "")):
            found[key.lower()] = _checked(name, key, value)
    text = _text_of("otlp.headers_file", settings.headers_file, _LARGEST_FILE, invoker)
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            key, colon, value = line.partition(":")
            if not colon:
                raise UsageError("otlp.headers_file: a line is not name: value")
            found[key.lower()] = _checked("otlp.headers_file", key, value.strip())
    yield from found.values()


def _checked(origin: str, name: str, value: str) -> tuple[str, str]:
    """Return a field; raise :class:`UsageError`, which does not have its value."""
    if not _FIELD.fullmatch(name):
        raise UsageError(f"{origin}: a field has no valid name")
    if name.lower() in _OURS:
        raise UsageError(f"{origin}: {name} is httptop's to send")
    if not _VALUE.fullmatch(value):
        raise UsageError(f"{origin}: {name} has characters that no field may have, or too many")
    return name, value


def pairs(variable: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield the pairs of ``key=value,key=value``, whose values are percent-encoded.

    Raises :class:`UsageError`, which has none of them.
    """
    for pair in text.split(","):
        key, equals, value = pair.strip().partition("=")
        if equals and key.strip():
            yield key.strip(), unquote(value.strip(), errors="replace")
        elif pair.strip():
            raise UsageError(f"{variable}: key=value,key=value is needed")


def _text_of(setting: str, name: str, most: int, invoker: InvokingUser) -> str:
    """Return the text of a file that a setting names; raise :class:`UsageError`."""
    if not name:
        return ""
    try:
        return read_text(Path(name), most, invoker).text
    except FileNotFoundError:
        raise UsageError(f"{setting}: {name}: no such file") from None
    except OSError as error:
        raise UsageError(f"{setting}: {error}") from None


@dataclass(frozen=True, slots=True)
class Described:
    """What OpenTelemetry's variables say of the telemetry itself."""

    service: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    node: str = ""


def described(environ: Mapping[str, str] = os.environ) -> Described:
    """Return what the variables say; raise :class:`UsageError`."""
    name = "OTEL_RESOURCE_ATTRIBUTES"
    attributes = dict(pairs(name, environ.get(name, "")))
    if len(attributes) > _MOST_ATTRIBUTES:
        raise UsageError(f"{name}: at most {_MOST_ATTRIBUTES} attributes are allowed")
    attributes = {_text(key, 255): _text(value, 4096) for key, value in attributes.items()}
    return Described(
        _text(environ.get("OTEL_SERVICE_NAME", "").strip(), 255),
        attributes,
        _text(environ.get("NODE_NAME", "").strip(), 253),
    )


def _text(value: str, most: int) -> str:
    """Return a text of a variable as one that messages may have: a variable is any bytes."""
    return clean(value.encode("utf-8", "surrogateescape"), most)
