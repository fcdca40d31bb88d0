"""Compiled probes are kept where performance.cache says, and taken from there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from httptop.bpf.build.cache import Cache, key_of
from httptop.bpf.build.object_file import Image, MapShape
from httptop.config.load import build
from httptop.config.scope import Scope
from tests.live.live import Watch, connected, exchange, new_path, request

KEY = key_of([b"some"])
DATA = Image((MapShape("cells", 2, 4, 8, 16, 0),), {"some": bytes(16)}).to_bytes()


@pytest.mark.ebpf
@pytest.mark.setting("performance.cache")
def test_the_second_run_takes_what_the_first_compiled(tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    settings = build({"performance.cache": str(directory)})
    made = []
    for _ in range(2):
        path = new_path()
        with Watch(settings, Scope(), fresh=True) as watch, connected() as ends:
            exchange(*ends, request(path))
            watch.expect(path, {200: 1})
        made.append([(file.name, file.stat().st_ino) for file in directory.iterdir()])
    assert made[0] == made[1], "one image and the kernel's layout, written once"
    assert sorted(name.partition(".")[2] for name, _ in made[0]) == ["image", "layout"]
    assert directory.stat().st_mode & 0o777 == 0o700


def test_without_a_directory_nothing_is_kept() -> None:
    cache = Cache(None)
    cache.write(KEY, DATA)
    assert cache.read(KEY) is None


@pytest.mark.parametrize("data", [b"{}", b"[1]", b'{"maps": [], "programs": {"a": "AAA"}}'])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not an image of programs: (?!its digest)"):
        Image.from_bytes(hashlib.sha256(data).hexdigest().encode() + data)


@pytest.mark.parametrize("data", [b"", DATA[:-9], DATA.replace(b"some", b"same"), DATA + b" "])
def test_an_image_that_has_changed_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="its digest is another"):
        Image.from_bytes(data)


def test_an_image_comes_back() -> None:
    assert Image.from_bytes(DATA).to_bytes() == DATA


def test_a_reference_that_leads_nowhere_is_refused() -> None:
    wide = bytes([0x18, 0x10, 0, 0, 7, 0, 0, 0]) + bytes(8)
    with pytest.raises(ValueError, match="a reference to no map"):
        Image.from_bytes(Image((), {"some": wide}).to_bytes())


def test_kept_and_found_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    assert cache.read(KEY) is None
    cache.write(KEY, DATA)
    assert cache.read(KEY) == DATA
    assert cache.read(key_of([b"other"])) is None


def test_a_directory_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    directory.mkdir()
    directory.chmod(0o777)
    Cache(directory).write(KEY, DATA)
    assert list(directory.iterdir()) == []
    link = tmp_path / "link"
    (tmp_path / "real").mkdir(0o700)
    link.symlink_to(tmp_path / "real")
    if os.geteuid() == 0:
        os.lchown(link, 12345, 12345)
        Cache(link).write(KEY, DATA)
        assert list((tmp_path / "real").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_who_called_sudo_has_no_directory_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_UID", "65534")
    Cache(tmp_path / "cache").write(KEY, DATA)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("httptop.bpf.build.cache.STANDARD", tmp_path / "cache")
    Cache(tmp_path / "cache").write(KEY, DATA)
    assert [file.name for file in tmp_path.iterdir()] == ["cache"]


def test_a_file_that_is_not_ours_alone_is_not_read(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.write(KEY, DATA)
    (file,) = (tmp_path / "cache").iterdir()
    file.chmod(0o666)
    assert cache.read(KEY) is None
    file.unlink()
    file.symlink_to("/etc/passwd")
    assert cache.read(KEY) is None
    file.unlink()
    os.mkfifo(file, 0o600)
    assert cache.read(KEY) is None


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    keys = [key_of([bytes([number])]) for number in range(40)]
    for age, key in enumerate(keys):
        cache.write(key, DATA)
        os.utime(tmp_path / "cache" / f"{key}.image", (age, age))
        assert cache.read(keys[0]) == DATA, "used all the time"
    left = {file.name.removesuffix(".image") for file in (tmp_path / "cache").iterdir()}
    assert left == {keys[0], *keys[-31:]}
