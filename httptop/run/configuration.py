"""The configuration of a run: find its files, read them again during the run, save changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from httptop.collect.feed import Feed
from httptop.config.load import Config, config_files, load, user_file
from httptop.config.reload import Reload, Reloading
from httptop.config.save import save_changes
from httptop.config.settings import Settings
from httptop.linux.files import InvokingUser
from httptop.linux.service_manager import ServiceManager
from httptop.linux.terminal import Terminal
from httptop.run.arguments import Arguments
from httptop.run.log import log_reload, set_level
from httptop.run.outputs import config_of_run
from httptop.run.session import Session


class Configuration:
    """The configuration from a run's flags, environment and files.

    Once this process has given up root, the helper reads and writes the files.
    """

    def __init__(self, asked: Arguments, invoker: InvokingUser, session: Session) -> None:
        self._asked, self._caller, self._session = asked, invoker, session

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read if they exist."""
        return config_files(os.environ, self._caller, self._asked.config)

    @property
    def saved_to(self) -> Path:
        """The file that changes are written to."""
        return self._asked.config or user_file(os.environ, self._caller)

    def read(self) -> Config:
        """Read everything again; raise :class:`httptop.config.problems.ConfigError`."""
        helper = self._session.helper
        read = None if helper is None else helper.read
        asked = self._asked
        config = load(asked.settings, os.environ, self._caller, asked.config, read=read)
        return config_of_run(asked, config)

    def save(self, changes: Mapping[str, object]) -> Path:
        """Write changed settings, by key, and return the file; raise :class:`HttptopError`."""
        helper = self._session.helper
        named = (os.environ, self._caller, self._asked.config)
        if helper is None:
            return save_changes(changes, *named)
        return save_changes(changes, *named, read=helper.read, write=helper.save)


def follow(
    settings: Settings,
    read: Callable[[], Settings],
    files: tuple[Path, ...],
    feed: Feed,
    report: Callable[[Reload], None],
    manager: ServiceManager | None,
) -> Reloading:
    """Return a :class:`Reloading`, not started, that applies changed settings to the run.

    ``report`` tells the user about each reload, in the reloading thread, and so is the service
    manager told.
    """

    def adopt(reload: Reload) -> None:
        if reload.applied:
            set_level(reload.settings)
            feed.apply(reload.settings)
        log_reload(reload)
        report(reload)
        if manager is not None:
            manager.reloaded(reload.settings.general.tick_s)

    return Reloading(settings, read, files, adopt)


def read_again(terminal: Terminal, reloading: Reloading, manager: ServiceManager | None) -> bool:
    """Handle SIGHUP: request a reload of the settings; return whether the run continues."""
    if terminal.gone:
        return False
    if manager is not None:
        manager.reloading()
    reloading.ask()
    return True
