"""The sequence in which a live run starts and winds down."""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Any, cast

import pytest

from httptop.bpf.source import LiveSource
from httptop.demo.supervisor import Demo
from httptop.errors import HttptopError
from httptop.privilege.drop import Drop
from httptop.run.live import started

STOP = 7


class Noting:
    """Stands for source, drop and demo: notes which of their methods are called."""

    notes = ("a note",)

    def __init__(self, *, responds: bool = True, stays_root: bool = False) -> None:
        self.calls: list[str] = []
        self.told: list[str] = []
        self._responds, self._stays_root = responds, stays_root

    def __getattr__(self, name: str) -> Any:
        def method(*arguments: object) -> bool:
            self.calls.append(name)
            if name in ("load", "wait_for_response"):
                assert STOP in arguments
            if name == "give_up" and self._stays_root:
                raise HttptopError("root could not be given up")
            return self._responds

        return method

    def __enter__(self) -> Noting:
        self.calls.append("start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.calls.append("stop")

    def keep_least(self, times: object) -> None:
        assert times is None
        self.calls.append("keep_least")

    def started(
        self, *, demo: bool = False, await_demo: bool = True
    ) -> contextlib.AbstractContextManager[tuple[str, ...]]:
        return started(
            cast(LiveSource, self),
            cast(Drop, self),
            cast(Demo, self) if demo else None,
            self.told.append,
            STOP,
            attached=lambda: self.calls.append("attached"),
            times=None,
            notes=("known before",),
            await_demo=await_demo,
        )


LOADED = ["load", "attach", "attached", "keep_least", "give_up", "try_waits"]


def test_root_is_given_up_between_attaching_and_the_first_reading() -> None:
    noting = Noting()
    with noting.started() as notes:
        assert notes == ("known before", "a note", "a note")  # the source's and the drop's
        assert noting.calls == LOADED
    assert noting.calls == LOADED


@pytest.mark.parametrize(("await_demo", "waits"), [(True, ["wait_for_response"]), (False, [])])
def test_the_demo_starts_last_and_ends_first(await_demo: bool, waits: list[str]) -> None:
    noting = Noting()
    with noting.started(demo=True, await_demo=await_demo):
        assert noting.calls == [*LOADED, "start", *waits]
        noting.calls.clear()
    assert noting.calls == ["stop"]
    assert noting.told == []


def test_a_demo_that_is_slow_is_told() -> None:
    noting = Noting(responds=False)
    with noting.started(demo=True):
        assert noting.told == ["the demo's services are still starting"]


def test_no_demo_where_root_could_not_be_given_up() -> None:
    noting = Noting(stays_root=True)
    with pytest.raises(HttptopError), noting.started(demo=True):
        pytest.fail("it must not go on")
    assert noting.calls == LOADED[:-1]
