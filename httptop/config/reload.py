"""Read the configuration again while httptop runs: on SIGHUP, or when one of its files changes.

The same files, environment and flags are read as at the start. Settings that a running httptop can
follow are applied, the others are named. A configuration with an error changes nothing.
"""

from __future__ import annotations

import contextlib
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
from httptop.linux.wakeup import Wakeup

#: Time between two looks at the files.
_LOOK_S: Final = 1.0
#: For how long a file that changes must stay as it is: an editor may write it in several steps.
_SETTLED_S: Final = 0.1
_Signature = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reload:
    """What became of a configuration that was read again."""

    settings: Settings  # that hold now
    applied: tuple[str, ...] = ()  # keys
    refused: tuple[str, ...] = ()  # keys of settings that only a restart can change
    error: str = ""  # one line for each; nothing was changed then

    @property
    def news(self) -> bool:
        """Whether anything is different or wrong."""
        return bool(self.applied or self.refused or self.error)

    def sentences(self) -> Iterator[str]:
        """Yield what the user is told, a line each."""
        if self.error:
            yield "the configuration has errors; the settings stay as they are:"
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
    """Return which of the settings that were read a run can follow, and which it cannot."""
    changed = [s for s in SETTINGS if s.of(running) != s.of(read)]
    live = {s.key: s.of(read) for s in changed if s.live}
    refused = tuple(s.key for s in changed if not s.live)
    return Reload(build(live, running), tuple(live), refused)


class Watch:
    """Tells when files changed, came or went.

    A file that cannot be reached by its path (root was given up) is reached from the nearest
    directory above it that existed at the start; where that is not allowed either, it counts as
    unchanged.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._above = {Path(os.path.abspath(file)): _nearest_directory(file) for file in files}
        self._seen = {file: self._signature(file, None) for file in self._above}

    def changed(self) -> bool:
        """Return whether a file is not as it was when this was last asked."""
        now = {file: self._signature(file, seen) for file, seen in self._seen.items()}
        different = now != self._seen
        self._seen = now
        return different

    def close(self) -> None:
        """Let the directories go."""
        for _, descriptor in self._above.values():
            os.close(descriptor)

    def _signature(self, file: Path, before: _Signature | None) -> _Signature | None:
        directory, descriptor = self._above[file]
        try:
            try:
                found = os.stat(file)
            except PermissionError:
                found = os.stat(file.relative_to(directory), dir_fd=descriptor)
        except PermissionError:
            return before
        except (OSError, ValueError):
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class Reloading:
    """Does it in a thread of its own, and tells what came of it."""

    def __init__(
        self,
        settings: Settings,
        read: Callable[[], Settings],
        files: Iterable[Path],
        adopt: Callable[[Reload], None],
        *,
        look_s: float = _LOOK_S,
    ) -> None:
        """``read`` returns the settings anew or raises :class:`HttptopError`.

        ``adopt`` gets every reload, in this thread; a file that changed and says the same as
        before is not worth one.
        """
        #: That hold now; may be read by any thread.
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
        """Begin to watch."""
        self._thread.start()

    def ask(self) -> None:
        """Have everything read again; from any thread, or from a signal handler."""
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
        """Read everything again; what can be followed holds from now on."""
        with self._lock:
            try:
                reload = compare(self.settings, self._read())
            except HttptopError as error:
                return Reload(self.settings, error=str(error))
            self.settings = reload.settings
            return reload

    def took(self, changes: Mapping[str, object]) -> Settings:
        """Note what the user changed otherwise, as far as a run can follow; return what holds."""
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
        """Return whether a file changed, once it changes no more."""
        changed = moving = self._watch.changed()
        while moving and not self._stopping:
            time.sleep(_SETTLED_S)
            moving = self._watch.changed()
        return changed


def _shown(key: str, settings: Settings) -> str:
    return BY_KEY[key].kind.show(BY_KEY[key].of(settings))


def _nearest_directory(file: Path) -> tuple[Path, int]:
    """Return the nearest directory above a file that there is, and a descriptor of it."""
    for directory in Path(os.path.abspath(file)).parents:
        with contextlib.suppress(OSError):
            return directory, os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    raise AssertionError("there is always a root directory")
