"""Send the mix with requests, httpx or aiohttp; print what came back, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

KIND, BASE, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])
MIX = [("GET", "ok"), ("HEAD", "ok"), ("POST", "ok"), ("GET", "missing"), ("GET", "none")]
counted: Counter[str] = Counter()


def plan(worker: int, workers: int) -> list[tuple[str, str, bytes | None]]:
    """Return the worker's share of the requests."""
    chosen = [MIX[at % len(MIX)] for at in range(worker, COUNT, workers)]
    return [(method, last, b"a=b" if method == "POST" else None) for method, last in chosen]


def by_requests() -> None:
    """One session, one connection at a time."""
    import requests

    with requests.Session() as session:
        for method, last, body in plan(0, 1):
            response = session.request(method, f"{BASE}/{last}", data=body, allow_redirects=False)
            counted[f"{method} {last} {response.status_code}"] += 1


async def by_httpx() -> None:
    """Eight at a time from one pool."""
    import httpx

    async with httpx.AsyncClient(timeout=30) as client:

        async def work(worker: int) -> None:
            for method, last, body in plan(worker, 8):
                response = await client.request(method, f"{BASE}/{last}", content=body)
                counted[f"{method} {last} {response.status_code}"] += 1

        await asyncio.gather(*(work(worker) for worker in range(8)))


async def by_aiohttp() -> None:
    """Eight at a time from one pool."""
    import aiohttp

    async with aiohttp.ClientSession() as session:

        async def work(worker: int) -> None:
            for method, last, body in plan(worker, 8):
                async with session.request(method, f"{BASE}/{last}", data=body) as response:
                    await response.read()
                    counted[f"{method} {last} {response.status}"] += 1

        await asyncio.gather(*(work(worker) for worker in range(8)))


if KIND == "requests":
    by_requests()
else:
    asyncio.run(by_httpx() if KIND == "httpx" else by_aiohttp())
print(json.dumps(counted))
