"""Which containers the processes of a row run in, and how often they are looked at."""

from __future__ import annotations

from httptop.collect import containers
from httptop.collect.containers import Containers


class Host:
    """Processes in containers, and how often each was looked at."""

    def __init__(self, **of: str | None) -> None:
        self.of = {int(pid[1:]): container for pid, container in of.items()}
        self.now_s = 0.0
        self.looks: list[int] = []
        self.containers = Containers(self.look, lambda: self.now_s)

    def look(self, pid: int) -> str | None:
        self.looks.append(pid)
        return self.of.get(pid)


def test_each_container_once_in_order() -> None:
    host = Host(p1="web", p2="db", p3="web", p4="", p5=None)
    assert host.containers.of((1, 2, 3, 4, 5, 6)) == ("db", "web")
    assert host.containers.of((4, 5)) == ()


def test_a_process_is_looked_at_once_a_minute() -> None:
    host = Host(p1="web")
    for now_s in (0.0, 1.0, 59.0, 60.0, 61.0):
        host.now_s = now_s
        assert host.containers.of((1,)) == ("web",)
    assert host.looks == [1, 1]


def test_an_ended_process_keeps_its_container_and_another_has_its_own() -> None:
    host = Host(p1="web")
    host.containers.of((1,))
    host.of, host.now_s = {}, 100.0
    assert host.containers.of((1,)) == ("web",)
    host.of, host.now_s = {1: "other"}, 200.0
    assert host.containers.of((1,)) == ("other",)


def test_what_is_remembered_is_bounded(monkeypatch: object) -> None:
    monkeypatch.setattr(containers, "_MOST_PROCESSES", 8)  # type: ignore[attr-defined]
    host = Host()
    for pid in range(100):
        host.containers.of((pid,))
    assert len(host.containers._known) <= 8
