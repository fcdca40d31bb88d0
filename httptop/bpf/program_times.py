"""How long programs ran, and how often the kernel skipped them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from httptop.linux import bpf_syscall

#: A program's run time in nanoseconds, runs, and missed runs.
Times = tuple[int, int, int]
#: Returns those of programs by their numbers; raises :class:`OSError`.
Ask = Callable[[Collection[int]], list[Times]]


class ProgramTimes:
    """Reads them by descriptors or, once those are closed, asks who has the right to."""

    def __init__(self, programs: Mapping[str, int]) -> None:
        """``programs``: descriptors, by name."""
        self._programs: Final = programs
        self._numbers: dict[str, int] = {}
        self._ask: Ask | None = None

    def hand_over(self, ask: Ask) -> None:
        """Ask from now on: the descriptors may be closed. Raises :class:`OSError`."""
        self._numbers = {name: bpf_syscall.number_of(at) for name, at in self._programs.items()}
        self._ask = ask

    def of(self, names: Iterable[str]) -> list[Times]:
        """Return the times of programs; raises :class:`OSError`."""
        if self._ask is not None:
            return self._ask([self._numbers[name] for name in names])
        return [bpf_syscall.prog_times(self._programs[name]) for name in names]

    def of_all(self) -> list[Times]:
        """Return the times of all programs; raises :class:`OSError`."""
        return self.of(self._programs if self._ask is None else self._numbers)
