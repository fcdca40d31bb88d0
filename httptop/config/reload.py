"""Read the configuration again while httptop runs: on SIGHUP, or when one of its files changes.

The same files, environment and flags are read as at the start. Settings that can change during a
run are applied, the others are reported. A configuration with an error changes nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from httptop.config.load import build
from httptop.config.settings import BY_KEY, SETTINGS, Settings
from httptop.errors import HttptopError
from httptop.linux.inotify import Inotify
from httptop.linux.wakeup import Wakeup

#: Seconds between two checks of the files.
_LOOK_S: Final = 1.0
#: How long a changed file must stay unchanged: an editor may write it in several steps.
_SETTLED_S: Final = 0.1
_Signature = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reload:
    """The result of reading the configuration again."""

    settings: Settings  # the current ones
    applied: tuple[str, ...] = ()  # keys
    refused: tuple[str, ...] = ()  # keys of settings that only a restart can change
    error: str = ""  # one line for each error; if there is any, nothing was changed

    @property
    def news(self) -> bool:
        """Whether the user needs to be told anything."""
        return bool(self.applied or self.refused or self.error)

    def sentences(self) -> Iterator[str]:
        """Yield the lines for the user."""
        if self.error:
            yield "the configuration has errors; the settings are unchanged:"
            yield from self.error.splitlines()
            return
        if self.applied:
            shown = (f"{key} = {_shown(key, self.settings)}" for key in self.applied)
            yield f"the configuration was read again: {', '.join(shown)}"
        else:
            yield "the configuration was read again; nothing changed"
        if self.refused:
            yield f"only a restart changes {', '.join(self.refused)}"


def compare(running: Settings, read: Settings) -> Reload:
    """Return which of the changed settings a run can adopt, and which it cannot."""
    changed = [s for s in SETTINGS if s.of(running) != s.of(read)]
    live = {s.key: s.of(read) for s in changed if s.live}
    refused = tuple(s.key for s in changed if not s.live)
    return Reload(build(live, running), tuple(live), refused)


class Watch:
    """Detects when files change, appear or disappear.

    If a file cannot be accessed by its path (since root was given up), the kernel tells what
    changes in the nearest directory above it that existed at the start. Nothing is held by which
    that could be entered.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._notices = Inotify()
        self._told: set[tuple[int, bytes]] = set()
        #: For each file the watch of that directory, and the first name on the way from there.
        self._watches = {
            Path(os.path.abspath(file)): _watched(file, self._notices) for file in files
        }
        self._changes = itertools.count()
        self._seen = {file: self._signature(file, None) for file in self._watches}

    def changed(self) -> bool:
        """Return whether a file has changed since the last call."""
        self._told = self._notices.read()
        now = {file: self._signature(file, seen) for file, seen in self._seen.items()}
        different = now != self._seen
        self._seen = now
        return different

    def close(self) -> None:
        """End the watches."""
        self._notices.close()

    def _signature(self, file: Path, before: _Signature | None) -> _Signature | None:
        try:
            found = os.stat(file)
        except PermissionError:
            watch, name = self._watches[file]
            told = watch is not None and not self._told.isdisjoint({(watch, name), (-1, b"")})
            return (next(self._changes),) if told else before
        except (OSError, ValueError):
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class Reloading:
    """Watches the files and reads the configuration again, in a thread of its own."""

    def __init__(
        self,
        settings: Settings,
        read: Callable[[], Settings],
        files: Iterable[Path],
        adopt: Callable[[Reload], None],
        *,
        look_s: float = _LOOK_S,
    ) -> None:
        """``read`` returns the settings or raises :class:`HttptopError`.

        ``adopt`` gets every reload, in this object's thread; a changed file with the same settings
        as before causes none.
        """
        #: The current settings; any thread may read them.
        self.settings = settings
        self._read = read
        self._adopt = adopt
        self._look_s = look_s
        self._watch = Watch(files)
        self._lock = threading.Lock()
        self._wakeup = Wakeup()
        self._asked = self._answered = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def ask(self) -> None:
        """Request a reload; any thread or signal handler may call it."""
        self._asked += 1
        self._wakeup.set()

    def stop(self) -> None:
        """End the thread; idempotent."""
        if self._stopping:
            return
        self._stopping = True
        self._wakeup.set()
        if self._thread.is_alive():
            self._thread.join()
        self._watch.close()
        self._wakeup.close()

    def again(self) -> Reload:
        """Read everything again; settings that can change during a run are current from now on."""
        with self._lock:
            try:
                reload = compare(self.settings, self._read())
            except HttptopError as error:
                return Reload(self.settings, error=str(error))
            self.settings = reload.settings
            return reload

    def took(self, changes: Mapping[str, object]) -> Settings:
        """Record settings that the user changed on the screen; return the current settings.

        Those that cannot change during a run are ignored.
        """
        live = {key: value for key, value in changes.items() if BY_KEY[key].live}
        with self._lock:
            self.settings = build(live, self.settings)
            return self.settings

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._wakeup.reader, select.POLLIN)
        while not self._stopping:
            poll.poll(self._look_s * 1000)
            self._wakeup.clear()
            changed = self._settled()
            asked = self._asked
            if self._stopping:
                return
            if asked != self._answered or (changed and self.settings.general.auto_reload):
                reload = self.again()
                if asked != self._answered or reload.news:
                    self._adopt(reload)
                self._answered = asked

    def _settled(self) -> bool:
        """Return whether a file changed; wait until it does not change any more."""
        changed = moving = self._watch.changed()
        while moving and not self._stopping:
            time.sleep(_SETTLED_S)
            moving = self._watch.changed()
        return changed


def _shown(key: str, settings: Settings) -> str:
    return BY_KEY[key].kind.show(BY_KEY[key].of(settings))


def _watched(file: Path, notices: Inotify) -> tuple[int | None, bytes]:
    """Watch the nearest existing directory above a file; return that, and what is next in it."""
    path = Path(os.path.abspath(file))
    for directory in path.parents:
        with contextlib.suppress(OSError):
            flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
            descriptor = os.open(directory, flags)
            try:
                watch = notices.watch(f"/proc/self/fd/{descriptor}")
            finally:
                os.close(descriptor)
            return watch, os.fsencode(path.relative_to(directory).parts[0])
    raise AssertionError("there is always a root directory")
