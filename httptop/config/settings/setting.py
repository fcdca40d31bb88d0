"""The description of one setting: its place, the values it allows, its meaning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from httptop.config.settings.sections import DEFAULTS, Settings
from httptop.config.value_types import Kind, Many


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table ``SETTINGS``."""

    section: str  # dotted: "filter.process"
    name: str  # in the file
    kind: Kind
    doc: str
    attribute: str = ""  # of the section's dataclass; empty: ``name``
    flags: tuple[str, ...] = ()  # without a value if there is no metavar: they mean "true"
    metavar: str = ""
    bare: str = ""  # the value that the flag alone means; empty: it needs one
    group: str = "filters"  # heading in --help
    live: bool = False  # a reload applies it to the run

    @property
    def key(self) -> str:
        """Return the dotted name: ``filter.process.pids``."""
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """Return the environment variable: ``HTTPTOP_FILTER__PROCESS__PIDS``."""
        return "HTTPTOP_" + self.key.upper().replace(".", "__")

    @property
    def path(self) -> tuple[str, ...]:
        """Return the attributes that lead to the value."""
        return (*self.section.split("."), self.attribute or self.name)

    @property
    def many(self) -> bool:
        """Whether it is a list, whose flag may be repeated."""
        return isinstance(self.kind, Many)

    @property
    def default(self) -> object:
        """Return the default value."""
        return self.of(DEFAULTS)

    def of(self, settings: Settings) -> object:
        """Return the value of this setting."""
        return reduce(getattr, self.path, settings)
