"""The standard set of requests, sent by curl and by Python's http.client."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.zoo.running import Responses, Running

_UPLOAD: Final = 1_500_000
_TIMEOUT_S: Final = 30


@dataclass(frozen=True)
class Request:
    """One request; ``chunked`` sends its body in chunks."""

    method: str
    last: str
    body: bytes = b""
    chunked: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    curl: tuple[str, ...] = ()


STANDARD: Final = (
    Request("GET", "ok"),
    Request("HEAD", "ok"),
    Request("GET", "ok"),
    Request("POST", "ok", b"hello=world"),
    Request("PUT", "upload", b"y" * 3001, chunked=True),
    Request("DELETE", "missing"),
    Request("GET", "missing"),
    Request("GET", "moved"),
    Request("GET", "none"),
    Request("GET", "ok", headers={"If-None-Match": "*"}),
    Request("GET", "file.bin"),
    Request("HEAD", "file.bin"),
    Request("PUT", "upload", b"POST / HTTP/1.1\r\n\r\n" * (_UPLOAD // 19)),
    Request("GET", "ok", headers={"Connection": "close"}),
    Request("GET", "ok", curl=("-0",)),
)


def by_curl(server: Running, path: str, work: Path) -> Responses:
    """Send the set with curl, a connection each; return what curl says it got.

    A large upload waits for ``100 Continue``. Three more go through one connection.
    """
    counted: Responses = Counter()
    for request in STANDARD:
        command = ["curl", "-sS", "-m", str(_TIMEOUT_S), "-o", "/dev/null", "-w", "%{http_code}\n"]
        for name, value in request.headers.items():
            command += ["-H", f"{name}: {value}"]
        if request.method == "HEAD":
            command.append("-I")
        elif request.body:
            (work / "body").write_bytes(request.body)
            command += ["-X", request.method, "--data-binary", f"@{work}/body"]
            if request.chunked:
                command += ["-H", "Transfer-Encoding: chunked"]
        else:
            command += ["-X", request.method]
        done = _run([*command, *request.curl, server.url(f"{path}/{request.last}")])
        counted[request.method, f"{path}/{request.last}", int(done.strip() or 0)] += 1
    urls = [server.url(f"{path}/ok")] * 3
    outputs = [argument for _ in urls for argument in ("-o", "/dev/null")]
    for status in _run(["curl", "-sS", "-w", "%{http_code}\n", *outputs, *urls]).split():
        counted["GET", f"{path}/ok", int(status)] += 1
    return counted


def _run(command: list[str]) -> str:
    # An upload that was refused early is an error to curl; the status that it got stands.
    return subprocess.run(
        command, capture_output=True, text=True, timeout=_TIMEOUT_S + 5, check=False
    ).stdout


def by_python(server: Running, path: str, _work: Path) -> Responses:
    """Send the set with http.client through one connection as long as the server keeps it."""
    counted: Responses = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_TIMEOUT_S)
    for request in STANDARD:
        headers = dict(request.headers)
        body: bytes | Iterator[bytes] | None = request.body or None
        if request.chunked:
            headers["Transfer-Encoding"] = "chunked"
            body = iter([request.body[:7], request.body[7:]])
        url = f"{path}/{request.last}"
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(request.method, url, body, headers, encode_chunked=request.chunked)
        status = 0
        try:
            response = connection.getresponse()
            status = response.status
            response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
        counted[request.method, url, status] += 1
    connection.close()
    return counted
