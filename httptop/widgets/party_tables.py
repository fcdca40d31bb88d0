"""Who has an endpoint's requests: its processes, and the peers that they come from or go to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from textual.strip import Strip

from httptop import humanize
from httptop.humanize import Units
from httptop.model import OTHER_PEERS, OTHER_PIDS, EndpointStats, LookedAt, PartyStats
from httptop.widgets.painting import Line, Palette, errors_hue, fit
from httptop.widgets.sparkline import GLYPHS, Symbols

#: Rows of a table; further parties are summed up in a last one.
MOST_ROWS: Final = 6
_LEAST_NAME: Final = 8


def party_table(
    name: str,
    parties: Mapping[str, PartyStats],
    width: int,
    units: Units,
    symbols: Symbols,
    hue: Palette,
    *,
    since_start: bool = True,
) -> list[Strip]:
    """Return the lines of a table, without its title; ``name``: what a party is.

    ``since_start``: whether that is what parties have; the longest latencies are not known else.
    """
    text, muted, heading = hue("text"), hue("muted"), hue("heading")
    latency = units.latency_width + 2
    figures = 8 + 7 + 7 + (2 if since_start else 1) * latency
    cells = max(_LEAST_NAME, width - figures)
    line = Line().add(name, heading, cells).add("REQS", heading, 8, "right")
    line.add("SHARE", heading, 7, "right").add("ERR%", heading, 7, "right")
    line.add("MEAN", heading, latency, "right")
    if since_start:
        line.add("MAX", heading, latency, "right")
    lines = [line.strip()]
    total = sum(party.requests for party in parties.values())
    ellipsis = GLYPHS[symbols].ellipsis
    shown = list(parties.items())[:MOST_ROWS]
    for who, party in shown:
        share = party.errors / party.requests if party.requests else 0.0
        line = Line().add(fit(who, cells, "left", ellipsis), text)
        line.add(humanize.count(party.requests), text, 8, "right")
        line.add(humanize.percent(party.requests / total if total else 0.0), muted, 7, "right")
        line.add(humanize.percent(share), hue(errors_hue(share)), 7, "right")
        for value in (party.mean_ns, party.max_ns)[: 2 if since_start else 1]:
            known = units.duration(value if party.answered else None)
            line.add(known, text, latency, "right")
        lines.append(line.strip())
    if more := len(parties) - len(shown):
        rest = sum(party.requests for party in list(parties.values())[MOST_ROWS:])
        words = f"and {more} more, {humanize.count(rest)} requests"
        lines.append(Line().add(fit(words, width, "left", ellipsis), muted).strip())
    return lines


class Parties(NamedTuple):
    """Who has an endpoint's requests, by what they are called in a table."""

    peers: Mapping[str, PartyStats]
    pids: Mapping[str, PartyStats]
    since_start: bool


def parties_of(
    row: EndpointStats, looked_at: LookedAt | None, *, since_start: bool
) -> Parties | None:
    """Return who has the requests of the window, or those since start; None: not known.

    Those since start stand for those of the window where these are not known.
    """
    if looked_at is not None and looked_at.key == row.key and not since_start:
        by_peer, by_pid = looked_at.by_peer, looked_at.by_pid
        if by_peer is not None and by_pid is not None:
            return Parties(_peers(by_peer), _pids(by_pid), since_start=False)
    if row.by_pid is None or row.by_peer is None:
        return None
    return Parties(_peers(row.by_peer), _pids(row.by_pid), since_start=True)


def _pids(found: Mapping[int, PartyStats]) -> Mapping[str, PartyStats]:
    return {"others" if pid == OTHER_PIDS else str(pid): n for pid, n in found.items()}


def _peers(found: Mapping[str, PartyStats]) -> Mapping[str, PartyStats]:
    return {"others" if peer == OTHER_PEERS else peer: n for peer, n in found.items()}
