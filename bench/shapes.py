"""What wrk asks nginx for, beyond one short request over and over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from bench.load import Shape

#: Bytes of a request as browsers and proxies send it.
LONG_LEN: Final = 480
_NUMBER: Final = "%032x"


def long_request(host: str, path: str) -> str:
    """Return a request of LONG_LEN bytes, once ``%032x`` stands for a number.

    Raises ValueError where host and path leave no room for that.
    """
    head = (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0\r\n"
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
        "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n"
        f"traceparent: 00-{_NUMBER}-00f067aa0ba902b7-01\r\n"
        "Connection: keep-alive\r\nCookie: session="
    )
    room = LONG_LEN - len(head % 0) - len("\r\n\r\n")
    if room < 1:
        raise ValueError(f"no room for {host} and {path} in {LONG_LEN} bytes")
    return f"{head}{'c' * room}\r\n\r\n"


def long_requests(host: str, path: str) -> Shape:
    """Return the shape of long requests, each with another trace."""
    before, after = map(json.dumps, long_request(host, path).split(_NUMBER))
    return Shape(
        script=f"""
local n, before, after = 0, {before}, {after}
function request()
  n = n + 1
  return before .. string.format("{_NUMBER}", n) .. after
end
"""
    )


def many_paths(host: str, prefix: str, count: int) -> Shape:
    """Return the shape of short requests for many paths in turns, none of which looks like an id.

    At most 64,000; they are asked for at a pace that leaves room for others on this machine.
    """
    return Shape(
        connections=64,
        think_ms=8,
        script=f"""
local first, second = "bdfgklmnpr", "aeio"
local function syllable(n)
  local a, b = n % 10 + 1, math.floor(n / 10) % 4 + 1
  return first:sub(a, a) .. second:sub(b, b)
end
local n, requests = 0, {{}}
for i = 0, {count - 1} do
  local word = syllable(i) .. syllable(math.floor(i / 40)) .. syllable(math.floor(i / 1600))
  requests[i + 1] = "GET {prefix}" .. word .. " HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n"
end
function request()
  n = n + 1
  return requests[n % #requests + 1]
end
""",
    )


def in_turns(host: str, paths: Sequence[str]) -> Shape:
    """Return the shape of short requests for these paths in turns, on every connection."""
    requests = (f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n" for path in paths)
    return Shape(
        script=f"""
local n, requests = 0, {{{", ".join(map(json.dumps, requests))}}}
function request()
  n = n + 1
  return requests[n % #requests + 1]
end
"""
    )
