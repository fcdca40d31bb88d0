"""OpenTelemetry's names for what httptop knows: attributes of requests, and of whom they belong to.

They follow the semantic conventions for HTTP but for this: ``http.route`` is our path template,
which is inferred and not the application's route; it is what identifies a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from httptop import __version__
from httptop.model import STATUS_UNKNOWN, EndpointKey, Side, status_name

Value = str | int | bool

#: The name of a method that is not known.
OTHER_METHOD: Final = "_OTHER"
#: ``error.type`` of a response whose status is not known, and of a request without one.
UNKNOWN_STATUS: Final = "unknown"
UNANSWERED: Final = "unanswered"
SCOPE: Final = InstrumentationScope(name="httptop", version=__version__)


def key_values(attributes: Mapping[str, Value]) -> list[KeyValue]:
    """Return attributes as protobufs."""
    return [KeyValue(key=key, value=_any_value(value)) for key, value in attributes.items()]


def _any_value(value: Value) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)


@dataclass(frozen=True, slots=True)
class Methods:
    """The methods that have their own name; None: all that httptop tells apart."""

    known: frozenset[str] | None = None

    def name(self, method: str) -> str:
        """Return a method's name in attributes."""
        if method == "OTHER" or (self.known is not None and method not in self.known):
            return OTHER_METHOD
        return method


#: Series have only methods with a name of their own, and OTHER.
ALL_METHODS: Final = Methods()


def of_endpoint(key: EndpointKey, methods: Methods = ALL_METHODS) -> dict[str, Value]:
    """Return what tells an endpoint from the others of its process."""
    found: dict[str, Value] = {
        "http.request.method": methods.name(key.method),
        "url.scheme": "https" if key.tls else "http",
        "http.route" if key.side == "server" else "url.template": key.path,
    }
    if key.port:
        found["server.port"] = key.port
    if key.protocol:
        found["network.protocol.version"] = key.protocol.removeprefix("HTTP/")
    return found


def of_status(status: int, side: Side) -> dict[str, Value]:
    """Return what tells responses of one status from the others of an endpoint."""
    if status == STATUS_UNKNOWN:
        return {"error.type": UNKNOWN_STATUS}
    name, found = status_name(status), dict[str, Value]()
    if status >= 10:
        found["http.response.status_code"] = status
    else:  # the codes are not known, as the endpoint has had too many
        found["httptop.response.status_class"] = name
    if is_error(status, side):
        found["error.type"] = name
    return found


def is_error(status: int, side: Side) -> bool:
    """Return whether a status is an error to who is on that side; an unknown one is not."""
    digit = status if status < 10 else status // 100
    return digit >= (5 if side == "server" else 4)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose metrics or spans some are: a resource."""

    process: str
    user: str = ""
    container: str = ""
    own: bool = False  # whether they are httptop's, of itself


HTTPTOP: Final = Owner("httptop", own=True)


@dataclass(frozen=True, slots=True)
class Resources:
    """Makes resources of owners, on one host."""

    host: str
    node: str = ""  # of the cluster, where httptop runs in a container
    service: str = ""  # its name, for all processes; empty: that of the process
    more: Mapping[str, str] = field(default_factory=dict)  # attributes of every resource

    def of(self, owner: Owner) -> Resource:
        """Return the resource of an owner.

        Whatever tells owners apart is in ``service.instance.id``, too: there are receivers that
        tell resources apart by this and ``service.name`` alone.
        """
        host = self.node or self.host
        instance = ":".join(filter(None, (host, owner.process, owner.user, owner.container)))
        found: dict[str, Value] = {"host.name": host}
        if self.node:
            found["k8s.node.name"] = self.node
        found |= self.more
        found |= {
            "service.name": owner.process if owner.own else self._service(owner),
            "service.instance.id": instance,
            "process.executable.name": owner.process,
        }
        if owner.own:
            found["service.version"] = __version__
        if owner.user:
            found["process.owner"] = owner.user
        if owner.container:
            found["container.id"] = owner.container
        return Resource(attributes=key_values(found))

    def _service(self, owner: Owner) -> str:
        return self.service or self.more.get("service.name", "") or owner.process
