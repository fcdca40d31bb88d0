"""Files of other users: one thread's rights change, the others' stay."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from httptop.linux.files import FileError, InvokingUser, create, rights_of
from httptop.linux.fsuid import files_of
from tests.patience import PATIENCE_S

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")


@root_only
def test_only_the_thread_that_asks_has_other_rights(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    secret.chmod(0o600)
    tmp_path.chmod(0o755)
    inside, done = threading.Event(), threading.Event()
    refused: list[bool] = []

    def borrow() -> None:
        with files_of(65534, 65534):
            try:
                os.close(os.open(secret, os.O_RDONLY))
                refused.append(False)
            except PermissionError:
                refused.append(True)
            inside.set()
            done.wait(PATIENCE_S)
        os.close(os.open(secret, os.O_RDONLY))  # root's again

    before = os.getgroups()
    thread = threading.Thread(target=borrow)
    thread.start()
    assert inside.wait(PATIENCE_S)
    try:
        assert refused == [True]
        assert secret.read_text() == "secret"
        assert os.geteuid() == 0
        assert os.getgroups() == before
    finally:
        done.set()
        thread.join()


@root_only
def test_rights_are_given_back_after_an_error(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("x")
    theirs.chmod(0)
    os.chown(theirs, 65533, 65533)
    groups = os.getgroups()
    with pytest.raises(ZeroDivisionError), files_of(65534, 65534):
        raise ZeroDivisionError
    with rights_of(InvokingUser(0, 0, Path("/"))) as uid:
        assert uid == 0
    assert os.getgroups() == groups
    assert theirs.read_text() == "x"


def test_appends_to_a_file_that_is_there(tmp_path: Path) -> None:
    invoker = InvokingUser(os.geteuid(), os.getegid(), tmp_path)
    log = tmp_path / "log"
    log.write_text("before\n")
    with open(create(log, invoker, append=True), "w") as file:
        file.write("after\n")
    assert log.read_text() == "before\nafter\n"
    assert log.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileError, match="is a directory"):
        create(tmp_path, invoker, append=True)
