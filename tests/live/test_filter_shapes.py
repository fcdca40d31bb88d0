"""A filter of a shape that was seen before starts without the compiler, whatever its values."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Final

import pytest

from httptop.bpf.build.child import Loading
from httptop.bpf.plan import plan_of
from httptop.config.scope import limited
from httptop.config.settings import DEFAULTS
from httptop.linux.cpus import possible_cpus
from tests.live.live import Watch, connected, exchange, new_path, request, response, sums_of

pytestmark = pytest.mark.ebpf

#: Filters of one shape that have between them every field, with values and lists of all lengths.
#: tests/bpf/test_c_conditions.py looks at each field alone.
SHAPES: Final = {
    "of connections": (
        "(pid = 1 or user = 0 or container = a) and comm = a and port = 80 and side = server "
        "and (peer = ::1 or socket = unix or connection = opened)",
        "(pid = 5-9,77,100-4000 or user = 1,2,3,4 or container ~ b*,c) and comm ~ a*b,c,d?,*e "
        "and port >= 1024 and side = client "
        "and (peer = 10.0.0.0/8,192.168.1.1,fe80::/10 or socket = tcp or connection = accepted)",
    ),
    "of responses": (
        "(host = a or method = GET or status = 404) and (latency > 5ms or request_size = 1 "
        "or size >= 10)",
        "(host ~ *.org,b.com,[::1] or method = PUT,POST,OTHER or status < 300) and "
        "(latency = 1s-2s,5s,7s or request_size = 7,9,1KiB-1MiB or size < 100)",
    ),
}


def images_after(text: str, cache: Path) -> dict[str, int]:
    """Load the probes for a filter; return what the cache holds then: names, and which files."""
    plan = plan_of(DEFAULTS, limited(text), possible_cpus())
    loading = Loading()
    loading.give(dataclasses.replace(plan, cache=str(cache)))
    loading.wait().close()
    return {path.name: path.stat().st_ino for path in cache.iterdir()}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_compiled_once(name: str, tmp_path: Path) -> None:
    first, second = (images_after(text, tmp_path / "cache") for text in SHAPES[name])
    assert len(first) == 1
    assert second == first  # written again it would be another file


def test_values_decide_all_the_same(tmp_path: Path) -> None:
    """Of two runs with one image each counts what its own values say; another shape is another."""
    cache, path = tmp_path / "cache", new_path()
    settings = dataclasses.replace(
        DEFAULTS, performance=dataclasses.replace(DEFAULTS.performance, cache=str(cache))
    )
    for pids, counted in (("1", {}), (f"2,{os.getpid()},4194304", {200: 1})):
        scope = limited(f"pid = {pids}")
        with connected() as ends, Watch(settings, scope, fresh=True) as watch:
            exchange(*ends, request(path), response(200))
            assert sums_of(watch.rows(path, "server"))[0] == counted
        assert len(list(cache.iterdir())) == 1
    assert len(images_after("pid != 1", cache)) == 2


FILTER: Final = (
    "pid = {pid} and user = {user} and comm ~ {comm} and port = {port} and peer = {peer} "
    "and (host ~ {host} or port = 1) and (method = {method} or port = 1) "
    "and (status = {status} or port = 1) and request_size = {request_size}"
)
FIELDS: Final = ("pid", "user", "comm", "port", "peer", "host", "method", "status", "request_size")


def around(number: int) -> tuple[str, str]:
    """Return a list of numbers and ranges that has a number, and one that has all but it."""
    below = ",".join(str(number - 2 * step) for step in range(1, min(8, number // 2)))
    beyond = f"{number + 1}-{number + 9},{number + 20}"
    lists = [
        ",".join(filter(None, parts)) for parts in ((beyond, str(number), below), (beyond, below))
    ]
    return lists[0], lists[1]


@pytest.mark.parametrize("wrong", ["", *FIELDS])
def test_of_each_list_the_right_value_decides(wrong: str) -> None:
    """A request meets lists of all fields; without its own value one of them leaves it out."""
    path = new_path()
    name = Path("/proc/self/comm").read_text().strip()
    head = request(path)
    long = ",".join(f"*{number:050}.example" for number in range(4))  # more than one word of states
    with connected() as ends:
        lists = {
            "pid": around(os.getpid()),
            "user": ("65534,0,7", "65534,1,7"),
            "comm": (f"x,{name[:2]}*,*zz,b?", f"x,{name}?,*zz,b?"),
            "port": around(ends[1].getsockname()[1]),
            "peer": (
                "10.0.0.0/8,127.0.0.0/8,::/0,127.0.0.9",
                "0.0.0.0/2,128.0.0.0/1,::/0,127.0.0.9",
            ),
            "host": (f"{long},te?t", f"{long},te?ts"),
            "method": ("PUT,GET,OTHER", "PUT,POST,OTHER"),
            "status": around(200),
            "request_size": around(len(head)),
        }
        text = FILTER.format(**{field: some[field == wrong] for field, some in lists.items()})
        with Watch(DEFAULTS, limited(text)) as watch:
            exchange(*ends, head, response(200))
            counted = sums_of(watch.rows(path, "server"))[0]
    assert counted == ({} if wrong else {200: 1})
