"""Ask for each address on standard input with http.client, httpx or aiohttp; print the status.

A line for each address, in any order: the address, and the status that was got with a whole
response, or 0.
"""

from __future__ import annotations

import asyncio
import http.client
import sys
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

_TIMEOUT_S = 3
_AT_ONCE = 16


def _plainly(address: str) -> int:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", parts.path)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


async def _by_thread(address: str) -> int:
    return await asyncio.to_thread(_plainly, address)


async def _by_httpx(address: str) -> int:
    import httpx

    async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client:
        return int((await client.get(address)).status_code)


async def _by_aiohttp(address: str) -> int:
    import aiohttp

    limit = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with (
        aiohttp.ClientSession(timeout=limit) as session,
        session.get(address, allow_redirects=False) as response,
    ):
        await response.read()
        return int(response.status)


_BY: dict[str, Callable[[str], Awaitable[int]]] = {
    "http.client": _by_thread, "httpx": _by_httpx, "aiohttp": _by_aiohttp,
}  # fmt: skip


async def _main(ask: Callable[[str], Awaitable[int]]) -> None:
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(address: str) -> None:
        async with free:
            try:
                status = await ask(address)
            except Exception:  # noqa: BLE001 - whatever a library makes of bytes that it does not like
                status = 0
        print(address, status, flush=True)

    await asyncio.gather(*(one(line.strip()) for line in sys.stdin))


asyncio.run(_main(_BY[sys.argv[1]]))
