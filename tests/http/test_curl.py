"""A request as a curl command: what a shell makes of it, what curl sends, what it lacks."""

from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from httptop.http.curl import curl_command
from httptop.model import EndpointKey, Transaction
from httptop.printable import clean
from tests.factory import key, request
from tests.patience import PATIENCE_S

HEAD = ("Host: shop", "User-Agent: ab", "Accept: */*")
EVIL = (
    "'; touch /tmp/owned; '",
    "$(id)",
    "`id`",
    '"\\"',
    "a\\'b",
    "-o/etc/passwd",
    "@/etc/passwd",
    "*?[a-z]{1,2}",
    "~root",
    "!!",
    "&& || ; | < > ( ) # \\",
    "日本語",
    "\u00a0",
    clean(b"\x1b[31m\x00\r\n\xff"),
    "line\nend\ttab\r",
    "",
)


def sample(path: str = "/a/7", head: tuple[str, ...] = HEAD, **of_key: object) -> Transaction:
    name = replace(key("/a/{id}", side="client"), **of_key)  # type: ignore[arg-type]
    return request(1, name, path=path, request_head=head, peer="10.1.2.3:8080")


def arguments(one: Transaction) -> list[str]:
    return list(curl_command(one).arguments)


@pytest.fixture
def fake_curl(tmp_path: Path) -> dict[str, str]:
    """Put a curl first that writes down its arguments, each with a zero byte behind it."""
    fake = tmp_path / "bin" / "curl"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\nprintf "%s\\0" "$@" >"{tmp_path}/arguments"\n')
    fake.chmod(0o755)
    return {"PATH": f"{fake.parent}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "out": str(tmp_path)}


def through_a_shell(one: Transaction, fake: dict[str, str]) -> list[str]:
    done = subprocess.run(
        ["sh", "-c", str(curl_command(one))], env=fake, capture_output=True, check=True
    )
    assert done.stdout == done.stderr == b""
    told = (Path(fake["out"]) / "arguments").read_bytes().decode("utf-8", "surrogateescape")
    return ["curl", *told.split("\0")[:-1]]


@pytest.mark.parametrize("evil", EVIL)
def test_a_shell_passes_on_just_these_arguments(evil: str, fake_curl: dict[str, str]) -> None:
    head = (f"X-Evil: {evil}", f"Cookie:{evil}", "Host: shop")
    for path in (f"/{evil}", evil):
        one = sample(path, head, method="PATCH")
        assert through_a_shell(one, fake_curl) == arguments(one)
        assert any(path in argument for argument in arguments(one))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.binary(max_size=40),
    lines=st.lists(st.binary(max_size=30), max_size=4),
    method=st.sampled_from(["GET", "HEAD", "POST", "OTHER"]),
)
def test_whatever_the_bytes(
    path: bytes, lines: list[bytes], method: str, fake_curl: dict[str, str]
) -> None:
    head = tuple(clean(b"X: " + line if n % 2 else line) for n, line in enumerate(lines))
    one = sample(clean(path), head, method=method)
    assert through_a_shell(one, fake_curl) == arguments(one)
    options = {"--globoff", "--path-as-is", "--head", "--header", "--request", "--request-target"}
    words = iter(arguments(one)[1:-1])
    for word in words:
        assert word in options
        if word in ("--header", "--request", "--request-target"):
            value = next(words)
            assert word != "--header" or not value.startswith("@")


@pytest.mark.parametrize(
    ("of_key", "path", "head", "expected"),
    [
        ({}, "/a?b=1", HEAD, ["http://10.1.2.3:8080/a?b=1"]),
        ({"method": "HEAD"}, "/a", HEAD, ["--head", "http://10.1.2.3:8080/a"]),
        ({"method": "PUT"}, "/a", HEAD, ["--request", "PUT", "http://10.1.2.3:8080/a"]),
        ({"protocol": "HTTP/1.0"}, "/a", HEAD, ["--http1.0", "http://10.1.2.3:8080/a"]),
        (
            {"method": "OPTIONS"},
            "*",
            HEAD,
            ["--request", "OPTIONS", "--request-target", "*", "http://10.1.2.3:8080/"],
        ),
        ({}, "/a#b", HEAD, ["--request-target", "/a#b", "http://10.1.2.3:8080/"]),
        ({"side": "server", "port": 8081}, "/a", HEAD, ["http://localhost:8081/a"]),
        ({"side": "server"}, "/a", HEAD, ["http://localhost/a"]),
        ({"method": "OTHER"}, "/a", HEAD, ["http://10.1.2.3:8080/a"]),
        (
            {"tls": True},
            "/a",
            HEAD,
            ["--http1.1", "--connect-to", "::10.1.2.3:8080", "https://shop/a"],
        ),
        ({"tls": True}, "/a", ("Host: a b",), ["--http1.1", "https://10.1.2.3:8080/a"]),
    ],
)
def test_what_it_is_made_of(
    of_key: dict[str, object], path: str, head: tuple[str, ...], expected: list[str]
) -> None:
    words = arguments(sample(path, head, **of_key))
    assert words[:3] == ["curl", "--globoff", "--path-as-is"]
    found, rest = [], iter(words[3:])
    for word in rest:
        if word == "--header":
            next(rest)
        else:
            found.append(word)
    assert found == expected


def test_an_address_of_ipv6_is_in_brackets() -> None:
    one = replace(sample("/a"), peer="[2001:db8::1]:80")
    assert arguments(one)[-1] == "http://[2001:db8::1]:80/a"


def headers(one: Transaction) -> list[str]:
    words = arguments(one)
    return [words[at + 1] for at, word in enumerate(words) if word == "--header"]


def test_fields_are_those_that_were_sent() -> None:
    head = ("Host: shop", "X-Empty:", "Content-Length: 3", "Transfer-Encoding: chunked", "@x")
    assert headers(sample(head=head)) == ["Accept:", "User-Agent:", "Host: shop", "X-Empty;"]
    assert headers(sample(head=())) == []


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (sample("/a?token=***"), "Secrets are masked in 1 place: ***"),
        (sample("/a?b=***", (*HEAD, "Cookie: ***")), "Secrets are masked in 2 places"),
        (sample("/long…"), "longer than what is captured"),
        (sample(clean(b"/\xff")), "cannot be shown"),
        (sample(head=()), "header section of the request was not kept"),
        (sample(head=("no field",)), "1 line of the header section left out"),
        (sample(method="POST"), "body is not kept"),
        (sample(head=(*HEAD, "Content-Length: 2")), "body is not kept"),
        (sample(method="OTHER"), "method is not known"),
        (sample("/a/{id}"), "its template stands for it"),
        (sample(side="server"), "localhost stands for it"),
    ],
)
def test_what_is_not_known_is_said(one: Transaction, said: str) -> None:
    assert said in " ".join(curl_command(one).remarks)


def test_nothing_is_said_of_what_is_whole() -> None:
    assert curl_command(sample()).remarks == ()
    assert curl_command(sample(head=(*HEAD, "Content-Length: 0"))).remarks == ()


class Listener:
    """Takes one request, answers it, and keeps what came."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.came = b""
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        end, _ = self._listener.accept()
        with end:
            while b"\r\n\r\n" not in self.came:
                self.came += end.recv(4096)
            end.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def close(self) -> None:
        self._thread.join(PATIENCE_S)
        self._listener.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize(
    ("method", "protocol", "path", "head"),
    [
        ("GET", "HTTP/1.1", "/a/../b/./c?x[1]={y}&z=%2F%2f", ("Host: shop", "X-A: 1")),
        ("HEAD", "HTTP/1.1", "/a#b", ("Host: shop:80", "User-Agent: x", "Accept: text/*")),
        ("OPTIONS", "HTTP/1.1", "*", ("Host: a", "X-Empty:")),
        ("DELETE", "HTTP/1.0", "//double//slash", ("X-Tab: a\tb",)),
        ("GET", "HTTP/1.1", '/"<>\\^`|é', ("Host: b", "Accept-Encoding: gzip")),
        ("CONNECT", "HTTP/1.1", "example.org:443", ("Host: example.org:443",)),
    ],
)
def test_curl_sends_the_same_request(
    method: str, protocol: str, path: str, head: tuple[str, ...]
) -> None:
    listener = Listener()
    try:
        name = EndpointKey("client", "x", protocol, False, method, "/")
        one = request(1, name, path=path, request_head=head, peer=listener.address)
        command = str(curl_command(one))
        subprocess.run(
            ["sh", "-c", command],
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
            env={"PATH": "/usr/bin:/bin"},
        )
    finally:
        listener.close()
    first, *fields = listener.came.decode().removesuffix("\r\n\r\n").split("\r\n")
    assert first == f"{method} {path} {protocol}"
    assert sorted(field.rstrip() for field in fields) == sorted(head), command


def test_the_line_is_what_the_arguments_are() -> None:
    command = curl_command(sample("/it's", (*HEAD, "X: a'b")))
    assert shlex.split(str(command)) == list(command.arguments)
