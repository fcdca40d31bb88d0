"""From a filter to the functions of BPF that apply it, and to the values that they compare with.

A condition is decided as early as it can be, at one of four moments: a call of a process
(PROCESS), a new connection (CONNECTION), a complete header section (REQUEST), a response
(RESPONSE). Before the last moment that it needs, what is not known yet counts as possible; so most
of what is left out costs next to nothing.

The functions (bpf/filter/decisions.py) are linked into programs that were compiled for any filter
(bpf/build/linker.py): another filter takes no compiler, and no text of the user's reaches one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from httptop.bpf.filter import number_sets
from httptop.bpf.filter.decisions import TRUTHS, Bit, Given, InSet, Test, decided, joined, noted
from httptop.bpf.filter.values import Table, Values
from httptop.filters import Compare, Expression, FilterError, Not, Or, comparisons

PROCESS, CONNECTION, REQUEST, RESPONSE = range(4)
_STAGE: Final = {
    "pid": PROCESS,
    "user": PROCESS,
    "container": PROCESS,
    "comm": CONNECTION,
    "side": CONNECTION,
    "port": CONNECTION,
    "peer": CONNECTION,
    "socket": CONNECTION,
    "connection": CONNECTION,
    "host": REQUEST,
    "method": REQUEST,
    "status": RESPONSE,
    "latency": RESPONSE,
    "size": RESPONSE,
    "request_size": RESPONSE,
}
#: Fields of which the programs know the comparisons that hold, as bits.
_BITS: Final = ("container", "comm", "peer", "host")
#: What the programs look for only if a filter compares it (bpf/c/filter.h).
_ASKED: Final = ("user", "container", "comm", "peer", "host")
_MOST_TRUTHS: Final = 64

#: What each function is given (bpf/c/filter.h): struct subject; the truths noted of a connection;
#: these, the comparisons of the host, the method; the truths and struct outcome.
ON_SUBJECT: Final = {
    "comm": Given(0, 0),
    "peer": Given(0, 8),
    "pid": Given(0, 16, 4),
    "user": Given(0, 20, 4),
    "container": Given(0, 24, 4),
    "side": Given(0, 28, 4),
    "port": Given(0, 32, 4),
    "socket": Given(0, 36, 4),
    "connection": Given(0, 40, 4),
}
ON_TRUTHS: Final = {TRUTHS: Given(0)}
ON_REQUEST: Final = {TRUTHS: Given(0), "host": Given(1), "method": Given(2)}
ON_OUTCOME: Final = {
    TRUTHS: Given(0),
    "latency": Given(1, 0),
    "request_size": Given(1, 8),
    "size": Given(1, 16),
    "status": Given(1, 24, 2),
    "method": Given(1, 26, 1),
    "host": Given(1, 27, 1),
}


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the loader needs to apply a filter."""

    defines: dict[str, int] = field(default_factory=dict)  # compiled in: what there is room for
    constants: dict[str, int] = field(default_factory=dict)  # linked in, by name
    functions: dict[str, bytes] = field(default_factory=dict)  # instructions, by name
    tables: dict[str, Table] = field(default_factory=dict)  # by map
    containers: tuple[tuple[str, ...], ...] = ()  # globs; bit i of only_cgroups stands for item i

    @property
    def holds_back(self) -> bool:
        """Whether responses are counted only when they are whole."""
        return "FILTER_SIZE" in self.defines


def conditions_of(parts: Iterable[Expression]) -> Conditions:
    """Return the conditions that must all hold; raise :class:`FilterError`."""
    found = tuple(parts)
    return _Writer(found).written() if found else Conditions()


class _Writer:
    def __init__(self, parts: tuple[Expression, ...]) -> None:
        self._parts = parts
        self._leaves = [leaf for part in parts for leaf in comparisons(part)]
        self._names = {leaf.name for leaf in self._leaves}
        values = Values()
        #: By identity: equal comparisons may stand in several places.
        self._numbers = {id(leaf): values.add(leaf) for leaf in self._leaves}
        self._sets = number_sets.placed(values.sets)
        self._values = values
        early = [leaf for leaf in self._leaves if _STAGE[leaf.name] <= CONNECTION]
        self._truths = {id(leaf): bit for bit, leaf in enumerate(early)}
        if len(early) > _MOST_TRUTHS:
            raise FilterError(
                f"more than {_MOST_TRUTHS} comparisons of processes and connections",
                early[_MOST_TRUTHS].column,
            )

    def written(self) -> Conditions:
        stages = {_STAGE[name] for name in self._names}
        constants = {f"FILTER_{name.upper()}": int(name in self._names) for name in _ASKED}
        constants |= {
            "FILTER_PROCESS": int(PROCESS in stages),
            "FILTER_REQUEST": int(max(stages) >= REQUEST),
            "FILTER_RESPONSE": int(max(stages) == RESPONSE),
            "RANGES_MASK": number_sets.room_for(self._values.sets) - 1,
        }
        early = [leaf for leaf in self._leaves if id(leaf) in self._truths]
        functions = {
            "selects_process": self._decided(PROCESS, ON_SUBJECT),
            "truths_of": noted([self._test(leaf) for leaf in early], ON_SUBJECT),
            "selects_connection": self._decided(CONNECTION, ON_TRUTHS),
            "selects_request": self._decided(REQUEST, ON_REQUEST),
            "selects_response": self._decided(RESPONSE, ON_OUTCOME),
            # Of a response that has just begun: its size is not known.
            "selects_beginning": self._decided(RESPONSE, ON_OUTCOME, unknown="size"),
        }
        defines = {"FILTER": 1, "FILTER_SIZE": 1} if "size" in self._names else {"FILTER": 1}
        tables, containers = self._values.tables(), tuple(self._values.containers)
        return Conditions(defines, constants, functions, tables, containers)

    def _decided(self, stage: int, given: Mapping[str, Given], unknown: str = "") -> bytes:
        """Return what decides on all parts at a moment, by what is known then."""

        def known(leaf: Compare) -> Test | None:
            if _STAGE[leaf.name] > stage or leaf.name == unknown:
                return None
            return self._test(leaf, by_truths=TRUTHS in given, negated=_is_negated(leaf))

        found = []
        for part in self._parts:
            needs = [_STAGE[item.name] for item in comparisons(part)]
            if min(needs) <= stage <= max(needs):  # not decided before, and something is known
                found.append(_written(part, False, known))
        return decided(joined([item for item in found if item is not None], all_of=True), given)

    def _test(
        self, leaf: Compare, *, by_truths: bool = False, negated: bool = False
    ) -> Bit | InSet:
        """Return a comparison, by what is noted of its connection if it was made there."""
        number = self._numbers[id(leaf)]
        if by_truths and id(leaf) in self._truths:
            return Bit(TRUTHS, self._truths[id(leaf)], negated)
        if leaf.name in _BITS:
            return Bit(leaf.name, number, negated)
        return InSet(leaf.name, self._sets[number], negated)


def _is_negated(leaf: Compare) -> bool:
    return leaf.operator.startswith("!")


def _written(
    part: Expression, negated: bool, leaf: Callable[[Compare], Test | None]
) -> Test | None:
    """Return an expression with negations at its leaves; None: it is possible, as far as known."""
    if isinstance(part, Compare):
        found = leaf(part)
        if negated and isinstance(found, Bit | InSet):
            return replace(found, negated=not found.negated)
        return found
    if isinstance(part, Not):
        return _written(part.item, not negated, leaf)
    items = [_written(item, negated, leaf) for item in part.items]
    known = [item for item in items if item is not None]
    all_of = isinstance(part, Or) == negated
    if not all_of and len(known) < len(items):
        return None
    return joined(known, all_of=all_of)
