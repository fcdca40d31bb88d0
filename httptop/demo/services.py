"""The demo's services: a small shop whose parts talk HTTP/1.1 to each other over loopback.

::

    shop-load ──► shop-gateway ──┬──► shop-catalog     products, search, stock
                                 └──► shop-orders      orders, reports

Each role is a separate process, started by :mod:`httptop.demo.supervisor` as
``python -I -S -E FILE SEED ROLE FD PORT...`` so that it imports very little and stays small;
``FILE`` is this program, in memory.
``FD`` is the socket to listen on, which the parent has bound to a port that the kernel chose; the
ports are those of the services behind it. Standard input is the lifeline: it ends when the parent
does, however it dies, and then the process ends, too. The load writes a byte to its standard
output, a pipe to the parent, for the first response that each of its customers gets.

The services are ordinary: one thread for each connection, keep-alive, blocking sockets. They fail
occasionally and are sometimes slow on purpose.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

HOST = "127.0.0.1"
NOBODY = 65534

#: The load generator's target rate, on average: requests per second.
RATE = 40.0
CONNECTIONS = 6

#: The longest time that a response of the shop takes.
LONGEST_RESPONSE_S = 0.6

REASONS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    302: "Found",
    304: "Not Modified",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


class Request(NamedTuple):
    method: str
    path: str  # without the query
    headers: dict[str, str]  # lower-case names
    random: random.Random  # the connection's own, so that a seed determines every response


class Response(NamedTuple):
    status: int
    body: bytes = b""
    header: str = ""  # an additional header line, without its line end


Handler = Callable[[Request], Response]


# -- HTTP/1.1, as far as the demo needs it -----------------------------------------------------


def read_head(stream: BinaryIO) -> tuple[str, dict[str, str]] | None:
    """Return the start line and the headers of the next message; None at the end."""
    start = stream.readline(8192)
    if not start.endswith(b"\r\n"):
        return None
    headers: dict[str, str] = {}
    while (line := stream.readline(8192)) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return start.decode("latin-1").strip(), headers


def serve_connection(connection: socket.socket, handler: Handler, rng: random.Random) -> None:
    """Serve requests on a connection until it ends."""
    with connection, connection.makefile("rb") as stream:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while head := read_head(stream):
            words, headers = head[0].split(" "), head[1]
            if len(words) != 3:
                return
            stream.read(int(headers.get("content-length", "0")))
            method, path = words[0], words[1].partition("?")[0]
            response = handler(Request(method, path, headers, rng))
            close = headers.get("connection", "").lower() == "close"
            lines = [f"HTTP/1.1 {response.status} {REASONS[response.status]}", "Server: shop"]
            if response.status not in (204, 304):
                lines += ["Content-Type: application/json", f"Content-Length: {len(response.body)}"]
            lines += [response.header] if response.header else []
            lines += ["Connection: close"] if close else []
            text = "\r\n".join(lines).encode() + b"\r\n\r\n"
            connection.sendall(text if method == "HEAD" else text + response.body)
            if close:
                return


def serve(listener: socket.socket, handler: Handler, seed: int) -> None:
    """Accept connections forever, with a thread for each."""
    serial = 0
    while True:
        connection, _ = listener.accept()
        serial += 1
        rng = random.Random(seed * 1000 + serial)
        threading.Thread(
            target=_quietly, args=(serve_connection, connection, handler, rng), daemon=True
        ).start()


def _quietly(function: Callable[..., None], *arguments: object) -> None:
    with contextlib.suppress(OSError):  # the other side closed the connection, as clients do
        function(*arguments)


class Client:
    """A keep-alive connection to a service; it reconnects if the service closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: socket.socket | None = None
        self._stream: BinaryIO | None = None

    def call(self, method: str, target: str, body: bytes = b"", header: str = "") -> Response:
        """Send a request and return its response, with the body's bytes."""
        lines = [f"{method} {target} HTTP/1.1", "Host: shop.demo", "User-Agent: shop/1.0"]
        lines += [f"Content-Length: {len(body)}"] if body else []
        lines += [header] if header else []
        for attempt in (1, 2):
            try:
                connection, stream = self._connected()
                connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
                if head := read_head(stream):
                    return self._response(method, head, stream)
            except OSError:
                if attempt == 2:
                    raise
            self.close()
        raise ConnectionError("the service closed the connection twice")

    def close(self) -> None:
        """Close the connection."""
        if self._stream is not None:
            self._stream.close()
        if self._connection is not None:
            self._connection.close()
        self._connection = self._stream = None

    def _connected(self) -> tuple[socket.socket, BinaryIO]:
        if self._connection is None or self._stream is None:
            # Not create_connection(): its name lookup imports codecs, which the user nobody may
            # not be able to read.
            self._connection = socket.socket()
            self._connection.settimeout(10)
            self._connection.connect((HOST, self._port))
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._stream = self._connection.makefile("rb")
        return self._connection, self._stream

    def _response(
        self, method: str, head: tuple[str, dict[str, str]], stream: BinaryIO
    ) -> Response:
        status = int(head[0].split(" ")[1])
        length = 0 if method == "HEAD" else int(head[1].get("content-length", "0"))
        body = stream.read(length)
        if head[1].get("connection", "").lower() == "close":
            self.close()
        return Response(status, body)


# -- The shop ----------------------------------------------------------------------------------


def catalog(request: Request) -> Response:
    """Serve products, search and stock; fast, but sometimes overloaded."""
    rng = request.random
    time.sleep(rng.uniform(0.001, 0.004))
    if rng.random() < 0.01:
        return Response(503, b'{"error":"overloaded"}', "Retry-After: 1")
    match request.path.split("/")[1:]:
        case ["products", number]:
            if "if-none-match" in request.headers:
                return Response(304, header='ETag: "7"')
            if int(number) > 9500:
                return Response(404, b'{"error":"no such product"}')
            return Response(
                200, b'{"name":"lamp","text":"' + b"." * rng.randrange(200, 1500) + b'"}'
            )
        case ["search"]:
            if rng.random() < 0.15:
                time.sleep(rng.uniform(0.1, 0.4))
            return Response(200, b"[" + b"1," * rng.randrange(40, 800) + b"0]")
        case ["stock", _]:
            return Response(200, b'{"left":3}')
        case _:
            return Response(404)


def orders(request: Request) -> Response:
    """Serve orders and reports; slower, and with a bug."""
    rng = request.random
    time.sleep(rng.lognormvariate(-5.0, 0.5))
    match request.method, request.path.split("/")[1:]:
        case "GET", ["orders", _]:
            if rng.random() < 0.02:
                return Response(500, b'{"error":"division by zero"}')
            return Response(
                200, b'{"state":"sent","lines":[' + b"1," * rng.randrange(10, 90) + b"0]}"
            )
        case "POST", ["orders"]:
            time.sleep(rng.uniform(0.005, 0.02))
            return Response(201, b'{"state":"new"}', f"Location: /orders/{uuid(rng)}")
        case "GET", ["reports", _]:
            time.sleep(rng.uniform(0.1, 0.4))
            return Response(200, b"0" * 20_000)
        case "DELETE", ["cart", "items", _]:
            return Response(204)
        case _:
            return Response(404)


def gateway(catalog_port: int, orders_port: int) -> Handler:
    """Return the handler of the service in front of the other two."""
    local = threading.local()  # each connection's thread has its own connections to the services

    def behind(name: str, port: int) -> Client:
        client: Client | None = getattr(local, name, None)
        if client is None:
            client = Client(port)
            setattr(local, name, client)
        return client

    def handle(request: Request) -> Response:
        method, path, headers, rng = request
        to_catalog, to_orders = behind("catalog", catalog_port), behind("orders", orders_port)
        try:
            match method, path.split("/")[1:]:
                case "GET", [""]:
                    return Response(200, b"<h1>Shop</h1>" + b" " * rng.randrange(500, 900))
                case "HEAD", ["health"]:
                    return Response(200)
                case "GET", ["products", _]:
                    known = "if-none-match" in headers
                    return to_catalog.call("GET", path, header='If-None-Match: "7"' * known)
                case "GET", ["search"]:
                    return to_catalog.call("GET", f"/search?q={word(rng)}&page=1")
                case "POST", ["login"]:
                    refused = rng.random() < 0.2
                    return (
                        Response(401, b'{"error":"wrong password"}') if refused else Response(200)
                    )
                case "GET", ["old-catalog"]:
                    return Response(302, header="Location: /search?q=lamp")
                case "POST", ["orders"]:
                    to_catalog.call("GET", f"/stock/{rng.randrange(1, 9500)}")
                    return to_orders.call("POST", path, b'{"product":1}')
                case _, ["orders" | "reports" | "cart", *_]:
                    return to_orders.call(method, path)
                case _:
                    return Response(404, b'{"error":"no such page"}')
        except OSError:
            return Response(502, b'{"error":"a service did not answer"}')

    return handle


# -- Its customers -----------------------------------------------------------------------------


def uuid(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def word(rng: random.Random) -> str:
    return rng.choice(("lamp", "chair", "red+table", "cup", "b%C3%BCcher"))


def customer(rng: random.Random) -> Iterator[tuple[str, str, bytes, str]]:
    """Yield a customer's requests: method, target, body, a header line."""
    while True:
        choice = rng.random() * 100
        if choice < 12:
            yield "GET", "/", b"", ""
        elif choice < 48:
            header = 'If-None-Match: "7"' if rng.random() < 0.15 else ""
            yield "GET", f"/products/{rng.randrange(1, 10_000)}", b"", header
        elif choice < 62:
            yield "GET", f"/search?q={word(rng)}", b"", ""
        elif choice < 76:
            yield "GET", f"/orders/{uuid(rng)}", b"", ""
        elif choice < 83:
            yield "POST", "/orders", b'{"product":1,"count":2}', ""
        elif choice < 88:
            yield "POST", "/login", b'{"user":"ada","password":"secret"}', ""
        elif choice < 92:
            yield "DELETE", f"/cart/items/{rng.getrandbits(96):024x}", b"", ""
        elif choice < 94:
            yield "GET", "/old-catalog", b"", "Connection: close"
        elif choice < 96:
            yield "GET", "/reports/2024-report", b"", ""
        elif choice < 98:
            yield "GET", "/favicon.ico", b"", ""
        else:
            yield "HEAD", "/health", b"", ""


def rate_at(seconds: float) -> float:
    """Return the target rate in requests per second: slow waves, to give the trends a shape."""
    return RATE * (1 + 0.45 * math.sin(seconds / 9) + 0.2 * math.sin(seconds / 2.3))


def load(
    port: int, rng: random.Random, leaving: threading.Event, responded: Callable[[], None]
) -> None:
    """Act as one of ``CONNECTIONS`` customers at the gateway until ``leaving`` is set.

    ``responded`` is called after the first response.
    """
    client, waiting = Client(port), True
    began = time.monotonic()
    due = began + rng.random() * CONNECTIONS / RATE
    for method, target, body, header in customer(rng):
        now = time.monotonic()
        if leaving.wait(max(0.0, due - now)):
            return
        due = max(due, now - 0.5) + CONNECTIONS / rate_at(due - began) * rng.uniform(0.5, 1.5)
        try:
            client.call(method, target, body, header)
        except OSError:
            client.close()
            continue
        if waiting:
            waiting = False
            responded()


# -- A process ---------------------------------------------------------------------------------


def drop_privileges() -> None:
    """Become the user nobody if we are root: the services need no privileges."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def _leave(customers: list[threading.Thread], leaving: threading.Event) -> None:
    """End after the customers have received their pending responses."""
    leaving.set()
    deadline = time.monotonic() + LONGEST_RESPONSE_S
    for customer_thread in customers:
        customer_thread.join(max(0.0, deadline - time.monotonic()))
    os._exit(0)


def _tell_supervisor() -> None:
    with contextlib.suppress(OSError):
        os.write(1, b"\n")


def main(arguments: list[str]) -> None:
    """Run one role until standard input ends."""
    seed, role, fd = int(arguments[0]), arguments[1], int(arguments[2])
    ports = [int(port) for port in arguments[3:]]
    with open("/proc/self/comm", "w") as name:
        name.write(f"shop-{role}")
    drop_privileges()
    customers: list[threading.Thread] = []
    leaving = threading.Event()
    if role == "load":
        signal.signal(signal.SIGTERM, lambda *_: _leave(customers, leaving))
        for i in range(CONNECTIONS):
            arguments_of = (ports[0], random.Random(seed * 1000 + i), leaving, _tell_supervisor)
            customers.append(threading.Thread(target=load, args=arguments_of, daemon=True))
            customers[-1].start()
    else:
        handler = {"catalog": catalog, "orders": orders}.get(role) or gateway(*ports)
        listener = socket.socket(fileno=fd)
        threading.Thread(target=serve, args=(listener, handler, seed), daemon=True).start()
    while os.read(0, 1):  # the lifeline: nobody writes to it, it only ends
        pass
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
