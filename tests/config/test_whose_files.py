"""Whose files root obeys and writes: those of who called sudo do nothing that the user cannot."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from httptop.capture.recorder import Recorder
from httptop.cli import main
from httptop.collect.redacted import SnapshotRedaction
from httptop.config.load import load
from httptop.config.settings import BY_KEY, GUARDED
from httptop.errors import UsageError
from httptop.linux.files import InvokingUser, invoking_user
from httptop.privilege.helper import Helper
from tests.config.test_load import EXAMPLES

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")

USER = 65534
SUDO = InvokingUser(USER, USER, Path("/"), elevated=True)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a directory of root's that everybody may pass, with /etc and a user's home."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    (made / "etc").mkdir(mode=0o755)
    (made / "home").mkdir(mode=0o755)
    os.chown(made / "home", USER, USER)
    for name in list(os.environ):
        if name.startswith(("HTTPTOP_", "SUDO_", "XDG_CONFIG")):
            monkeypatch.delenv(name)
    monkeypatch.setattr("httptop.config.load.SYSTEM_FILE", made / "etc/config.toml")
    yield made
    shutil.rmtree(made)


@pytest.fixture
def sudo(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a user who has called sudo."""
    monkeypatch.setenv("SUDO_UID", str(USER))
    monkeypatch.setenv("SUDO_GID", str(USER))
    monkeypatch.setattr(
        "httptop.cli.invoking_user", lambda _: InvokingUser(USER, USER, place / "home", True)
    )
    return place / "home/.config/httptop/config.toml"


def theirs(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    for one in (path, path.parent, path.parent.parent):
        os.chown(one, USER, USER)
    return path


def complaint(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run httptop, which must refuse; return what it says."""
    assert main(words) == 2
    return capsys.readouterr().err


def test_no_file_of_roots_is_given_to_who_called_sudo(
    place: Path, sudo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shadow, new = place / "etc/shadow", place / "etc/x.service"
    for mode in (0o640, 0o600, 0o4755):
        shadow.write_text("root:secret\n")
        shadow.chmod(mode)
        before = shadow.stat()
        for path in (shadow, new):
            complaint(["-b", "-n", "1", "--log-file", str(path)], capsys)
            complaint(["--save-config", str(path)], capsys)
            with pytest.raises(UsageError, match="cannot record to"):
                Recorder(path, SUDO, SnapshotRedaction("strict"))
            theirs(sudo, f"[general]\nlog_file = '{path}'\n")
            for words in (["-b", "-n", "1"], ["--print-config"], ["--validate-config"]):
                told = complaint(words, capsys)
                assert f"{sudo}:2: general.log_file: under sudo only a file of root's" in told
                assert f"{place}/home belongs to nobody" in told
            sudo.unlink()
        after = shadow.stat()
        assert (shadow.read_text(), after.st_mtime_ns) == ("root:secret\n", before.st_mtime_ns)
        assert (after.st_uid, after.st_gid, after.st_mode) == (0, 0, before.st_mode)
        assert not new.exists()


@pytest.mark.parametrize("key", sorted(GUARDED))
def test_who_called_sudo_may_not_set_what_is_guarded(
    key: str, place: Path, sudo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = BY_KEY[key].kind
    value = kind.show(kind.parse_text(EXAMPLES[key][0]))
    default = kind.show(BY_KEY[key].default)
    assert value != default
    section, _, name = key.rpartition(".")
    theirs(sudo, f"[{section}]\n{name} = {value}\n")
    assert f"{sudo}:2: {key}: under sudo" in complaint(["--print-config"], capsys)
    assert f"{sudo}:2: {key}: under sudo" in complaint(
        ["--print-config", "--config", str(sudo)], capsys
    )
    # What it is anyway is no harm: --save-config writes it.
    sudo.write_text(f"[{section}]\n{name} = {default}\n")
    assert main(["--print-config"]) == 0
    # But not where root has chosen.
    etc = place / "etc/config.toml"
    etc.write_text(f"[{section}]\n{name} = {value}\n")
    etc.chmod(0o600)
    assert f"{sudo}:2: {key}: under sudo" in complaint(["--print-config"], capsys)
    sudo.unlink()
    assert main(["--print-config"]) == 0
    assert f"{key} = {value}" in capsys.readouterr().out
    # A flag is said in the open, by who may call sudo.
    assert main(["--print-config", "--set", f"{key}={EXAMPLES[key][0]}"]) == 0


def test_what_is_saved_under_sudo_is_read_again(
    place: Path, sudo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "etc/config.toml").write_text('[security]\nredact = "strict"\n')
    words = ["--save-config", "-d", "3", "--set", "security.drop_privileges=false"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert told.out == f"{sudo}\n"
    assert "security.drop_privileges (--set security.drop_privileges) was not saved" in told.err
    assert len(told.err.splitlines()) == 1
    settings = load({}, {}, InvokingUser(USER, USER, place / "home", True)).settings
    assert (settings.general.tick_s, settings.security.redact) == (3, "strict")
    assert settings.security.drop_privileges


@pytest.mark.parametrize(
    ("path", "mode", "owner", "why"),
    [
        ("home/c.toml", 0o644, USER, "home belongs to nobody"),
        ("home/c.toml", 0o644, 0, "home belongs to nobody"),
        ("etc/c.toml", 0o644, USER, "c.toml belongs to nobody"),
        ("etc/c.toml", 0o664, 0, "can be changed by its group"),
        ("etc/c.toml", 0o646, 0, "can be changed by everybody"),
        ("etc/below/c.toml", 0o644, 0, "etc can be changed by everybody"),
    ],
)
def test_root_obeys_nobody_else(
    path: str,
    mode: int,
    owner: int,
    why: str,
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = place / path
    file.parent.mkdir(exist_ok=True)
    file.write_text("[general]\ntick = '3s'\n")
    file.chmod(mode)
    os.chown(file, owner, owner)
    if "below" in path:
        (place / "etc").chmod(0o777)
    assert why in complaint(["--print-config", "--config", str(file)], capsys)
    assert "as root, httptop obeys only what nobody else can change" in complaint(
        ["--validate-config", str(file)], capsys
    )
    helper = Helper()
    try:
        helper.settle(InvokingUser(0, 0, Path("/root")), read=[file])
        with pytest.raises(OSError, match=why):
            helper.read(file)
    finally:
        helper.end()


def test_a_home_of_somebody_elses(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with su -m, doas with keepenv, or a container's HOME."""
    home = place / "home"
    monkeypatch.setenv("HOME", str(home))
    assert main(["--print-config"]) == 0  # nothing there
    text = f"[general]\nlog_file = '{place}/etc/ld.so.preload'\n"
    file = theirs(home / ".config/httptop/config.toml", text)
    assert "home belongs to nobody" in complaint(["-b", "-n", "1"], capsys)
    for target in (file, file.parent):
        target.rename(target.with_name("moved"))
        target.symlink_to(place / "etc")
        os.lchown(target, USER, USER)
        assert "symbolic link of another user" in complaint(["--validate-config"], capsys)
        target.unlink()
        target.with_name("moved").rename(target)
    assert os.listdir(place / "etc") == []


def test_a_link_of_the_users_reads_nothing_of_roots(
    place: Path, sudo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = place / "etc/secret.toml"
    secret.write_text("[sesame]\npassword = 'hunter2'\n")
    secret.chmod(0o600)
    theirs(sudo, "")
    sudo.unlink()
    sudo.symlink_to(secret)
    os.lchown(sudo, USER, USER)
    for words in (["--print-config"], ["--print-config", "--config", str(secret)]):
        told = complaint(words, capsys)
        assert "no permission to read it for nobody, who called httptop" in told
        assert "sesame" not in told


def test_the_systems_file_may_be_roots_alone(
    place: Path, sudo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    etc = place / "etc/config.toml"
    etc.write_text("[general]\ntick = '3s'\n")
    etc.chmod(0o600)
    assert main(["--print-config"]) == 0
    assert f'general.tick = "3s" # {etc}\n' in re.sub(" +", " ", capsys.readouterr().out)
    os.chown(etc, USER, USER)
    assert "config.toml belongs to nobody" in complaint(["--print-config"], capsys)
    assert not sudo.exists()


@pytest.mark.parametrize(
    ("environ", "uid"),
    [
        ({}, 0),
        ({"SUDO_UID": "0"}, 0),
        ({"SUDO_UID": "65534"}, USER),
        ({"SUDO_UID": "65534", "SUDO_GID": "7"}, USER),
        ({"DOAS_USER": "nobody"}, USER),
        ({"DOAS_USER": "nobody", "SUDO_UID": "0"}, USER),
        ({"PKEXEC_UID": "65534"}, USER),
        ({"SUDO_UID": "x"}, 0),
        ({"DOAS_USER": "no such user"}, 0),
    ],
)
def test_who_called(environ: dict[str, str], uid: int) -> None:
    found = invoking_user(environ | {"HOME": "/x"})
    assert (found.uid, found.elevated) == (uid, uid != 0)
    assert found.home == Path("/x") if uid == 0 else found.home != Path("/x")
    assert found.gid == int(environ.get("SUDO_GID", found.gid))


def test_another_programs_file_is_not_replaced(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = place / "etc/pyproject.toml"
    other.write_text("[project]\nname = 'x'\n")
    assert "is no configuration of httptop, which has no 'project'" in complaint(
        ["--save-config", str(other)], capsys
    )
    assert other.read_text() == "[project]\nname = 'x'\n"


def test_no_path_is_printed_raw(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = place / "etc/\x1b[31mx"
    assert main(["--save-config", str(path)]) == 0
    assert main(["--validate-config", str(path)]) == 0
    assert main(["--print-config", "--config", str(path)]) == 0
    told = capsys.readouterr()
    assert "\\x1b[31mx" in told.out
    assert "\x1b" not in told.out + told.err
