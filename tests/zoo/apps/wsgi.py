"""A WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from answers import answer


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Read the body, answer."""
    while environ["wsgi.input"].read(65536):
        pass
    status, headers, body = answer(
        environ["REQUEST_METHOD"], environ["PATH_INFO"], "HTTP_IF_NONE_MATCH" in environ
    )
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]
