"""What one user does takes nothing from another: neither rows nor statuses nor places."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

import pytest

from httptop.bpf import abi
from httptop.collect.forgetting import FULL
from httptop.config.load import build
from httptop.config.scope import limited
from httptop.config.settings import DEFAULTS, Performance
from httptop.linux import bpf_syscall
from httptop.model import PartyStats, Snapshot
from tests.live.flood import UID, word
from tests.live.live import Watch, connected, exchange, request, response, rows_of
from tests.live.test_forgetting import FORGET_S, NAME, Run

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("forgetting")]

ENDPOINTS: Final = 256
PID: Final = os.getpid()
_Name = TypeVar("_Name", int, str)
#: How much of each kind is more than all of the room.
FLOODS: Final = {
    "paths": 3000,
    "statuses": 4,
    "codes": 200,
    "names": 1500,
    "tenants": 600,
    "methods": 1000,
    "pipelines": 40,
    "halves": 1200,
    "connections": 450,
    "peers": 600,
    "processes": 600,
}
FAILURES: Final = 4000


class Host(Run):
    """The probes with little room, for us and for the other user."""

    def __init__(self, others: str = f"user = {UID}") -> None:
        """``others``: who is watched beside this process."""
        general = dataclasses.replace(DEFAULTS.general, forget_s=FORGET_S)
        little = Performance(
            max_endpoints=ENDPOINTS, max_connections=1024, max_pipelined=1024,
            max_histograms=4096, max_users=512,
        )  # fmt: skip
        settings = dataclasses.replace(DEFAULTS, general=general, performance=little)
        scope = limited(f"pid = {os.getpid()} or {others}")
        Watch.__init__(self, settings, scope, fresh=True)
        self.later_s = 0.0

    @contextlib.contextmanager
    def named(self, name: str) -> Iterator[None]:
        """Have the processes of this one's connections another name during a block."""
        NAME.write_text(name)
        yield
        NAME.write_text("forgetting")

    def miscounted(self) -> list[int]:
        """Return the users of whom the kernel counts another number of tenants than there are."""
        keys, values = bpf_syscall.BatchReader(
            self.probes.maps["tenants"], abi.TENANT_KEY.size, 4, 1024
        ).read()
        counts = [value >> 16 for (value,) in struct.iter_unpack("<I", values)]
        found = [abi.TENANT_KEY.unpack(key)[1:] for (key,) in struct.iter_unpack("24s", keys)]
        tenants = Counter(uid for uid, side in found if side != abi.SIDE_OF_USER)
        return [
            uid
            for (uid, side), count in zip(found, counts, strict=True)
            if side == abi.SIDE_OF_USER and count != tenants[uid]
        ]

    def tenants(self) -> int:
        """Return how many have a share."""
        shares = self.source._returns.shares()
        taken = abi.SHARE.iter_unpack(shares)
        return sum(any(share[: abi.RESOURCES]) for share in taken) - 1


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """One for all floods: nothing is left of those before."""
    with Host() as host:
        yield host


@contextlib.contextmanager
def flooding(kind: str, count: int, *group: str) -> Iterator[None]:
    """Flood, and hold on to it for a block; in a control group, as root."""
    command = (sys.executable, "-m", "tests.live.flood", kind, str(count), *group)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == b"\n"
        yield
        child.stdin.close()


def requests_of(parties: Mapping[_Name, PartyStats] | None) -> dict[_Name, int]:
    return {name: stats.requests for name, stats in (parties or {}).items()}


def ours(snapshot: Snapshot, path: str, side: str = "server") -> dict[str, dict[int, int]]:
    rows = rows_of(snapshot, path, side)  # type: ignore[arg-type]
    assert all(row.in_flight == row.unanswered == 0 for row in rows)
    for row in rows:
        assert requests_of(row.by_pid) == {PID: row.requests}
        assert requests_of(row.by_peer) == {"127.0.0.1": row.requests}
        assert row.latency_total.count == row.requests
    return {row.key.path.removeprefix(path): dict(row.status) for row in rows}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_takes_nothing_from_others(host: Host, kind: str, path: str) -> None:
    heads = [request(f"{path}/known/{name}") for name in "abc"]
    with connected() as ends:
        for head in heads:
            exchange(*ends, head, response(200))
        before = host.step().total("server")
        with flooding(kind, FLOODS[kind]):
            # Before anything is given back: rows that are known, with statuses that are not.
            exchange(*ends, b"".join(heads), b"".join(map(response, (500, 501, 502))))
            with connected() as others:
                exchange(*others, heads[0], response(404))
                exchange(*others, request(f"{path}/new"), response(503))
            with host.named(f"stranger {kind}"), connected() as others:
                exchange(*others, request(f"{path}/stranger"), response(503))
            expected = {
                "/stranger": {503: 1},
                "/known/a": {200: 1, 500: 1, 404: 1},
                "/known/b": {200: 1, 501: 1},
                "/known/c": {200: 1, 502: 1},
                "/new": {503: 1},
            }
            snapshot = host.step()
            for side in ("server", "client"):
                assert ours(snapshot, path, side) == expected
            for _ in range(3):  # while room is made
                snapshot = host.step()
            assert ours(snapshot, path) == expected
            exchange(*ends, request(f"{path}/late"), response(200))
            assert ours(host.step(), path) == expected | {"/late": {200: 1}}
            after = snapshot.total("server")
            flooded = after.requests - before.requests + (after.in_flight or 0)
            assert flooded >= (0 if kind == "halves" else 450)
        for _ in range(4):  # it is gone
            snapshot = host.step()
        for row in rows_of(snapshot, "/flood"):
            assert not row.in_flight, row
        host.wait(2 * FORGET_S)
        endpoints, cells, pages, places, _, parties = host.taken()
        # The two rows of the last resort stay, whose status is 200.
        assert (endpoints, places, parties) == (0, 0, 0)
        assert cells <= 2
        assert pages <= 64
        host.until(lambda _: not host.miscounted(), 5)
        exchange(*ends, request(f"{path}/last"), response(200))
        assert ours(host.step(), path) == {"/last": {200: 1}}


def test_a_flood_hides_no_other_service_of_its_user(host: Host) -> None:
    """Which has next to nothing: it gets its rows before any room is made."""
    with flooding("paths", FLOODS["paths"]), flooding("quiet", 4):
        snapshot = host.step()
        for side in ("server", "client"):
            (row,) = [row for row in rows_of(snapshot, "/flood/quiet") if row.key.side == side]
            assert (row.key.process, dict(row.status)) == ("quiet", {503: 4})
    host.wait(2 * FORGET_S)


def test_few_rows_with_all_histograms_take_no_rows_from_others(host: Host, path: str) -> None:
    """Those whose histograms they are would have to go, and are in use: so nobody does."""
    with connected() as ends, flooding("latencies", 8):
        paths = [f"{path}/{word(number)}" for number in range(40)]
        for each in paths:
            exchange(*ends, request(each), response(200))
        host.step()
        taken = host.source._returns.taken()
        assert taken.histograms > FULL > max(taken.endpoints, taken.responses)
        for _ in range(3):
            snapshot = host.step()
        for side in ("server", "client"):
            found = {row.key.path for row in rows_of(snapshot, path, side)}
            assert found == set(paths)
    host.wait(2 * FORGET_S)


@pytest.mark.parametrize(
    ("kind", "who"), [("paths", f"(user {UID})"), ("names", f"user {UID} has")]
)
def test_who_takes_most_is_said(host: Host, path: str, kind: str, who: str) -> None:
    with connected() as ends, flooding(kind, FLOODS[kind]):
        exchange(*ends, request(path), response(200))
        notes = " ".join(host.step().notes)
        assert "no room for all endpoints" in notes
        assert who in notes
        if kind == "paths":  # two sides of us, of the flood, and two users
            assert host.tenants() <= 2 * 3


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Path]:
    """A control group of version 2."""
    mount = subprocess.run(["mount", "-t", "cgroup2", "none", tmp_path], capture_output=True)
    if mount.returncode:
        pytest.skip("control groups cannot be mounted here")
    made = tmp_path / f"httptop-{os.urandom(6).hex()}"
    made.mkdir()
    yield made
    made.rmdir()
    subprocess.run(["umount", tmp_path], check=True)


def test_a_container_whose_user_is_root_takes_nothing_from_root(group: Path, path: str) -> None:
    with Host("comm = flooding") as host, host.named("stranger"), connected() as ends:
        with flooding("paths", FLOODS["paths"], str(group)):
            for name in "abcd":
                exchange(*ends, request(f"{path}/{name}"), response(503))
            snapshot = host.step()
            for side in ("server", "client"):
                assert ours(snapshot, path, side) == {f"/{name}": {503: 1} for name in "abcd"}
        assert rows_of(snapshot, "/flood")


def test_samples_of_failures_are_shared(path: str) -> None:
    """After thousands of another's failures, those of ours are all there, on both sides."""
    settings = build({"sampling.per_second": 100, "sampling.burst": 100})
    scope = limited(f"pid = {PID} or user = {UID}")
    with Watch(settings, scope) as watch, connected() as ends, flooding("failures", FAILURES):
        for _ in range(4):
            exchange(*ends, request(path), response(500))
        found = watch.step().recent
        flood = [sample for sample in found if sample.pid != PID]
        assert 50 <= len(flood) < FAILURES
        assert len(found) - len(flood) == 2 * 4
