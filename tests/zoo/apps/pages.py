"""What every application of the zoo serves, whatever runs it."""

from __future__ import annotations

FILE_SIZE = 5_000_011
_FILE = b"GET / HTTP/1.1\r\n" * (FILE_SIZE // 16) + b"x" * (FILE_SIZE % 16)


def response(method: str, path: str, conditional: bool) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body; ``conditional`` says that there is an If-None-Match."""
    last = path.rpartition("/")[2]
    if last == "moved":
        status, headers, body = 301, [("Location", "/")], b""
    elif last == "none":
        return 204, [], b""
    elif last == "file.bin":
        status, headers, body = 200, [], _FILE
    elif last == "ok" and conditional:
        return 304, [("ETag", '"1"')], b""
    elif last in ("ok", "upload"):
        status, headers, body = 200, [("ETag", '"1"')], b"ok\n"
    else:
        status, headers, body = 404, [], b"no such thing\n"
    headers.append(("Content-Length", str(len(body))))
    return status, headers, b"" if method == "HEAD" else body
