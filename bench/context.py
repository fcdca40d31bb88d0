"""What every measurement is given: where to work, how thoroughly, and the server."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bench.nginx import Nginx

T = TypeVar("T")


class Context:
    """One run of the bench; as a context manager it leaves nothing behind."""

    def __init__(self, quick: bool, say: Callable[[str], None]) -> None:
        self.quick, self.say = quick, say
        self.work = Path(tempfile.mkdtemp(prefix="httptop-bench."))
        cpus = sorted(os.sched_getaffinity(0))
        self.server_cpu, self.load_cpu = cpus[0], cpus[1 % len(cpus)]
        #: Part of every path asked for: no number, so that it stays in the template as it is.
        self.word = "".join(random.choices("ghjkmnpqrstvwxyz", k=7))
        self.notes: list[str] = []  # what whoever reads the figures should know
        self._nginx: Nginx | None = None

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        if self._nginx is not None:
            self._nginx.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def choose(self, full: T, quick: T) -> T:
        """Return the one for this run."""
        return quick if self.quick else full

    def note(self, text: str) -> None:
        """Add a sentence to the report."""
        self.notes.append(text)

    @property
    def nginx(self) -> Nginx:
        """The server, started on first use."""
        if self._nginx is None:
            directory = self.work / "nginx"
            directory.mkdir()
            self._nginx = Nginx(directory, self.word, self.server_cpu)
        return self._nginx
