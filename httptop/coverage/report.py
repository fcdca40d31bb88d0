"""The survey of the processes as text: sentences for the screen, a table for --doctor."""

from __future__ import annotations

from collections.abc import Iterator

from httptop.coverage.gaps import FOOTNOTES, TLS_HELP
from httptop.coverage.processes import Survey
from httptop.coverage.services import Service, services


def headline(found: Survey, shown: int) -> list[str]:
    """Return sentences on how many processes there are and how many are not shown."""
    n = len(found.holders) + found.left_out
    lines = [f"{n} process{'es' if n != 1 else ''} with stream sockets or io_uring."]
    if shown < n:
        lines.append(f"The {shown} with the most missing are shown.")
    if found.unreadable:
        others = "1 other" if found.unreadable == 1 else f"{found.unreadable} others"
        lines.append(f"{others} could not be inspected (not root, or refused even to root).")
    return lines


def table(found: Survey, most: int = 40) -> str:
    """Return a survey as a table, for a host where nothing is counted; at most ``most`` rows."""
    made = services(found, None)[:most]
    lines = [" ".join(headline(found, sum(len(one.holders) for one in made)))]
    if made:
        name = max(*(len(one.name) for one in made), len("PROCESS"))
        pids = max(*(len(one.processes) for one in made), len("PID"))
        listens = max(*(len(one.listens) for one in made), len("LISTENS"))
        lines.append(f"{'PID':>{pids}}  {'PROCESS':<{name}}  {'LISTENS':<{listens}}  CONNECTIONS")
        for one in made:
            who = f"{one.processes:>{pids}}  {one.name:<{name}}"
            lines.append(f"{who}  {one.listens:<{listens}}  {one.connections}")
            lines += _words(one)
    if any(gap.help == TLS_HELP for one in made for gap in one.gaps):
        lines.append(f"Against TLS: {TLS_HELP}.")
    lines += FOOTNOTES
    return "\n".join(lines)


def _words(one: Service) -> Iterator[str]:
    for gap in one.gaps:
        yield f"{'':>9}{gap.what}"
        if gap.help and gap.help != TLS_HELP:
            yield f"{'':>9}→ {gap.help}"
