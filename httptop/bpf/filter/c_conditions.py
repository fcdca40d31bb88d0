"""From a filter to the C that applies it, and to the values that it compares with.

Only the shape of a filter is compiled: which fields it compares, and how that is joined by ``and``,
``or``, ``not``. Operators and values are data (values.py), so filters of one shape share their
programs, and no text of the user's reaches the compiler.

A condition is decided as early as it can be, at one of four moments: a call of a process
(PROCESS), a new connection (CONNECTION), a complete header section (REQUEST), a response
(RESPONSE). Before the last moment that it needs, what is not known yet counts as possible; so most
of what is left out costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from httptop.bpf.filter import number_sets
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
#: What a field is called in C: what is searched for in a set, or the bits of a look-up.
_NUMBERS: Final = {
    "pid": "pid",
    "user": "user",
    "side": "side",
    "port": "port",
    "socket": "unix_socket",
    "connection": "accepted",
    "method": "method",
    "status": "outcome->status",
    "latency": "outcome->latency_ns",
    "size": "outcome->response_bytes",
    "request_size": "outcome->request_bytes",
}
_BITS: Final = {"container": "containers", "comm": "names", "peer": "peers", "host": "hosts"}
#: Where the values of the fields of a process and of a connection come from.
_SOURCES: Final = {
    "user": "u32 user = bpf_get_current_uid_gid();",
    "container": "u32 containers = containers_met();",
    "comm": "u64 names = names_met(comm);",
    "peer": "u64 peers = peers_met(sk, unix_socket, client);",
    "port": "u32 port = port_of(sk, side, unix_socket);",
    "connection": "u32 accepted = was_accepted(sk, unix_socket);",
}
_MOST_TRUTHS: Final = 64

#: What stands in the source where no filter does.
NOTHING: Final = ""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the loader needs to build a filter in; all but ``tables`` depends on its shape alone."""

    text: str = NOTHING  # C
    defines: dict[str, int] = field(default_factory=dict)
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
        self._values = Values()
        #: By identity: equal comparisons must not make a filter one of another shape.
        self._numbers = {id(leaf): self._values.add(leaf) for leaf in self._leaves}
        early = [leaf for leaf in self._leaves if _STAGE[leaf.name] <= CONNECTION]
        self._truths = {id(leaf): bit for bit, leaf in enumerate(early)}
        if len(early) > _MOST_TRUTHS:
            raise FilterError(
                f"more than {_MOST_TRUTHS} comparisons of processes and connections",
                early[_MOST_TRUTHS].column,
            )

    def written(self) -> Conditions:
        stages = {_STAGE[name] for name in self._names}
        last = max(stages)
        functions = [self._truths_of(), self._connection()]
        flags = {
            "FILTER_PROCESS": PROCESS in stages,
            "FILTER_CONNECTION": True,
            "FILTER_REQUEST": last >= REQUEST,
            "FILTER_HOST": "host" in self._names,
            "FILTER_RESPONSE": last == RESPONSE,
            "FILTER_SIZE": "size" in self._names,
        }
        if flags["FILTER_PROCESS"]:
            functions.append(self._process())
        if flags["FILTER_REQUEST"]:
            functions.append(self._request())
        if flags["FILTER_RESPONSE"]:
            functions.append(self._response())
        if flags["FILTER_SIZE"]:
            functions.append(self._beginning())
        sets = self._values.sets
        defines = {name: 1 for name, asked in flags.items() if asked}
        defines |= {"FILTER_SETS": max(1, len(sets)), "FILTER_RANGES": number_sets.room_for(sets)}
        return Conditions(
            "\n".join(functions), defines, self._values.tables(), tuple(self._values.containers)
        )

    # ---- what each moment decides ------------------------------------------------------------

    def _at(self, stage: int, leaf: Callable[[Compare], str]) -> str:
        """Return what can be said of all parts at a moment; ``leaf`` writes what is known."""
        texts = []
        for part in self._parts:
            needs = [_STAGE[item.name] for item in comparisons(part)]
            if max(needs) < stage or min(needs) > stage:
                continue  # decided before, or nothing known yet
            text = _written(
                part, False, lambda item: leaf(item) if _STAGE[item.name] <= stage else "1"
            )
            if text != "1":
                texts.append(f"({text})")
        return " && ".join(texts) or "1"

    def _process(self) -> str:
        return _function(
            "bool selects_process(u32 pid)", self._sources(PROCESS), self._at(PROCESS, self._direct)
        )

    def _connection(self) -> str:
        return _function(
            "bool selects_connection(u64 truths)", [], self._at(CONNECTION, self._known)
        )

    def _request(self) -> str:
        return _function(
            "bool selects_request(u64 truths, u32 hosts, u32 method)",
            [],
            self._at(REQUEST, self._known),
        )

    def _response(self) -> str:
        return _function(
            "bool selects_response(u64 truths, const struct outcome *outcome)",
            ["u32 hosts = outcome->hosts, method = outcome->method;"],
            self._at(RESPONSE, self._known),
        )

    def _beginning(self) -> str:
        """Write what can be said of a response that has just begun: its size is not known."""
        return _function(
            "bool selects_beginning(u64 truths, const struct outcome *outcome)",
            ["u32 hosts = outcome->hosts, method = outcome->method;"],
            self._at(RESPONSE, lambda leaf: "1" if leaf.name == "size" else self._known(leaf)),
        )

    # ---- what is noted of a connection -------------------------------------------------------

    def _truths_of(self) -> str:
        lines = [*self._sources(CONNECTION), "u64 truths = 0;", ""]
        lines += [
            f"truths |= (u64)({self._positive(leaf)}) << {self._truths[id(leaf)]};"
            for leaf in self._leaves
            if id(leaf) in self._truths
        ]
        return _function(
            "u64 truths_of(u64 sk, u32 pid, u32 side, u32 unix_socket, const struct peer *client,"
            " const char *comm)",
            lines,
            "truths",
        )

    def _sources(self, stage: int) -> list[str]:
        """Return the lines that find out the fields of a moment, and of those before it."""
        return [
            line for name, line in _SOURCES.items() if name in self._names and _STAGE[name] <= stage
        ]

    # ---- comparisons -------------------------------------------------------------------------

    def _known(self, leaf: Compare) -> str:
        """Return a comparison, by what is noted of its connection if it was made there."""
        if id(leaf) not in self._truths:
            return self._direct(leaf)
        return f"{_no(leaf)}(truths >> {self._truths[id(leaf)]} & 1)"

    def _direct(self, leaf: Compare) -> str:
        return f"{_no(leaf)}({self._positive(leaf)})"

    def _positive(self, leaf: Compare) -> str:
        """Return a comparison without its negation: 0 or 1."""
        number = self._numbers[id(leaf)]
        if leaf.name in _BITS:
            return f"{_BITS[leaf.name]} >> {number} & 1"
        return f"in_set(sets, {number}, {_NUMBERS[leaf.name]})"


def _no(leaf: Compare) -> str:
    return "!" if leaf.operator.startswith("!") else ""


def _written(part: Expression, negated: bool, leaf: Callable[[Compare], str]) -> str:
    """Return an expression in C with negations at its leaves, where "1" is not known yet."""
    if isinstance(part, Compare):
        text = leaf(part)
        return text if text == "1" or not negated else f"!({text})"
    if isinstance(part, Not):
        return _written(part.item, not negated, leaf)
    either = isinstance(part, Or) != negated
    texts = [_written(item, negated, leaf) for item in part.items]
    if either:
        return "1" if "1" in texts else " || ".join(f"({text})" for text in texts)
    return " && ".join(f"({text})" for text in texts if text != "1") or "1"


def _function(head: str, lines: list[str], result: str) -> str:
    """Return a function; where it searches in sets these are looked up first."""
    if any("in_set(" in text for text in (*lines, result)):
        check = ["const struct filter_sets *sets = sets_here();", "", "if (!sets)", "\treturn 0;"]
        lines = [*check, *lines]
    body = "\n".join(f"\t{line}" if line else "" for line in (*lines, f"return {result};"))
    return f"static __always_inline {head}\n{{\n{body}\n}}\n"
