"""http.server: a thread a connection, keep-alive, its own log on stderr."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pages import response


class Handler(BaseHTTPRequestHandler):
    """Responses every method alike."""

    protocol_version = "HTTP/1.1"

    def respond(self) -> None:
        """Read the body, response."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        else:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, body = response(self.command, self.path, "If-None-Match" in self.headers)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.request_version == "HTTP/1.0" and not self.close_connection:
            self.send_header("Connection", "keep-alive")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = respond


class Server(ThreadingHTTPServer):
    """Takes many connections at once."""

    request_queue_size = 128
    daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
