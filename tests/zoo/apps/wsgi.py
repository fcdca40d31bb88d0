"""A WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from pages import response


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Read the body, response."""
    while environ["wsgi.input"].read(65536):
        pass
    status, headers, body = response(
        environ["REQUEST_METHOD"], environ["PATH_INFO"], "HTTP_IF_NONE_MATCH" in environ
    )
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]
