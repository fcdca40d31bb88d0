"""An aiohttp application, its own access log on stderr."""

from __future__ import annotations

import logging
import sys

from aiohttp import web
from pages import response


async def respond(request: web.Request) -> web.Response:
    """Read the body, response."""
    while await request.content.read(65536):
        pass
    status, headers, body = response(
        request.method, request.path, "If-None-Match" in request.headers
    )
    return web.Response(status=status, headers=dict(headers), body=body)


logging.basicConfig(level=logging.INFO)
app = web.Application(client_max_size=1 << 30)
app.router.add_route("*", "/{rest:.*}", respond)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log_format="%r %s")
