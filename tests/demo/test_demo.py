"""The demo: real processes and sockets, no probes."""

from __future__ import annotations

import http.client
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from httptop.demo import services
from httptop.demo.supervisor import Demo
from httptop.errors import HttptopError
from httptop.linux.wakeup import Wakeup
from tests.patience import PATIENCE_S, comes


@pytest.fixture
def demo() -> Iterator[Demo]:
    with Demo(seed=7) as running:
        yield running


@pytest.fixture
def stop() -> Iterator[Wakeup]:
    made = Wakeup()
    yield made
    made.close()


def gateway(demo: Demo) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(services.HOST, demo.ports["gateway"], timeout=PATIENCE_S)


def statuses(demo: Demo, method: str, target: str, times: int = 1) -> set[int]:
    connection = gateway(demo)
    seen = set()
    for _ in range(times):
        connection.request(method, target)
        response = connection.getresponse()
        response.read()
        seen.add(response.status)
    connection.close()
    return seen


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def is_gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"  # nobody waits for it here
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_it_needs_neither_its_file_nor_a_virtual_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stop: Wakeup
) -> None:
    """Which the user whom httptop becomes may not be able to read."""
    program = tmp_path / "services.py"
    program.write_bytes(Path(services.__file__).read_bytes())
    monkeypatch.setattr(services, "__file__", str(program))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    demo = Demo(seed=7)
    program.unlink()
    with demo:
        assert demo.wait_for_response(30, stop.reader)
        for pid in demo.pids:
            assert os.readlink(f"/proc/{pid}/exe") == os.path.realpath("/proc/self/exe")


def test_where_this_user_may_not_run_python_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.touch(mode=0o600)
    monkeypatch.setattr(sys, "_base_executable", str(python))
    with pytest.raises(HttptopError, match=f"has become may not run {python}"):
        Demo().start()


def test_processes_carry_the_names_of_their_roles(demo: Demo) -> None:
    names = ["shop-catalog", "shop-gateway", "shop-load", "shop-orders"]
    assert eventually(lambda: sorted(map(name_of, demo.pids)) == names)


def test_a_request_is_answered_at_once_after_start(demo: Demo) -> None:
    assert statuses(demo, "GET", "/") == {200}


def test_it_tells_when_a_request_has_had_its_response(demo: Demo, stop: Wakeup) -> None:
    assert demo.wait_for_response(30, stop.reader)
    assert demo.wait_for_response(0, stop.reader)


def test_to_wait_for_a_response_ends(stop: Wakeup, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = "import os; os.read(0, 1)"  # until it is to leave
    command = [sys.executable, "-c", silent]
    popen = subprocess.Popen

    def start(_: object, **how: Any) -> subprocess.Popen[bytes]:
        return popen(command, **how)

    monkeypatch.setattr("httptop.demo.supervisor.subprocess.Popen", start)
    with Demo() as slow:
        assert not slow.wait_for_response(0.01, stop.reader)
        stop.set()
        assert not slow.wait_for_response(3600, stop.reader)
        for pid in slow.pids:
            os.kill(pid, signal.SIGKILL)
    with Demo() as dead:
        stop.clear()
        for pid in dead.pids:
            os.kill(pid, signal.SIGKILL)
        assert not dead.wait_for_response(3600, stop.reader)


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/products/42", {200, 503}),
        ("GET", "/products/9999", {404, 503}),
        ("GET", "/search?q=lamp", {200, 503}),
        ("GET", "/orders/0b8f1a5e-2f0e-4b8e-9d55-0d3f3a7c1e11", {200, 500}),
        ("POST", "/orders", {201}),
        ("DELETE", "/cart/items/65f2a1b0c9d8e7f6a5b4c3d2", {204}),
        ("GET", "/old-catalog", {302}),
        ("HEAD", "/health", {200}),
        ("GET", "/favicon.ico", {404}),
        ("POST", "/login", {200, 401}),
        ("GET", "/reports/2024-report", {200}),
    ],
)
def test_endpoints_response_with_the_status_they_are_there_for(
    demo: Demo, method: str, target: str, expected: set[int]
) -> None:
    assert statuses(demo, method, target) <= expected


def test_a_known_product_is_not_modified(demo: Demo) -> None:
    connection = gateway(demo)
    connection.request("GET", "/products/1", headers={"If-None-Match": '"7"'})
    assert connection.getresponse().status in (304, 503)


@pytest.mark.parametrize(
    ("handler", "method", "path", "fault"),
    [
        (services.catalog, "GET", "/products/1", 503),
        (services.orders, "GET", "/orders/1", 500),
        (services.gateway(1, 1), "POST", "/login", 401),
        (services.gateway(1, 1), "GET", "/products/1", 502),  # nothing listens on port 1
    ],
)
def test_faults_happen(handler: services.Handler, method: str, path: str, fault: int) -> None:
    rng = random.Random(5)
    request = services.Request(method, path, {}, rng)
    assert fault in (handler(request).status for _ in range(300))


def test_ports_are_the_kernels_choice_and_two_demos_live_together(demo: Demo) -> None:
    with Demo() as other:
        assert other.ports["gateway"] != demo.ports["gateway"]
        assert statuses(other, "GET", "/") == statuses(demo, "GET", "/") == {200}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_is_given_up(demo: Demo) -> None:
    def users() -> set[str]:
        lines = [Path(f"/proc/{pid}/status").read_text() for pid in demo.pids]
        return {text.partition("\nUid:\t")[2].split()[1] for text in lines}

    assert eventually(lambda: users() == {str(services.NOBODY)})


def test_stop_leaves_no_process_and_no_port() -> None:
    demo = Demo()
    assert not demo.running
    demo.start()
    demo.start()  # does nothing
    pids, connection = demo.pids, gateway(demo)
    assert len(pids) == 4
    assert demo.running
    demo.stop()
    demo.stop()
    assert all(map(is_gone, pids))
    assert demo.pids == ()
    assert not demo.running
    with pytest.raises(ConnectionRefusedError):
        connection.connect()


def test_a_demo_starts_again_after_stop() -> None:
    demo = Demo()
    for _ in range(2):
        with demo:
            assert statuses(demo, "GET", "/") == {200}


PARENT = """
import sys, time
from httptop.demo.supervisor import Demo
from httptop.linux.wakeup import Wakeup
demo = Demo()
demo.start()
print(*demo.pids, flush=True)
{then}
"""


@pytest.mark.parametrize(
    ("then", "sent"),
    [
        pytest.param("time.sleep(60)", signal.SIGKILL, id="kill -9"),
        pytest.param("time.sleep(60)", signal.SIGTERM, id="SIGTERM"),
        pytest.param("time.sleep(60)", signal.SIGINT, id="SIGINT"),
        pytest.param("sys.exit(3)", None, id="exit without stop"),
        pytest.param("raise RuntimeError", None, id="a crash"),
        pytest.param("import os; os._exit(1)", None, id="an exit without atexit"),
    ],
)
def test_nothing_survives_the_parent(then: str, sent: signal.Signals | None) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(then=then)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    assert comes(parent.stdout)
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 4
    if sent is not None:
        parent.send_signal(sent)
    parent.wait(PATIENCE_S)
    parent.stdout.close()
    assert eventually(lambda: all(map(is_gone, pids)))


def test_a_seed_fixes_the_customers() -> None:
    def first(seed: int) -> list[tuple[str, str, bytes, str]]:
        return list(islice(services.customer(random.Random(seed)), 200))

    assert first(3) == first(3)
    assert first(3) != first(4)
    assert {method for method, *_ in first(3)} >= {"GET", "POST", "DELETE"}


def test_the_rate_stays_gentle() -> None:
    rates = [services.rate_at(t / 10) for t in range(3000)]
    assert min(rates) > 10
    assert max(rates) < 80
    assert abs(sum(rates) / len(rates) - services.RATE) < 3
