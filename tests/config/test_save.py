"""Saving from the screen and by --save-config: only what was changed, only where allowed."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from httptop.cli import main
from httptop.config.load import check_file, load
from httptop.config.problems import ConfigError
from httptop.config.save import save_all, save_changes
from httptop.config.settings import DEFAULTS, SETTINGS
from httptop.errors import UsageError
from httptop.linux.files import FileText, InvokingUser, invoking_user

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")


@pytest.fixture
def invoker(tmp_path: Path) -> InvokingUser:
    return InvokingUser(os.geteuid(), os.getegid(), tmp_path / "home")


def stated(path: Path) -> list[str]:
    """Return the lines that say something."""
    lines = path.read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", "["))]


def test_only_what_changed_is_stated_in_a_new_file(invoker: InvokingUser) -> None:
    path = save_changes({"ui.sort": "p99", "paths.templates": ("/a/*",)}, {}, invoker)
    assert path == invoker.home / ".config/httptop/config.toml"
    assert stated(path) == ['templates = ["/a/*"]', 'sort = "p99"']
    text = path.read_text()
    for setting in SETTINGS:
        assert f"## {setting.doc}" in text
    assert '## tick = "1s"' in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_rest_stays_as_the_file_has_it(invoker: InvokingUser, tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text('[general]\ntick = "2s" # slow\n[ui]\n# mine\nsort = "p50"\n')
    environ = {"HTTPTOP_GENERAL__TICK": "3s", "HTTPTOP_UI__SIDE": "client"}
    assert save_changes({"ui.sort": "p99"}, environ, invoker, path) == path
    assert stated(path) == ['tick = "2s"', 'sort = "p99"']
    assert "# slow\n## Time between" in path.read_text()
    assert "# mine\n## Column that" in path.read_text()
    once = path.read_bytes()
    save_changes({"ui.sort": "p99"}, environ, invoker, path)
    assert path.read_bytes() == once


def test_other_files_still_count_for_what_was_not_changed(
    invoker: InvokingUser, tmp_path: Path
) -> None:
    system = tmp_path / "etc.toml"
    system.write_text('[general]\ntick = "2s"\n')
    save_changes({"ui.sort": "p99"}, {}, invoker)
    settings = load({}, {}, invoker, system_file=system).settings
    assert (settings.general.tick_s, settings.ui.sort) == (2, "p99")


@pytest.mark.parametrize(
    ("content", "changes", "reason"),
    [
        ("general = ", {"ui.sort": "p99"}, "invalid TOML"),
        ("[general]\ntik = 1", {"ui.sort": "p99"}, "did you mean 'tick'"),
        ("[filter.process]\npids = [1]", {"filter.process.exclude_pids": (1,)}, "excluded as well"),
        ("", {"ui.sort": "p98"}, "did you mean 'p99'"),
    ],
)
def test_where_anything_is_wrong_nothing_is_written(
    content: str, changes: Mapping[str, object], reason: str, invoker: InvokingUser, tmp_path: Path
) -> None:
    path = tmp_path / "my.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=reason):
        save_changes(changes, {}, invoker, path)
    assert path.read_text() == content
    assert os.listdir(tmp_path) == ["my.toml"]


def test_what_is_no_file_is_refused(invoker: InvokingUser, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path, fifo):
        with pytest.raises(UsageError, match="; nothing was written"):
            save_changes({"ui.sort": "p99"}, {}, invoker, path)
        with pytest.raises(UsageError, match="; nothing was written"):
            save_all(DEFAULTS, path, invoker)


def test_another_way_to_the_file(invoker: InvokingUser, tmp_path: Path) -> None:
    written: list[tuple[Path, str]] = []

    def read(path: Path) -> FileText:
        assert path == tmp_path / "my.toml"
        return FileText('[general]\ntick = "2s"\n')

    def write(path: Path, text: str) -> Path:
        written.append((path, text))
        return path

    saved = save_changes(
        {"ui.sort": "p99"}, {}, invoker, tmp_path / "my.toml", read=read, write=write
    )
    ((path, text),) = written
    assert saved == path == tmp_path / "my.toml"
    assert 'tick = "2s"\n' in text
    assert not path.exists()


@root_only
def test_under_sudo_it_belongs_to_the_caller_and_goes_through_no_strangers_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        directory.chmod(0o755)
    home = tmp_path / "theirs"
    home.mkdir()
    os.chown(home, 65534, 65534)
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    file = home / "config.toml"
    assert main(["--save-config", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    found = file.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (65534, 65534, 0o600)
    invoker = invoking_user(os.environ)
    save_changes({"ui.sort": "p99"}, os.environ, invoker, file)
    assert (file.stat().st_uid, check_file(file, invoker).settings.ui.sort) == (65534, "p99")
    precious = home / "precious"
    precious.write_text("")
    os.chown(precious, 65534, 65534)
    link = home / "link"
    link.symlink_to(precious)
    os.lchown(link, 12345, 12345)
    assert main(["--save-config", str(link)]) == 2
    assert "symbolic link of another user; nothing was written" in capsys.readouterr().err
    with pytest.raises(UsageError, match="symbolic link of another user"):
        save_changes({"ui.sort": "p99"}, os.environ, invoker, link)
    assert precious.read_text() == ""
