"""An ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pages import response


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Read the body, response."""
    while (await receive()).get("more_body"):
        pass
    conditional = any(name == b"if-none-match" for name, _ in scope["headers"])
    status, headers, body = response(scope["method"], scope["path"], conditional)
    lines = [(name.lower().encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
