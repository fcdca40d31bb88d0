"""A filter is linked into programs that were compiled before: another one starts at once."""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from httptop.bpf.build.child import Loading
from httptop.bpf.plan import plan_of
from httptop.config.scope import Scope, limited
from httptop.config.settings import DEFAULTS, Settings
from httptop.linux.cpus import possible_cpus
from tests.live.live import (
    SOCKETS,
    TAIL_CALLS,
    TRIPLES,
    Watch,
    connected,
    exchange,
    new_path,
    request,
    response,
    sums_of,
)
from tests.live.pool import cache_directory

#: One process has all of them: most use the same probes.
pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("linked filters")]

#: Filters that have nothing in common; tests/bpf/test_conditions.py looks at each field alone.
FILTERS: Final = (
    "pid = 1",
    "pid != 1 and user = 1,2 or container ~ b*,c and comm ~ a*b,c,d?,*e",
    "not (port >= 1024 and side = client) and (peer = 10.0.0.0/8,192.168.1.1,fe80::/10 or "
    "socket = tcp or connection = accepted)",
    "(host ~ *.org,b.com,[::1] or method = PUT,POST,OTHER or status < 300) and "
    "(latency = 1s-2s,5s,7s or request_size = 7,9,1KiB-1MiB)",
    "comm = a and status = 404 or pid = 5-9,77,100-4000",
)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache that other tests may have filled, or not."""
    copied = tmp_path / "cache"
    copied.mkdir(0o700)
    for kept in Path(cache_directory()).glob("*.image"):
        shutil.copy(kept, copied)
    return copied


def images_after(cache: Path, text: str, settings: Settings = DEFAULTS) -> dict[str, int]:
    """Load the probes for a filter; return what the cache holds then: names, and which files."""
    plan = plan_of(settings, limited(text) if text else Scope(), possible_cpus())
    loading = Loading()
    loading.give(dataclasses.replace(plan, cache=str(cache)))
    loading.wait().close()
    return images_in(cache)


def images_in(cache: Path) -> dict[str, int]:
    """Return the images in a cache: names, and which files."""
    return {path.name: path.stat().st_ino for path in cache.glob("*.image")}


def test_no_filter_takes_a_compiler_after_the_first(cache: Path) -> None:
    first, *others = (images_after(cache, text) for text in FILTERS)
    assert first
    assert others == [first] * len(others)  # written again it would be another file


def test_sizes_and_rules_take_none_either(cache: Path) -> None:
    """Sizes of tables, what is captured, rules for ids, directions are linked like filters."""
    performance = dataclasses.replace(
        DEFAULTS.performance, max_connections=64, max_endpoints=64, max_users=64
    )
    settings = dataclasses.replace(
        DEFAULTS,
        performance=dataclasses.replace(performance, max_histograms=1024, max_pipelined=1024),
        paths=dataclasses.replace(DEFAULTS.paths, id_rules=("hex",)),
        security=dataclasses.replace(DEFAULTS.security, max_captured_bytes=24),
    )
    first = images_after(cache, "")
    assert first
    assert images_after(cache, "", settings) == first


def test_of_two_filters_each_decides_by_its_own_values(cache: Path) -> None:
    path = new_path()
    settings = dataclasses.replace(
        DEFAULTS, performance=dataclasses.replace(DEFAULTS.performance, cache=str(cache))
    )
    known: list[dict[str, int]] = []
    for pids, counted in (("1", {}), (f"2,{os.getpid()},4194304", {200: 1})):
        scope = limited(f"pid = {pids}")
        with connected() as ends, Watch(settings, scope, fresh=True) as watch:
            exchange(*ends, request(path), response(200))
            assert sums_of(watch.rows(path, "server"))[0] == counted
        known.append(images_in(cache))
    assert known[0] == known[1]


FILTER: Final = (
    "pid = {pid} and user = 65534,0,7 and comm ~ {comm} and port = {port} "
    "and peer = 10.0.0.0/8,127.0.0.0/30,::/0,127.0.0.9 "
    "and (host ~ {long},te?t or port = 1) and (method = PUT,GET,OTHER or port = 1) "
    "and (status = 195,197,200-209,211,213 or port = 1) and request_size = {request_size}"
)
FIELDS: Final = ("pid", "user", "comm", "port", "peer", "host", "method", "status", "request_size")
COMM: Final = Path("/proc/self/comm")


def far_from(number: int, *, least: int = 1) -> str:
    """Return a list of numbers and ranges that has this number and none near it.

    Every number up to 65,535 gives a list of ports.
    """
    far = number + 20_000 if number < 20_000 else number // 2
    below = ",".join(str(some) for some in range(least, least + 12, 2))
    return f"{far}-{far + 9},{number},{below},{far + 30}"


def around(number: int) -> str:
    """Return a list of numbers and ranges that has this number and most of its neighbours."""
    below = ",".join(str(number - 2 * step) for step in range(1, 8))
    return f"{number + 1}-{number + 9},{number + 20},{number},{below}"


@pytest.fixture(scope="module")
def listeners() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two that listen on all of loopback's addresses; the filter has the first one's port."""
    with socket.create_server(("", 0)) as right, socket.create_server(("", 0)) as wrong:
        yield right, wrong


@pytest.fixture(scope="module")
def filtered(listeners: tuple[socket.socket, socket.socket]) -> Iterator[Watch]:
    """Probes with a list for every field."""
    name = COMM.read_text().strip()
    text = FILTER.format(
        pid=far_from(os.getpid()),
        comm=f"x,{name[:2]}*,*zz,b?",
        port=far_from(listeners[0].getsockname()[1]),
        # More than one word of states.
        long=",".join(f"*{number:050}.example" for number in range(4)),
        request_size=around(len(request(new_path()))),
    )
    with Watch(DEFAULTS, limited(text)) as watch:
        yield watch


@contextmanager
def another(field: str) -> Iterator[None]:
    """Be somebody else for a while, in one regard."""
    if field == "user":
        os.setresuid(1, -1, -1)
        try:
            yield
        finally:
            os.setresuid(0, -1, -1)
    elif field == "comm":
        name = COMM.read_text()
        COMM.write_text("q")
        try:
            yield
        finally:
            COMM.write_text(name)
    else:
        yield


@pytest.mark.parametrize("wrong", ["", *FIELDS])
def test_of_each_list_the_right_value_decides(
    listeners: tuple[socket.socket, socket.socket], filtered: Watch, wrong: str
) -> None:
    """A request that meets all lists counts; with another value for one of them it does not."""
    path = new_path()
    head = request(path, "DELETE" if wrong == "method" else "GET")
    if wrong == "host":
        head = head.replace(b"test", b"tests")
    elif wrong == "request_size":
        head = request(path, "GET", "X: 67890")  # ten bytes more, one too many
    status = 210 if wrong == "status" else 200
    address = "127.0.0.4" if wrong == "peer" else "127.0.0.1"
    listener = listeners[wrong == "port"]

    def play() -> None:
        with another(wrong), closing(socket.socket()) as client:
            client.bind((address, 0))
            client.connect((address, listener.getsockname()[1]))
            with listener.accept()[0] as server:
                exchange(client, server, head, response(status))

    if wrong != "pid":
        play()
    elif child := os.fork():
        assert os.waitpid(child, 0) == (child, 0)
    else:
        try:
            play()
            os._exit(0)
        finally:
            os._exit(1)
    counted = sums_of(filtered.rows(path, "server"))[0]
    assert counted == ({} if wrong else {200: 1})


#: As many comparisons, ranges and globs as a filter can have; the last comparison is to decide.
MANY: Final = (
    " or ".join(f"port = {low},{low + 2},{low + 4},{low + 9}" for low in range(1, 800, 20))
    + "".join(f" or comm ~ a{number}*b{number}" for number in range(23))
    + " or pid = {pid}"
)


@pytest.mark.parametrize("front", [SOCKETS, TAIL_CALLS, TRIPLES])
def test_the_largest_filter_is_not_too_large(front: str) -> None:
    """The kernel's verifier gives up beyond a million instructions."""
    ours, theirs = new_path(), new_path()
    with Watch(scope=limited(MANY.format(pid=os.getpid())), front=front) as watch:
        for path in (ours, theirs):
            with connected() as ends:
                if path == ours:
                    exchange(*ends, request(path), response(200))
                elif child := os.fork():
                    assert os.waitpid(child, 0) == (child, 0)
                else:
                    try:
                        exchange(*ends, request(path), response(200))
                        os._exit(0)
                    finally:
                        os._exit(1)
        counted = [sums_of(watch.rows(path, "server"))[0] for path in (ours, theirs)]
    assert counted == [{200: 1}, {}]
