"""Loading a program: what is kept of a verifier's refusal, and where."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from httptop.bpf.build import program
from httptop.bpf.build.compiler import LoadError
from httptop.bpf.build.linker import Linked


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the kernel refuse every program; return the path where its reasons are to go."""

    def refused(*_: object, log: object = None, **__: object) -> int:
        if log is not None:
            log.value = b"0: R1=ctx()\n1: invalid access\n"  # type: ignore[attr-defined]
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("httptop.linux.bpf_syscall.prog_load", refused)
    path = tmp_path / "verifier.log"
    monkeypatch.setenv("HTTPTOP_VERIFIER_LOG", str(path))
    for name in ("SUDO_UID", "DOAS_USER", "PKEXEC_UID"):
        monkeypatch.delenv(name, raising=False)
    return path


def refusal(name: str) -> str:
    with pytest.raises(LoadError) as caught:
        program.load(Linked(bytes(8), ()), name, program.SOCKET_FILTER)
    return str(caught.value)


def test_the_last_refusal_is_kept(log: Path) -> None:
    for name in ("one", "two"):
        told = refusal(name)
        assert told.endswith("0: R1=ctx() | 1: invalid access")
    assert log.read_text().splitlines() == [
        "httptop: the verifier's log of two",
        "0: R1=ctx()",
        "1: invalid access",
    ]
    assert log.stat().st_mode & 0o777 == 0o600


def test_nothing_else_is_replaced(log: Path, tmp_path: Path) -> None:
    log.write_text("precious")
    assert "HTTPTOP_VERIFIER_LOG" in refusal("one")
    assert "httptop has not written it" in refusal("one")
    assert log.read_text() == "precious"
    log.unlink()
    os.mkfifo(log)
    assert "is no regular file" in refusal("one")
    log.unlink()
    if os.geteuid() == 0:
        log.symlink_to(tmp_path / "elsewhere")
        os.lchown(log, 12345, 12345)
        assert "symbolic link of another user" in refusal("one")
        assert not (tmp_path / "elsewhere").exists()
