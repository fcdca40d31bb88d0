"""Invalid configuration files: the command prints a clear line, exits with 2, writes nothing."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from httptop.cli import main

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")

_GARBAGE = random.Random(3).randbytes(1 << 20) * 10


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _loop(path: Path) -> None:
    loop = path.with_name("loop")
    loop.symlink_to("loop")
    path.symlink_to(loop)


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere/at/all")


def _holding(content: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(content)

    return make


#: How it is made, what is said of it, and whether --save-config may put a file in its place.
_BAD: dict[str, tuple[Callable[[Path], None], str, bool]] = {
    "directory": (Path.mkdir, "is a directory", False),
    "fifo": (_fifo, "is no regular file", False),
    "device": (_device, "is no regular file", False),
    "loop": (_loop, "symbolic links", False),
    "binary": (
        _holding(b"\x7fELF\x02\x01\x01\0\0"),
        "not a text file: it contains NUL bytes",
        False,
    ),
    "latin": (_holding(b"# caf\xe9\n"), "not a text file: byte 5 is not UTF-8", False),
    "garbage": (_holding(_GARBAGE), "larger than 256 KiB", False),
    "text": (_holding(b"Dear diary,\n"), "invalid TOML", False),
    "cut off": (_holding(b"[general]\ntick = '1"), "invalid TOML", False),
    "wrong": (_holding(b"[general]\ntick = '9d'\n"), "unknown unit 'd'", True),
    "dangling": (_dangling, "no such file", True),
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("HTTPTOP_", "SUDO_", "XDG_CONFIG")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("httptop.config.load.SYSTEM_FILE", tmp_path / "etc.toml")
    return tmp_path


def everything_below(directory: Path) -> dict[str, object]:
    """Return what there is, with the contents of the files."""
    found: dict[str, object] = {}
    for path in directory.rglob("*"):
        mode = path.lstat().st_mode
        plain = path.is_file() and not path.is_symlink()
        found[str(path)] = (mode, path.read_bytes() if plain else None)
    return found


def complaint(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the only line of a command that is refused."""
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("httptop: ")
    return err


@pytest.mark.parametrize("name", _BAD)
def test_what_is_no_configuration(
    name: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, reason, _ = _BAD[name]
    path = home / "some.toml"
    make(path)
    before = everything_below(home)
    for words in (
        ["--batch", "--config", str(path)],
        ["--print-config", "--config", str(path)],
        ["--validate-config", str(path)],
    ):
        line = complaint(words, capsys)
        assert str(path) in line
        assert reason in line
    assert everything_below(home) == before


@pytest.mark.parametrize("name", [name for name, (_, _, may_save) in _BAD.items() if not may_save])
def test_it_is_not_overwritten_either(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / "home" / ".config" / "httptop" / "config.toml"
    path.parent.mkdir(parents=True)
    _BAD[name][0](path)
    before = everything_below(home)
    for words in (["--batch"], ["--save-config"], ["--validate-config"]):
        complaint(words, capsys)
    etc = home / "etc.toml"
    path.rename(etc)
    assert str(etc) in complaint(["--batch"], capsys)
    etc.rename(path)
    monkeypatch.setenv("HOME", str(home / "elsewhere"))
    assert "nothing was written" in complaint(["--save-config", str(path)], capsys)
    assert everything_below(home) == before


@root_only
def test_a_file_without_permission(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for directory in (home, home.parent, home.parent.parent):
        directory.chmod(0o755)
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    path = home / "theirs.toml"
    path.write_text("[general]\ntick = '2s'\n")
    path.chmod(0o600)
    os.chown(path, 12345, 12345)
    for words in (["-b", "--config", str(path)], ["--validate-config", str(path)]):
        assert f"{path}: no permission to read it" in complaint(words, capsys)
    assert "nothing was written" in complaint(["--save-config", str(path)], capsys)
    assert path.read_text() == "[general]\ntick = '2s'\n"
    assert path.stat().st_uid == 12345


def test_every_fault_of_every_place_at_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = home / "home" / ".config" / "httptop" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text("[general]\ntick = true\nwindw = 3\n[filter.network]\nports = [0, 'x']\n")
    (home / "etc.toml").write_text("filter = 3\n")
    monkeypatch.setenv("HTTPTOP_UI__SIDE", "servr")
    monkeypatch.setenv("HTTPTOP_UI__SIED", "client")
    assert main(["-b", "--set", "sampling.rate=2", "--status", "6xx1"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"httptop: {home}/etc.toml:1: filter: a table is needed: [filter], found 3",
        f"httptop: {own}:2: general.tick: a duration is needed, 100ms to 1h, found True",
        f"httptop: {own}:3: general.windw: unknown key; did you mean 'window'?",
        f"httptop: {own}:5: filter.network.ports: 1 to 65535 is allowed, found [0, 'x']",
        "httptop: HTTPTOP_UI__SIDE: one of server, client is needed; did you mean 'server'?, "
        "found 'servr'",
        "httptop: HTTPTOP_UI__SIED: no such setting; did you mean 'HTTPTOP_UI__SIDE'?",
        "httptop: --status: a status such as 404, 5xx, 400-499 or unknown is needed, found '6xx1'",
        "httptop: --set sampling.rate: 0 to 1, with decimals is allowed, found '2'",
    ]
