"""Apply a filter to sampled requests, requests in flight and endpoint keys.

An unknown value (such as the user of a row of an old capture) equals nothing. If a *field* is not
decided yet, the result may be None, by the rules of three-valued logic.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from httptop.filters.tree import And, Compare, Expression, Not, Or
from httptop.filters.values import ORDERINGS, user_number
from httptop.model import (
    STATUS_UNKNOWN,
    EndpointKey,
    RequestInFlight,
    Transaction,
)

#: Fields of an endpoint's key: exact for every row. The host is that of a fleet; of others it is
#: not known.
KEY_FIELDS: Final = frozenset(("comm", "port", "method", "path", "side", "proto", "tls", "host"))
#: Fields that a row of the endpoint table has.
ROW_FIELDS: Final = KEY_FIELDS | {
    *("status", "pid", "latency", "size", "in_flight"),
    *("peer", "user", "container"),
}
#: Fields that a sampled request has.
TRANSACTION_FIELDS: Final = KEY_FIELDS | {"status", "pid", "latency", "size", "peer", "user"}
#: Fields that a request in flight has.
IN_FLIGHT_FIELDS: Final = KEY_FIELDS | {"pid", "peer", "user"}

#: Values of a field on one thing; None: not decided yet.
Known = tuple[str | int, ...] | None


def matches_transaction(expression: Expression, request: Transaction) -> bool:
    """Return whether a filter selects a sampled request.

    Its path is the one sent, without the query, or its template: either may match.
    """

    def known(name: str) -> Known:
        match name:
            case "path":
                return (re.split(r"[?#]", request.path, maxsplit=1)[0], request.key.path)
            case "status":
                return (request.status,)
            case "pid":
                return (request.pid,)
            case "latency":
                return (request.latency_ns,) if request.status != STATUS_UNKNOWN else ()
            case "size":
                return () if request.response_bytes is None else (request.response_bytes,)
            case "peer":
                return () if request.peer is None else (request.peer,)
            case "port" if not request.key.port:  # older captures lack it: a client's peer has it
                port = (request.peer or "").rpartition(":")[2]
                client = request.key.side == "client" and port.isdecimal()
                return (int(port),) if client else ()
            case _:
                return of_key(request.key, name)

    return evaluate(expression, known) is True


def matches_in_flight(expression: Expression, request: RequestInFlight) -> bool:
    """Return whether a filter selects a request in flight."""

    def known(name: str) -> Known:
        match name:
            case "pid":
                return () if request.pid is None else (request.pid,)
            case "peer":
                return (request.peer,)
            case _:
                return of_key(request.key, name)

    return evaluate(expression, known) is True


def matches_key(expression: Expression, key: EndpointKey, status: int | None) -> bool | None:
    """Return whether a filter selects a request of an endpoint.

    Returns None if ``status`` is None and decides. Fields other than ``status`` and those of the
    key equal nothing.
    """

    def known(name: str) -> Known:
        if name == "status":
            return None if status is None else (status,)
        return of_key(key, name)

    return evaluate(expression, known)


def evaluate(expression: Expression, known: Callable[[str], Known]) -> bool | None:
    """Return whether an expression holds; None if ``known`` does not decide it."""
    match expression:
        case Compare(name, operator, values):
            found = known(name)
            if found is None:
                return None
            if name == "status" and operator in ORDERINGS:  # unknown is not below 200
                found = tuple(code for code in found if code != STATUS_UNKNOWN)
            holds = any(one.holds(operator, value) for value in found for one in values)
            return holds != operator.startswith("!")
        case Not(item):
            inner = evaluate(item, known)
            return None if inner is None else not inner
        case And(items) | Or(items):
            decisive = isinstance(expression, Or)
            undecided = False
            for item in items:
                truth = evaluate(item, known)
                if truth is decisive:
                    return decisive
                undecided = undecided or truth is None
            return None if undecided else not decisive


def of_key(key: EndpointKey, name: str) -> tuple[str | int, ...]:
    """Return the values of a field that an endpoint's key has; none, if it is no field of it."""
    match name:
        case "comm":
            return (key.process,)
        case "port":
            return (key.port,) if key.port else ()
        case "method":
            return (key.method.upper(),)
        case "path":
            return (key.path,)
        case "side":
            return (key.side,)
        case "proto":
            return (key.protocol.upper(),)
        case "tls":
            return (int(key.tls),)
        case "user":
            return names_of_user(key.user)
        case "host":
            return (key.host,) if key.host else ()
        case _:
            return ()


@lru_cache(maxsize=256)
def names_of_user(user: str) -> tuple[str, ...]:
    """Return a user's name and number, or that one of them which is known here."""
    if not user:
        return ()
    try:
        return user, str(user_number(user))
    except ValueError:
        return (user,)
