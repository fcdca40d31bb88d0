"""The clients of the zoo: each a command, and how to read what it counted."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.zoo.running import OWN, PYTHON, Responses

_AGENTS: Final = Path(__file__).parent / "agents"
_AUTOCANNON: Final = OWN / "node_modules" / "autocannon" / "autocannon.js"
_TIMEOUT_S: Final = 60
_COUNT: Final = 1009


@dataclass(frozen=True)
class Client:
    """One client; ``send`` takes the address of a path and that path, and returns its count."""

    name: str
    send: Callable[[str, str], Responses]
    needs: str
    version: tuple[str, ...]


def _program(name: str) -> str:
    return shutil.which(name) or name


def _say(*command: str, codes: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    assert done.returncode in codes, done.stdout + done.stderr
    return done.stdout + done.stderr


def _found(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    assert found is not None, text
    return int(found[1])


def _all_fine(path: str, count: int) -> Responses:
    return Counter({("GET", f"{path}/ok", 200): count})


def _curl(url: str, path: str) -> Responses:
    lasts = ["ok", "missing", "none", "ok"] * 50
    outputs = [argument for _ in lasts for argument in ("-o", "/dev/null")]
    urls = [f"{url}/{last}" for last in lasts]
    said = _say("curl", "-sS", "-Z", "-w", "%{url} %{http_code}\n", *outputs, *urls)
    # With -Z it shows its progress on other lines.
    pairs = re.findall(r"(http\S+) (\d{3})$", said, re.M)
    assert len(pairs) == len(lasts), said
    return Counter(("GET", path + there.removeprefix(url), int(code)) for there, code in pairs)


def _wget(url: str, path: str) -> Responses:
    lasts = ["ok", "missing", "file.bin", "ok"] * 5
    urls = [f"{url}/{last}" for last in lasts]
    # 8: the server said that something was an error.
    said = _say("wget", "-nv", "-S", "-O", "/dev/null", "-t", "1", *urls, codes=(0, 8))
    codes = re.findall(r"^  HTTP/1\.[01] (\d{3})", said, re.M)
    assert len(codes) == len(lasts), said
    return Counter(
        ("GET", f"{path}/{last}", int(code)) for last, code in zip(lasts, codes, strict=True)
    )


def _ab(url: str, path: str) -> Responses:
    said = _say("ab", "-q", "-n", str(_COUNT), "-c", "8", f"{url}/ok")
    assert _found(r"Failed requests:\s+(\d+)", said) == 0
    return _all_fine(path, _found(r"Complete requests:\s+(\d+)", said))


def _wrk(url: str, path: str) -> Responses:
    said = _say("wrk", "-t1", "-c8", "-d1s", f"{url}/ok")
    return _all_fine(path, _found(r"(\d+) requests in", said))


def _hey(url: str, path: str) -> Responses:
    said = _say("hey", "-n", "1000", "-c", "8", f"{url}/ok")
    return _all_fine(path, _found(r"\[200\]\s+(\d+) responses", said))


def _autocannon(url: str, path: str) -> Responses:
    said = _say("node", str(_AUTOCANNON), "-a", str(_COUNT), "-c", "8", "-j", "-n", f"{url}/ok")
    told = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    return _all_fine(path, int(told["2xx"]))


def _agent(*command: str) -> Callable[[str, str], Responses]:
    def send(url: str, path: str) -> Responses:
        counted: Responses = Counter()
        for key, count in json.loads(_say(*command, url, str(_COUNT))).items():
            method, last, status = key.split()
            counted[method, f"{path}/{last}", int(status)] = count
        return counted

    return send


def _of_python(kind: str) -> Client:
    code = f"import importlib.metadata as m; print('{kind}', m.version('{kind}'))"
    agent = str(_AGENTS / "requests_client.py")
    return Client(kind, _agent(str(PYTHON), agent, kind), str(PYTHON), (str(PYTHON), "-c", code))


def _of_system(name: str, send: Callable[[str, str], Responses], *version: str) -> Client:
    return Client(name, send, _program(name), (name, *version) if version else ())


CLIENTS: Final = (
    _of_system("curl", _curl, "--version"),
    _of_system("wget", _wget, "--version"),
    _of_system("ab", _ab, "-V"),
    _of_system("wrk", _wrk, "-v"),
    Client("hey", _hey, _program("hey"), ("dpkg-query", "-W", "-f", "hey ${Version}", "hey")),
    _of_python("requests"),
    _of_python("httpx"),
    _of_python("aiohttp"),
    Client(
        "Node fetch",
        _agent("node", str(_AGENTS / "fetch_client.js")),
        _program("node"),
        ("node", "--version"),
    ),
    Client(
        "autocannon",
        _autocannon,
        str(_AUTOCANNON),
        ("node", "-p", f"'autocannon ' + require('{_AUTOCANNON.parent}/package.json').version"),
    ),
)
