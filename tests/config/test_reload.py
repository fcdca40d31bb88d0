"""Reading the configuration again: what is applied, what is reported, and when."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from httptop.config.load import build, load
from httptop.config.problems import ConfigError, Problem
from httptop.config.reload import Reload, Reloading, Watch, compare
from httptop.config.settings import BY_KEY, DEFAULTS, Settings
from httptop.linux.files import InvokingUser
from httptop.linux.fsuid import files_of
from tests.patience import PATIENCE_S

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")


def settings(**texts: str) -> Settings:
    """Return settings that differ from the defaults; keys are written with __ for the dot."""
    keys = {name.replace("__", "."): text for name, text in texts.items()}
    return build({key: BY_KEY[key].kind.parse_text(text) for key, text in keys.items()})


def test_what_is_live_is_applied_and_the_rest_is_named() -> None:
    wanted = settings(
        general__tick="2s", ui__sort="p99", general__window="30s", filter__expression="a"
    )
    reload = compare(DEFAULTS, wanted)
    assert reload.settings == settings(general__tick="2s", ui__sort="p99")
    assert reload.applied == ("general.tick", "ui.sort")
    assert reload.refused == ("general.window", "filter.expression")
    assert list(reload.sentences()) == [
        'the configuration was read again: general.tick = "2s", ui.sort = "p99"',
        "only a restart changes general.window, filter.expression",
    ]


def test_what_stays_is_no_news() -> None:
    reload = compare(DEFAULTS, DEFAULTS)
    assert reload == Reload(DEFAULTS)
    assert not reload.news
    assert list(reload.sentences()) == ["the configuration was read again; nothing changed"]


def test_a_fault_keeps_the_settings() -> None:
    def read() -> Settings:
        raise ConfigError([Problem("a.toml", "bad", 1, "x"), Problem("a.toml", "worse", 2, "y")])

    reloading = Reloading(DEFAULTS, read, [], lambda reload: None)  # noqa: ARG005
    reload = reloading.again()
    assert reload.settings is reloading.settings is DEFAULTS
    assert list(reload.sentences()) == [
        "the configuration has errors; the settings are unchanged:",
        "a.toml:1: x: bad",
        "a.toml:2: y: worse",
    ]
    reloading.stop()


def test_what_was_refused_stays_refused() -> None:
    wanted = settings(general__window="30s", general__tick="2s")
    reloading = Reloading(DEFAULTS, lambda: wanted, [], lambda reload: None)  # noqa: ARG005
    assert reloading.again().applied == ("general.tick",)
    again = reloading.again()
    assert (again.applied, again.refused) == ((), ("general.window",))
    assert reloading.settings.general.window_s == 60
    reloading.stop()


def test_what_the_user_changed_and_saved_is_no_news() -> None:
    wanted = settings(ui__sort="p99", general__window="30s")
    reloading = Reloading(DEFAULTS, lambda: wanted, [], lambda reload: None)  # noqa: ARG005
    assert reloading.took({"ui.sort": "p99", "general.window": 30.0}) == settings(ui__sort="p99")
    assert reloading.again().applied == ()
    reloading.stop()


# Files that change


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Path, Watch]]:
    file = tmp_path / "some" / "config.toml"
    watch = Watch([file])
    yield file, watch
    watch.close()


def test_a_file_that_comes_changes_is_replaced_and_goes(watched: tuple[Path, Watch]) -> None:
    file, watch = watched
    assert not watch.changed()
    file.parent.mkdir()
    assert not watch.changed()
    file.write_text("1")
    assert watch.changed()
    assert not watch.changed()
    file.write_text("22")
    assert watch.changed()
    other = file.with_name("other")
    other.write_text("22")
    other.replace(file)
    assert watch.changed()
    file.unlink()
    assert watch.changed()
    assert not watch.changed()


@root_only
def test_a_file_below_what_may_no_longer_be_entered(tmp_path: Path) -> None:
    private = tmp_path / "private"
    inner = private / "httptop"
    inner.mkdir(parents=True)
    private.chmod(0o700)
    inner.chmod(0o755)
    file, hidden = inner / "config.toml", private / "hidden" / "config.toml"
    watch = Watch([file, hidden])
    with files_of(65534, 65534):
        assert not watch.changed()
    file.write_text("x")
    with files_of(65534, 65534):
        assert watch.changed()
    hidden.parent.mkdir()
    with files_of(65534, 65534):
        assert watch.changed()
        assert not watch.changed()
    hidden.write_text("x")
    with files_of(65534, 65534):
        assert not watch.changed()  # there is no way to see it
    watch.close()


@root_only
def test_a_file_in_a_directory_that_is_closed_to_the_user_that_it_has_become(
    tmp_path: Path,
) -> None:
    """As sudo has it: the caller's ~/.config, which nobody else may enter."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    file, other = private / "config.toml", private / "other"
    watch = Watch([file])
    changes: list[Callable[[], object]] = [
        lambda: file.write_text("x"),
        lambda: other.write_text("y"),
        lambda: other.replace(file),
        lambda: os.utime(file),
        lambda: other.write_text("z"),
        file.unlink,
    ]
    with files_of(65534, 65534):
        assert not watch.changed()
    seen = []
    for change in changes:
        change()
        with files_of(65534, 65534):
            seen.append(watch.changed())
            assert not watch.changed()
    assert seen == [True, False, True, True, False, True]
    watch.close()


class Watching:
    """A thread that reads a file again, and what it told."""

    def __init__(self, file: Path, text: str = "", look_s: float = 0.01) -> None:
        self.told: queue.Queue[Reload] = queue.Queue()
        self.file = file
        file.write_text(text)
        invoker = InvokingUser(os.geteuid(), os.getegid(), file.parent)

        def read() -> Settings:
            return load({}, {}, invoker, file).settings

        self.reloading = Reloading(read(), read, [file], self.told.put, look_s=look_s)
        self.reloading.start()

    def next(self) -> Reload:
        return self.told.get(timeout=PATIENCE_S)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    watching = Watching(tmp_path / "a.toml")
    watching.file.write_text("[general]\ntick = '2s'")
    assert watching.next().applied == ("general.tick",)
    watching.file.write_text("[general]\ntick = '2s'\n# the same\n")
    watching.file.write_text("[general]\ntik = '2s'")
    assert "did you mean 'tick'" in watching.next().error
    assert watching.reloading.settings.general.tick_s == 2
    watching.reloading.stop()
    watching.reloading.stop()
    assert watching.told.empty()


def test_a_signal_has_it_read_whatever_changed(tmp_path: Path) -> None:
    watching = Watching(tmp_path / "a.toml", look_s=60)
    watching.reloading.ask()
    assert not watching.next().news
    watching.file.write_text("[ui]\nsort = 'p99'")
    watching.reloading.ask()
    assert watching.next().applied == ("ui.sort",)
    watching.reloading.stop()


def test_without_auto_reload_only_a_signal_does(tmp_path: Path) -> None:
    watching = Watching(tmp_path / "a.toml", "general.auto_reload = false")
    watching.file.write_text("general.auto_reload = false\nui.sort = 'p99'")
    with pytest.raises(queue.Empty):
        watching.told.get(timeout=0.5)
    watching.reloading.ask()
    assert watching.next().applied == ("ui.sort",)
    watching.file.write_text("")
    watching.reloading.ask()
    assert watching.next().applied == ("general.auto_reload", "ui.sort")
    watching.file.write_text("ui.sort = 'p50'")
    assert watching.next().applied == ("ui.sort",)
    watching.reloading.stop()
