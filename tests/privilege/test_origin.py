"""Who can change what root runs, and the copy of `make install` that nobody else can."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest

from httptop.privilege import origin

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make files of others")

TREE = Path(__file__).parents[2]


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a copy of sorts: a Python, a package, a directory of modules."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    for name in ("bin", "lib/httptop/bpf", "lib/other"):
        (made / name).mkdir(parents=True)
    for name in ("lib/httptop/cli.py", "lib/httptop/bpf/x.h"):
        (made / name).touch()
    (made / "bin/python").symlink_to("/usr/bin/env")
    yield made
    rmtree(made)


def offence(place: Path) -> str:
    paths = [str(place / "bin/python"), str(place / "lib"), str(place / "lib/none.zip")]
    return origin.offence(paths, place / "lib/httptop")


def test_what_is_roots_alone_is_no_offence(place: Path) -> None:
    assert offence(place) == ""


@pytest.mark.parametrize(
    "name", [".", "bin", "bin/python", "lib", "lib/httptop/cli.py", "lib/httptop/bpf/x.h"]
)
def test_whatever_belongs_to_another_is_one(place: Path, name: str) -> None:
    os.lchown(place / name, 54321, 0)
    assert offence(place) == f"{place / name} belongs to user 54321"


@pytest.mark.parametrize("name", ["bin", "lib/httptop/bpf", "lib/httptop/cli.py"])
@pytest.mark.parametrize(("mode", "who"), [(0o757, "everybody"), (0o775, "its group")])
def test_and_what_others_can_write_to(place: Path, name: str, mode: int, who: str) -> None:
    os.chown(place / name, 0, 54321)
    (place / name).chmod(mode)
    assert offence(place).startswith(f"{place / name} can be changed by {who}")


def test_a_group_of_the_system_may_but_no_list_of_others(place: Path) -> None:
    """As Debian's `staff` may in /usr/local/lib."""
    os.chown(place / "lib", 0, 50)
    (place / "lib").chmod(0o2775)
    assert offence(place) == ""
    entries = ((1, 7, -1), (2, 7, 54321), (4, 5, -1), (16, 7, -1), (32, 5, -1))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(place / "lib", "system.posix_acl_access", acl)
    except OSError:
        pytest.skip("this file system has no access lists")
    assert offence(place).startswith(f"{place / 'lib'} can be changed by its group")


def test_a_start_as_root_says_so_in_a_line(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "_own_paths", lambda: [str(place / "lib")])
    monkeypatch.setattr(origin, "_OURS", place / "lib/httptop")
    assert origin.told() == ()
    os.chown(place / "lib", 54321, 0)
    (line,) = origin.told()
    assert f"{place}/lib belongs to user 54321; `sudo make install`" in line
    monkeypatch.setattr("httptop.privilege.origin.os.geteuid", lambda: 1)
    assert origin.told() == ()


def test_this_python_is_among_what_is_looked_at() -> None:
    paths = origin._own_paths()
    assert sys.executable in paths
    assert os.path.dirname(os.__file__) in paths
    assert str(TREE / "httptop") in paths


def install(what: str, prefix: str | Path, bindir: str | Path, *, user: int = 0) -> str:
    """Run the script, which must refuse; return why."""
    ran = subprocess.run(
        [TREE / "scripts/install", what],
        env={"PATH": os.environ["PATH"], "PREFIX": str(prefix), "BINDIR": str(bindir)},
        capture_output=True,
        text=True,
        check=False,
        user=user,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    return ran.stderr


@pytest.mark.parametrize("what", ["install", "uninstall"])
def test_nothing_that_is_there_is_taken_away(what: str, place: Path) -> None:
    for prefix in ("/", "/opt", "opt/httptop", "/opt/", "/opt/$(x)", "/opt/a b"):
        assert "PREFIX" in install(what, prefix, place / "bin")
    assert "make install has not made it" in install(what, place / "lib", place / "bin")
    link = place / "bin/httptop"
    link.touch()
    assert "leads elsewhere" in install(what, place / "new", place / "bin")
    link.unlink()
    link.symlink_to("/usr/bin/env")
    assert "leads elsewhere" in install(what, place / "new", place / "bin")
    link.unlink()  # it is there still
    assert sorted(os.listdir(place)) == ["bin", "lib"]


def test_nothing_is_made_where_others_can_change_it(place: Path) -> None:
    os.chown(place / "lib", 54321, 0)
    assert f"change {place}/lib" in install("install", place / "lib/new", place / "bin")
    assert f"change {place}/lib" in install("install", place / "new", place / "lib/other")
    (place / "bin").chmod(0o777)
    assert f"change {place}/bin" in install("install", place / "bin/new", place / "bin")
    assert not (place / "lib/new").exists()


def test_only_root_installs(place: Path) -> None:
    if not os.access(TREE, os.X_OK) or any(not p.stat().st_mode & 1 for p in TREE.parents):
        pytest.skip("the tree is where others cannot enter")
    assert "sudo make install" in install("install", place / "new", place / "bin", user=54321)


def test_what_is_not_there_is_not_taken_away(place: Path) -> None:
    assert f"there is no {place}/new" in install("uninstall", place / "new", place / "bin")
