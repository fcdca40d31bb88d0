"""Files as root, under sudo and as a user: what is opened, made and truncated, and what is not."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

import pytest

from httptop.linux.files import FileError, InvokingUser, create, open_regular, read_text, write_text
from httptop.linux.fsuid import files_of
from httptop.linux.way import Way

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")

USER, OTHER = 54321, 54322  # no accounts
ROOT = InvokingUser(0, 0, Path("/root"))
SUDO = InvokingUser(USER, USER, Path("/"), elevated=True)
ALONE = InvokingUser(USER, USER, Path("/"))
STRANGER = InvokingUser(OTHER, OTHER, Path("/"))


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a directory of root's that everybody may pass, with one of the user's in it."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    home = made / "home"
    home.mkdir(mode=0o755)
    os.chown(home, USER, USER)
    yield made
    rmtree(made)


def file(path: Path, owner: int = 0, mode: int = 0o644, text: str = "precious") -> Path:
    path.write_text(text)
    os.chown(path, owner, owner)
    path.chmod(mode)
    return path


def link(path: Path, target: Path, owner: int) -> Path:
    path.symlink_to(target)
    os.lchown(path, owner, owner)
    return path


def everything(place: Path) -> dict[str, tuple[object, ...]]:
    """Return owner, mode and contents of all that is in a directory."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(place.rglob("*")):
        state = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(state.st_mode) else b""
        found[str(path)] = (state.st_uid, state.st_gid, state.st_mode, content)
    return found


@contextmanager
def being(invoker: InvokingUser) -> Iterator[None]:
    """Be a user who has not called sudo, as far as files go and the effective user is looked at."""
    if invoker.elevated or invoker.uid == 0:
        yield
        return
    with pytest.MonkeyPatch.context() as patch, files_of(invoker.uid, invoker.gid):
        patch.setattr("httptop.linux.files.os.geteuid", lambda: invoker.uid)
        yield


def writes(path: Path, invoker: InvokingUser) -> dict[str, Callable[[], object]]:
    """Return every way in which httptop writes a file."""
    return {
        "truncate": lambda: os.close(create(path, invoker)),
        "append": lambda: os.close(create(path, invoker, append=True)),
        "replace": lambda: write_text(path, "new", invoker),
    }


def refused(place: Path, path: Path, invoker: InvokingUser, reason: str) -> None:
    """Check that nothing writes to a path, and that nothing at all has changed."""
    before = everything(place)
    for name, write in writes(path, invoker).items():
        with pytest.raises(FileError, match=reason), being(invoker):
            write()
        assert everything(place) == before, name


def written(path: Path, invoker: InvokingUser, owner: int, leads_to: Path | None = None) -> None:
    """Check that everything writes to a path, and whose the file is then."""
    leads_to = leads_to or path
    for name, write in writes(path, invoker).items():
        with being(invoker):
            write()
        found = leads_to.lstat()
        assert (found.st_uid, found.st_mode) == (owner, stat.S_IFREG | 0o600), name
    assert leads_to.read_text() == "new"


# Existing files


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_a_file_of_roots_is_not_for_who_called_sudo(place: Path, mode: int) -> None:
    refused(place, file(place / "shadow", mode=mode), SUDO, "belongs to another user .root")
    refused(place, place / "shadow", ALONE, "belongs to another user .root")


def test_nor_is_one_that_everybody_may_write(place: Path) -> None:
    shared = place / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    refused(place, file(shared / "log", mode=0o666), SUDO, "belongs to another user")
    refused(place, shared / "log", ALONE, "belongs to another user")


def test_nor_one_of_another_users(place: Path) -> None:
    refused(place, file(place / "home/a", OTHER, 0o666), SUDO, "belongs to another user")
    refused(place, file(place / "b", OTHER, 0o666), ROOT, "belongs to another user")


def test_ones_own_file_is_written_and_stays_ones_own(place: Path) -> None:
    written(file(place / "home/a", USER), SUDO, USER)
    written(file(place / "b"), ROOT, 0)
    written(place / "home/a", ALONE, USER)
    refused(place, place / "new", ALONE, "no permission to write it$")


def test_root_does_not_write_in_a_users_directory(place: Path) -> None:
    refused(place, file(place / "home/a", USER), ROOT, "home belongs to user 54321; as root")
    refused(place, file(place / "home/b"), ROOT, "home belongs to user 54321; as root")


def test_a_set_user_id_file_keeps_its_bits(place: Path) -> None:
    path = file(place / "su", mode=0o4755)
    refused(place, path, SUDO, "belongs to another user")
    with pytest.raises(FileError, match="httptop has not written it"):
        create(path, ROOT, append=True, ours=lambda start: not start)
    assert stat.S_IMODE(path.stat().st_mode) == 0o4755


def test_only_what_is_httptops_is_truncated(place: Path) -> None:
    def ours(start: bytes) -> bool:
        return start.startswith(b"ours")

    before = everything(place)
    for path, invoker in ((place / "a", ROOT), (place / "home/a", SUDO)):
        file(path, invoker.uid)
        before = everything(place)
        for append in (False, True):
            with pytest.raises(FileError, match="httptop has not written it: name another file"):
                create(path, invoker, append=append, ours=ours)
        assert everything(place) == before
        for text in ("ours", ""):
            file(path, invoker.uid, text=text)
            os.close(create(path, invoker, ours=ours))
            assert path.read_text() == ""


# New files


def test_nothing_is_made_in_a_directory_of_roots_for_who_called_sudo(place: Path) -> None:
    refused(place, place / "new", SUDO, f"no permission to write it for user {USER}, who called")
    refused(place, place / "new/deep", SUDO, "no (permission|such file)")


def test_what_is_made_belongs_to_who_called_sudo(place: Path) -> None:
    for name, write in writes(place / "home/new", SUDO).items():
        write()
        found = (place / "home/new").stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (USER, USER, 0o600)
        (place / "home/new").unlink()
        assert os.listdir(place / "home") == [], name


def test_root_makes_nothing_in_a_users_directory(place: Path) -> None:
    refused(place, place / "home/new", ROOT, "home belongs to user 54321; as root")
    refused(place, place / "home/new/deep/er", ROOT, "home belongs to user 54321; as root")


def test_missing_directories_are_made_by_who_called_sudo(place: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        create(place / "home/.config/httptop/log", SUDO)
    assert os.listdir(place / "home") == []
    saved = write_text(place / "home/.config/httptop/config.toml", "x", SUDO)
    for path in (saved, saved.parent, saved.parent.parent):
        assert (path.stat().st_uid, path.stat().st_gid) == (USER, USER)
    assert write_text(place / "etc/httptop/config.toml", "x", ROOT).parent.stat().st_uid == 0


def test_the_umask_takes_nothing(place: Path) -> None:
    before = os.umask(0o777)
    try:
        os.close(create(place / "a", ROOT))
        write_text(place / "b", "x", ROOT)
    finally:
        os.umask(before)
    assert [stat.S_IMODE((place / name).stat().st_mode) for name in "ab"] == [0o600] * 2


# Links


def test_links_to_files(place: Path) -> None:
    secret = file(place / "shadow", mode=0o600)
    refused(place, link(place / "home/a", secret, USER), SUDO, "belongs to another user")
    refused(place, link(place / "home/b", secret, OTHER), SUDO, "b is a symbolic link of another")
    refused(place, link(place / "c", secret, USER), ROOT, "c is a symbolic link of another user")
    with pytest.raises(FileError, match="no permission"):
        read_text(place / "home/a", 100, SUDO)
    with pytest.raises(FileError, match="no permission"):
        open_regular(place / "home/a", SUDO)
    refused(place, link(place / "home/d", place / "home/new", USER), STRANGER, "of another user")
    written(link(place / "e", place / "f", 0), ROOT, 0, leads_to=place / "f")
    mine = link(place / "home/g", Path("h"), USER)
    written(mine, SUDO, USER, leads_to=place / "home/h")
    assert mine.is_symlink()


def test_links_to_directories(place: Path) -> None:
    etc = place / "etc"
    etc.mkdir()
    file(etc / "x")
    refused(place, link(place / "home/a", etc, USER) / "x", SUDO, "belongs to another user")
    refused(place, place / "home/a" / "new", SUDO, "no permission")
    refused(place, link(place / "b", etc, USER) / "x", ROOT, "b is a symbolic link of another")
    refused(place, link(place / "c", etc, OTHER) / "x", SUDO, "c is a symbolic link of another")
    written(link(place / "d", Path("etc/../etc/./"), 0) / "x", ROOT, 0, leads_to=etc / "x")
    link(place / "e", place / "f", 0)
    link(place / "f", place / "e", 0)
    refused(place, place / "e" / "x", ROOT, "too many symbolic links")
    refused(place, place / "e", ROOT, "too many symbolic links")


def test_a_link_that_leads_past_permissions_means_nothing(place: Path) -> None:
    secret = file(place / "secret", mode=0o600)
    held = os.open(secret, os.O_RDWR)
    secret.unlink()
    try:
        with pytest.raises(FileError, match=r"no (permission|such file)"):
            create(Path(f"/proc/self/fd/{held}"), SUDO)
        assert os.fstat(held).st_size == len("precious")
    finally:
        os.close(held)


def test_hard_links(place: Path) -> None:
    for directory, invoker in ((place / "home", SUDO), (place, ROOT)):
        os.link(file(directory / "a", invoker.uid), directory / "b")
        refused(place, directory / "b", invoker, "has other names")


# Directories that others can write to


@pytest.mark.parametrize(
    ("mode", "group", "reason"),
    [(0o777, 0, "by everybody"), (0o775, USER, "by its group"), (0o757, 4, "by everybody")],
)
def test_root_writes_nothing_where_others_can(
    place: Path, mode: int, group: int, reason: str
) -> None:
    shared = place / "shared"
    (shared / "below").mkdir(parents=True)
    os.chown(shared, 0, group)
    shared.chmod(mode)
    for path in (file(shared / "a"), shared / "new", shared / "below/new"):
        refused(place, path, ROOT, f"shared can be changed {reason}")


def test_a_group_of_the_system_may_as_in_var_log(place: Path) -> None:
    logs = place / "log"
    logs.mkdir()
    os.chown(logs, 0, 4)
    logs.chmod(0o775)
    written(logs / "httptop.log", ROOT, 0)
    # user::rwx, user:USER:rwx, group::r-x, mask::rwx, other::r-x: the mask shows as the group's.
    entries = ((1, 7, 0xFFFFFFFF), (2, 7, USER), (4, 5, 0xFFFFFFFF), (16, 7, 0xFFFFFFFF),
               (32, 5, 0xFFFFFFFF))  # fmt: skip
    acl = (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little") + may.to_bytes(2, "little") + who.to_bytes(4, "little")
        for tag, may, who in entries
    )
    try:
        os.setxattr(logs, "system.posix_acl_access", acl)
    except OSError:
        pytest.skip("this file system has no access lists")
    refused(place, logs / "new", ROOT, "by its group")


def test_a_sticky_directory(place: Path) -> None:
    tmp = place / "tmp"
    tmp.mkdir()
    tmp.chmod(0o1777)
    etc = file(place / "precious")
    written(tmp / "new", ROOT, 0)
    written(tmp / "users", SUDO, USER)
    refused(place, tmp / "users", ROOT, r"belongs to another user \(user 54321\)")
    refused(place, link(tmp / "link", etc, USER), ROOT, "symbolic link of another user")
    os.link(etc, tmp / "hard")
    refused(place, tmp / "hard", ROOT, "other names")
    refused(place, tmp / "new", SUDO, "belongs to another user")
    (tmp / "theirs").mkdir()
    os.chown(tmp / "theirs", USER, USER)
    refused(place, tmp / "theirs/new", ROOT, "theirs belongs to user 54321; as root")


# What is no file


def test_devices_and_pipes_are_not_even_opened(place: Path) -> None:
    for directory, invoker in ((place / "home", SUDO), (place, ROOT)):
        for kind, name in ((stat.S_IFIFO, "fifo"), (stat.S_IFCHR, "device"), (0, "directory")):
            path = directory / name
            if kind:
                os.mknod(path, kind | 0o600, os.makedev(10, 254))  # there is no such driver
            else:
                path.mkdir()
            os.chown(path, invoker.uid, invoker.uid)
            refused(place, path, invoker, "is (a directory|no regular file)")
            for read in (open_regular, lambda path, invoker: read_text(path, 9, invoker)):
                with pytest.raises(FileError, match=r"is (a directory|no regular file)"):
                    read(path, invoker)
    refused(place, place / "fifo" / "new", ROOT, "not a directory")
    refused(place, Path("/"), ROOT, "is a directory")


# Races


def test_a_directory_swapped_on_the_way_leads_nowhere_else(place: Path) -> None:
    etc = place / "etc"
    etc.mkdir()
    (place / "home/d").mkdir()
    with Way(place / "home/d/x") as way:
        (place / "home/d").rename(place / "home/e")
        (place / "home/d").symlink_to(etc)
        os.close(os.open(way.name, os.O_CREAT | os.O_WRONLY, dir_fd=way.at))
    assert os.listdir(etc) == []
    assert os.listdir(place / "home/e") == ["x"]


def test_a_file_swapped_before_it_is_opened_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was looked at is judged again once it is open."""
    etc, mine = file(place / "etc"), file(place / "home/x", USER)
    looked = Way.__enter__

    def swapped(self: Way) -> Way:
        way = looked(self)
        mine.unlink()
        os.link(etc, mine)
        return way

    monkeypatch.setattr(Way, "__enter__", swapped)
    etc.chmod(0o666)
    for append in (False, True):
        with pytest.raises(FileError, match="belongs to another user"):
            create(mine, SUDO, append=append)
        mine.unlink()
        file(mine, USER)
    assert (etc.read_text(), etc.stat().st_uid) == ("precious", 0)


def test_directories_swapped_all_the_time_give_root_nothing_of_roots(place: Path) -> None:
    etc = place / "etc"
    etc.mkdir()
    precious = file(etc / "x", mode=0o600)
    one, two = place / "home/d", place / "home/real"
    one.mkdir()
    os.chown(one, USER, USER)
    child = os.fork()
    if child == 0:
        try:
            os.setresuid(USER, USER, USER)
            os.symlink(etc, place / "home/link")
            while True:
                os.rename(one, two)
                os.rename(place / "home/link", one)
                os.rename(one, place / "home/link")
                os.rename(two, one)
        finally:
            os._exit(1)
    try:
        for invoker in (ROOT, SUDO) * 300:
            try:
                os.close(create(one / "x", invoker))
            except FileError:
                continue
            assert invoker is SUDO
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert (precious.read_text(), precious.stat().st_uid) == ("precious", 0)
    assert os.listdir(etc) == ["x"]


def test_what_is_being_written_is_not_truncated_by_another(tmp_path: Path) -> None:
    me = InvokingUser(os.geteuid(), os.getegid(), tmp_path)
    path = tmp_path / "a.capture"
    for _ in range(2):  # a new file, and one that was there
        first = create(path, me)
        os.write(first, b"kept")
        with pytest.raises(FileError, match="another httptop is writing to it"):
            create(path, me)
        assert path.read_bytes() == b"kept"
        os.close(first)
