"""From a filter to the C that applies it: what is asked becomes part of the programs.

A condition is decided as early as it can be, at one of four moments: a call of a process
(CALLER), a new connection (CONNECTION), a complete head (REQUEST), a response (RESPONSE). Before
the last moment that it needs, what is not known yet counts as possible; so most of what is left out
costs next to nothing. Only numbers, no text of the user's, reach the compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from httptop.bpf.filter.c_comparisons import Comparisons, hexadecimal
from httptop.bpf.filter.globs import Matcher
from httptop.filters import Compare, Expression, FilterError, Not, Or, comparisons

CALLER, CONNECTION, REQUEST, RESPONSE = range(4)
_STAGE: Final = {
    "pid": CALLER,
    "user": CALLER,
    "container": CALLER,
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
_OUTCOME: Final = "u64 truths, const struct outcome *outcome"
_OUTCOME_LINES: Final = (
    "u32 hosts = outcome->hosts, method = outcome->method, status = outcome->status;",
    "u64 latency_ns = outcome->latency_ns, request_bytes = outcome->request_bytes;",
    "u64 response_bytes = outcome->response_bytes;",
    "",
)
_MOST_HOSTS: Final = 8
_MOST_TRUTHS: Final = 64

#: What stands in the source where no filter does.
NOTHING: Final = ""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the loader needs to build a filter in."""

    text: str = NOTHING  # C
    defines: dict[str, int] = field(default_factory=dict)
    matchers: tuple[Matcher, ...] = ()
    containers: tuple[tuple[str, ...], ...] = ()  # globs; bit i of only_cgroups stands for item i

    @property
    def holds_back(self) -> bool:
        """Whether responses are counted only when they are whole."""
        return "FILTER_SIZE" in self.defines


def conditions_of(parts: Iterable[Expression]) -> Conditions:
    """Return the conditions that must all hold; raise :class:`FilterError`."""
    return _Writer(tuple(parts)).written()


class _Writer:
    def __init__(self, parts: tuple[Expression, ...]) -> None:
        self._parts = parts
        self._comparisons = Comparisons()
        self._hosts: dict[Compare, int] = {}
        self._truths: dict[Compare, int] = {}
        self._names = {leaf.name for part in parts for leaf in comparisons(part)}

    def written(self) -> Conditions:
        if not self._parts:
            return Conditions()
        stages = {
            part: max(_STAGE[leaf.name] for leaf in comparisons(part)) for part in self._parts
        }
        for part in self._parts:
            for leaf in comparisons(part):
                self._note(leaf)
        asks_caller = any(_STAGE[name] == CALLER for name in self._names)
        defines = {"FILTER_PROCESS": 1} if asks_caller else {}
        last = max(stages.values())
        if last >= REQUEST:
            defines["FILTER_REQUEST"] = 1
        if last == RESPONSE:
            defines["FILTER_RESPONSE"] = 1
        if "size" in self._names:
            defines["FILTER_SIZE"] = 1
        functions = [self._caller(), self._truths_text(), self._connection()]
        if last >= REQUEST:
            functions += [self._hosts_text(), self._request()]
        if last == RESPONSE:
            functions.append(self._response())
        if "size" in self._names:
            functions.append(self._sample())
        if self._hosts:
            defines["FILTER_HOST"] = 1
        if self._comparisons.matchers:
            defines["MATCHERS"] = len(self._comparisons.matchers)
        defines["FILTER_CONNECTION"] = 1
        return Conditions(
            "\n".join(functions),
            defines,
            tuple(self._comparisons.matchers),
            tuple(self._comparisons.containers),
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

    def _caller(self) -> str:
        return _function(
            "bool selects_process(u32 pid)",
            [*self._process(), f"return {self._at(CALLER, self._direct)};"],
        )

    def _connection(self) -> str:
        return _function(
            "bool selects_connection(u64 truths)",
            [f"return {self._at(CONNECTION, self._by_truth)};"],
        )

    def _request(self) -> str:
        return _function(
            "bool selects_request(u64 truths, u32 hosts, u32 method)",
            [f"return {self._at(REQUEST, self._by_truth)};"],
        )

    def _response(self) -> str:
        return _function(
            f"bool selects_response({_OUTCOME})",
            [*_OUTCOME_LINES, f"return {self._at(RESPONSE, self._by_truth)};"],
        )

    def _sample(self) -> str:
        """Write what can be said of a response that has just begun: its size is not known."""
        return _function(
            f"bool selects_beginning({_OUTCOME})",
            [
                *_OUTCOME_LINES,
                f"return {self._at(RESPONSE, lambda leaf: self._by_truth(leaf, '1'))};",
            ],
        )

    # ---- what is noted of a connection -------------------------------------------------------

    def _note(self, leaf: Compare) -> None:
        plain = _positive(leaf)
        if leaf.name == "host" and plain not in self._hosts:
            self._hosts[plain] = len(self._hosts)
            if len(self._hosts) > _MOST_HOSTS:
                raise FilterError(f"at most {_MOST_HOSTS} comparisons of 'host'", leaf.column)
        elif _STAGE[leaf.name] <= CONNECTION and plain not in self._truths:
            self._truths[plain] = len(self._truths)
            if len(self._truths) > _MOST_TRUTHS:
                raise FilterError(f"more than {_MOST_TRUTHS} comparisons", leaf.column)

    def _truths_text(self) -> str:
        lines = self._process()
        if {"comm"} & self._names:
            lines += [
                "const u64 *name = (const u64 *)comm;",
                "u64 first = name[0], second = name[1];",
            ]
        if "port" in self._names:
            lines += [
                "u32 port = unix_socket ? 0 : side == SIDE_SERVER",
                "\t? kernel_u16(sk + OFF_SOCK_NUM)",
                "\t: bpf_ntohs(kernel_u16(sk + OFF_SOCK_DPORT));",
            ]
        if "peer" in self._names:
            lines += ["struct peer peer = peer_of(sk, unix_socket);"]
        if "connection" in self._names:
            lines += ["u32 accepted = was_accepted(sk, unix_socket);"]
        lines += ["u64 truths = 0;", ""]
        lines += [
            f"truths |= (u64)!!({self._direct(leaf)}) << {bit};"
            for leaf, bit in self._truths.items()
        ]
        lines += ["return truths;"]
        return _function(
            "u64 truths_of(u64 sk, u32 pid, u32 side, u32 unix_socket, const char *comm)", lines
        )

    def _process(self) -> list[str]:
        lines = []
        if "user" in self._names:
            lines.append("u32 user = bpf_get_current_uid_gid();")
        if "container" in self._names:
            lines += ["u32 containers = containers_of_process();"]
        return lines

    def _hosts_text(self) -> str:
        if not self._hosts:
            return ""
        lines = ["u32 hosts = 0;", "u64 states;", ""]
        for leaf, bit in self._hosts.items():
            for number in self._comparisons.matcher_numbers(leaf, fold_case=True):
                matcher = self._comparisons.matchers[number]
                lines += [
                    f"states = states_of_host(s, {number}, {hexadecimal(matcher.start)}, "
                    f"{hexadecimal(matcher.stay)});",
                    f"hosts |= !!(states & {hexadecimal(matcher.accept)}) << {bit};",
                ]
        lines.append("return hosts;")
        return _function("u32 hosts_of(struct scratch *s)", lines)

    # ---- comparisons -------------------------------------------------------------------------

    def _by_truth(self, leaf: Compare, size: str | None = None) -> str:
        if leaf.name == "size" and size is not None:
            return size
        plain = _positive(leaf)
        no = "!" if leaf.operator.startswith("!") else ""
        if plain in self._truths:
            return f"{no}(truths >> {self._truths[plain]} & 1)"
        if plain in self._hosts:
            return f"{no}(hosts >> {self._hosts[plain]} & 1)"
        return f"{no}({self._direct(plain)})"

    def _direct(self, leaf: Compare) -> str:
        plain = _positive(leaf)
        text = self._comparisons.written(plain)
        return text if leaf is plain else f"!({text})"


def _positive(leaf: Compare) -> Compare:
    """Return a comparison without its negation."""
    if not leaf.operator.startswith("!"):
        return leaf
    return Compare(leaf.name, {"!=": "=", "!~": "~"}[leaf.operator], leaf.values, leaf.column)


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


def _function(head: str, lines: list[str]) -> str:
    body = "\n".join(f"\t{line}" if line else "" for line in lines)
    return f"static __always_inline {head}\n{{\n{body}\n}}\n"
