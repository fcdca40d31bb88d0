"""The servers of the zoo: each a few lines of configuration."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.zoo.running import APPS, OWN, PYTHON, Server

_APACHE_MODULES: Final = Path("/usr/lib/apache2/modules")
_NODE_MODULES: Final = OWN / "node_modules"


def _program(name: str) -> str:
    return shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin") or name


def _nginx(work: Path, port: int) -> list[str]:
    temporary = "".join(
        f"{name}_temp_path {work}/{name}; "
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (work / "nginx.conf").write_text(f"""
user root; worker_processes 2; daemon off; pid {work}/pid;
events {{ worker_connections 1024; }}
http {{
  log_format own "$request_method $request_uri $status"; access_log {work}/access.log own;
  log_not_found off; sendfile on; client_max_body_size 0; keepalive_requests 1000000; {temporary}
  server {{
    listen 127.0.0.1:{port}; root {work}/www;
    location ~ /moved$ {{ return 301 /; }}
    location ~ /none$ {{ return 204; }}
    location ~ /upload$ {{ dav_methods PUT; create_full_put_path on; }}
  }}
}}
""")
    return [_program("nginx"), "-e", f"{work}/error.log", "-c", f"{work}/nginx.conf"]


def _apache(mpm: str) -> Callable[[Path, int], list[str]]:
    def command(work: Path, port: int) -> list[str]:
        modules = "".join(
            f"LoadModule {name}_module {_APACHE_MODULES}/mod_{name}.so\n"
            for name in (f"mpm_{mpm}", "authz_core", "alias")
        )
        (work / "apache.conf").write_text(f"""
{modules}
ServerRoot {work}
DefaultRuntimeDir {work}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {work}/pid
User nobody
Group nogroup
ErrorLog {work}/error.log
LogFormat "%r %>s" own
CustomLog {work}/access.log own
DocumentRoot {work}/www
MaxKeepAliveRequests 0
RedirectMatch 301 /moved$ /
RedirectMatch 204 /none$
""")
        return [_program("apache2"), "-D", "FOREGROUND", "-f", f"{work}/apache.conf"]

    return command


def _haproxy(work: Path, port: int) -> list[str]:
    behind = int((work / "behind.port").read_text())
    (work / "haproxy.cfg").write_text(f"""
global
  nbthread 1
  log stdout format raw local0
defaults
  mode http
  log global
  log-format "%HM %HU %ST"
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend zoo
  bind 127.0.0.1:{port}
  http-request redirect location / code 301 if {{ path_end /moved }}
  http-request return status 204 if {{ path_end /none }}
  default_backend behind
backend behind
  server one 127.0.0.1:{behind}
""")
    return [_program("haproxy"), "-db", "-f", f"{work}/haproxy.cfg"]


def _lighttpd(work: Path, port: int) -> list[str]:
    (work / "lighttpd.conf").write_text(f"""
server.modules = ("mod_accesslog", "mod_redirect")
server.document-root = "{work}/www"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{work}/error.log"
accesslog.filename = "|exec cat >>{work}/access.log"
accesslog.format = "%r %s"
url.redirect = ("/moved$" => "/")
""")
    return [_program("lighttpd"), "-D", "-f", f"{work}/lighttpd.conf"]


def _caddy(work: Path, port: int) -> list[str]:
    (work / "Caddyfile").write_text(f"""
{{
  admin off
  auto_https off
}}
http://:{port} {{
  bind 127.0.0.1
  root * {work}/www
  @moved path */moved
  @none path */none
  redir @moved / 301
  respond @none 204
  file_server
  log {{
    output file {work}/access.log
    format json
  }}
}}
""")
    return [_program("caddy"), "run", "--adapter", "caddyfile", "--config", f"{work}/Caddyfile"]


def _python(*arguments: str) -> Callable[[Path, int], list[str]]:
    return lambda _work, port: [
        str(PYTHON), *(argument.replace("PORT", str(port)) for argument in arguments)
    ]  # fmt: skip


def _gunicorn(*arguments: str) -> Callable[[Path, int], list[str]]:
    return _python("-m", "gunicorn", "-b", "127.0.0.1:PORT", "--access-logfile", "-",
                   "--access-logformat", "%(r)s %(s)s", *arguments, "wsgi:app")  # fmt: skip


def _uvicorn(http: str, loop: str) -> Callable[[Path, int], list[str]]:
    return _python("-m", "uvicorn", "--host", "127.0.0.1", "--port", "PORT",
                   "--http", http, "--loop", loop, "asgi:app")  # fmt: skip


def _version_of(package: str) -> tuple[str, ...]:
    code = f"import importlib.metadata as m; print('{package}', m.version('{package}'))"
    return (str(PYTHON), "-c", code)


def _package_version(package: str) -> tuple[str, ...]:
    manifest = _NODE_MODULES / package / "package.json"
    return (_program("node"), "-p", f"'{package} ' + require('{manifest}').version")


_JSON: Final = re.compile(r'"method":"([A-Z]+)","host":"[^"]*","uri":"([^"]*)".*?"status":(\d{3})')
_NGINX: Final = Server("nginx", _nginx, _program("nginx"), (_program("nginx"), "-v"))

SERVERS: Final = (
    _NGINX,
    *(
        Server(f"Apache {mpm}", _apache(mpm), _program("apache2"), (_program("apache2"), "-v"))
        for mpm in ("prefork", "worker", "event")
    ),
    Server("HAProxy", _haproxy, _program("haproxy"), (_program("haproxy"), "-v"), behind=_NGINX),
    Server("lighttpd", _lighttpd, _program("lighttpd"), (_program("lighttpd"), "-v")),
    Server("Caddy", _caddy, _program("caddy"), (_program("caddy"), "version"), _JSON),
    Server(
        "Node http",
        lambda _work, port: [_program("node"), str(APPS / "server.js"), str(port)],
        _program("node"),
        (_program("node"), "--version"),
    ),
    Server(
        "Node fastify",
        lambda _work, port: [
            _program("node"),
            str(APPS / "server.js"),
            str(port),
            str(_NODE_MODULES / "fastify"),
        ],
        _NODE_MODULES / "fastify",
        _package_version("fastify"),
    ),
    Server(
        "Python http.server",
        _python(str(APPS / "stdlib_server.py"), "PORT"),
        PYTHON,
        (str(PYTHON), "-V"),
    ),
    Server("gunicorn sync", _gunicorn("-w", "2"), PYTHON, _version_of("gunicorn")),
    Server(
        "gunicorn gthread",
        _gunicorn("-w", "2", "-k", "gthread", "--threads", "4"),
        PYTHON,
        _version_of("gunicorn"),
    ),
    Server("uvicorn h11", _uvicorn("h11", "asyncio"), PYTHON, _version_of("uvicorn")),
    Server("uvicorn uvloop", _uvicorn("httptools", "uvloop"), PYTHON, _version_of("uvicorn")),
    Server(
        "aiohttp",
        _python(str(APPS / "aiohttp_server.py"), "PORT"),
        PYTHON,
        _version_of("aiohttp"),
    ),
    Server(
        "Java HttpServer",
        lambda _work, port: [_program("java"), "-Xmx128m", str(APPS / "Server.java"), str(port)],
        _program("javac"),
        (_program("java"), "--version"),
    ),
    Server(
        "Go net/http",
        lambda _work, port: [str(OWN / "go-server"), str(port)],
        OWN / "go-server",
        (_program("go"), "version"),
    ),
)
