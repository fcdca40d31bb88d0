"""What a run has from its first moment, and that it is ended."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from httptop.config.settings import Security
from httptop.errors import Unavailable
from httptop.privilege import drop as drop_module
from httptop.privilege.drop import Drop
from httptop.privilege.helper import Helper
from httptop.run.live import begin_drop
from httptop.run.session import Session

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_one_that_began_nothing_has_nothing() -> None:
    with Session() as session:
        assert (session.helper, session.pids) == (None, ())
    session.end()


@needs_root
def test_it_ends_the_helper_and_a_load_that_nobody_took() -> None:
    with Session() as session:
        session.begin()
        assert session.helper is not None
        assert session.start_helper() is session.helper
        loader, helper = session.pids
        assert helper == session.helper.pid
        assert not gone(loader)
    assert gone(loader)
    assert gone(helper)
    assert session.pids == ()


@needs_root
def test_a_load_that_was_taken_is_the_takers() -> None:
    with Session() as session:
        session.begin()
        loading = session.take_loading()
        another = session.take_loading()
    try:
        assert session.pids == ()
        assert loading.pid != another.pid
        assert not gone(loading.pid)
    finally:
        loading.cancel()
        another.cancel()


@needs_root
def test_it_goes_on_where_there_can_be_no_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise OSError(11, "no process to be had")

    monkeypatch.setattr(drop_module, "_may_become", lambda _: True)
    monkeypatch.setattr(Drop, "prepare", lambda _: None)
    monkeypatch.setattr(Helper, "__init__", refuse)
    session = Session()
    drop = begin_drop(Security(), session, screen=True)
    assert drop.user is not None
    assert drop.notes[0].startswith(
        "the helper that stays root failed ([Errno 11] no process to be had)"
    )
    assert session.helper is None


@needs_root
def test_where_no_process_can_be_started_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*asked: object, **more: object) -> None:  # noqa: ARG001
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/dev/null")

    monkeypatch.setattr("httptop.bpf.build.child.subprocess.Popen", start)
    with Session() as session:
        session.begin()
        with pytest.raises(Unavailable, match=r"cannot be started: No such file .*: /dev/null"):
            session.take_loading()
