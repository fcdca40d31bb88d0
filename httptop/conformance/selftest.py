"""``httptop --selftest``: play the conformance cases on this host's kernel and print a table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

from httptop.bpf.plan import plan_of
from httptop.bpf.source import LiveSource
from httptop.collect.governor import controls_of
from httptop.config.scope import Scope
from httptop.config.settings import DEFAULTS
from httptop.conformance.case import Case, load_cases
from httptop.conformance.live import AT_ONCE, Result, Stage, SteppedRun
from httptop.console import say
from httptop.doctor import checks
from httptop.errors import Unavailable
from httptop.linux.cpus import possible_cpus
from httptop.linux.processes import own_pid_namespace

_WIDTH: Final = 72
_VERDICT_WIDTH: Final = 8


def main() -> int:
    """Print the table; return 0 if all cases agree, except for known gaps, else 1.

    Raises :class:`Unavailable` if this host cannot be traced.
    """
    if (reason := checks.refusal()) is not None:
        raise Unavailable(reason)
    cases = load_cases()
    say(f"{'case':<{_WIDTH}}  {'tcp':<{_VERDICT_WIDTH}}unix")
    results: list[Result] = []
    everything = Scope()
    plan = plan_of(DEFAULTS, everything, possible_cpus(), own_pid_namespace())
    source = LiveSource(plan, controls_of(DEFAULTS))
    with SteppedRun(source, DEFAULTS, everything) as run:
        stage = Stage(run.step)
        began = time.monotonic()
        for case in cases:
            played = list(stage.play(case))
            results += played
            for line in lines_of(case, played):
                say(line)
        played = list(stage.play_at_once(cases))
        results += played
        for line in lines_of(AT_ONCE, played):
            say(line)
        took_s = time.monotonic() - began
    say("")
    say(summary(results, took_s))
    failed = any(verdict(result) == "FAILED" for result in results)
    if failed and (stage.health.overflow_requests or stage.health.missed_calls):
        say(
            "The kernel's tables were full or calls were missed meanwhile, by all traffic of this"
            " host: what failed may be for that. Run it again when there is less."
        )
    return int(failed)


def verdict(result: Result) -> str:
    """Return the word for a result."""
    if result.agrees:
        return "agrees"
    return "known" if result.case.known else "FAILED"


def lines_of(case: Case, results: Sequence[Result]) -> Iterator[str]:
    """Yield a case's line of the table, and below it any differences between expected and seen.

    For a known gap they are replaced by a line with its reason.
    """
    verdicts = {result.sockets: verdict(result) for result in results}
    words = "".join(f"{verdicts.get(kind, '-'):<{_VERDICT_WIDTH}}" for kind in ("tcp", "unix"))
    name = case.name if len(case.name) <= _WIDTH else case.name[: _WIDTH - 1] + "…"
    yield f"{name:<{_WIDTH}}  {words}".rstrip()
    if "known" in verdicts.values():
        yield f"    known: {case.known}"
    for result in results:
        if verdict(result) == "FAILED":
            for text in result.differences:
                yield f"    {result.sockets}: {text}"


def summary(results: Sequence[Result], took_s: float) -> str:
    """Return the last line: the numbers of results, and the time taken."""
    words = [verdict(result) for result in results]
    text = f"{len(words)} played in {took_s:.1f} s: {words.count('agrees')} agree"
    if known := words.count("known"):
        text += f", {known} do not and are known not to"
    failed = words.count("FAILED")
    return text + (f", {failed} FAILED" if failed else "")
