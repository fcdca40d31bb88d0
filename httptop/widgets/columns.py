"""The columns of the endpoint table: what each shows, and which of them fit into a width."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Final

from httptop import humanize
from httptop.humanize import DEFAULT_UNITS, Units
from httptop.model import EndpointStats
from httptop.view.in_flight import hangs
from httptop.widgets.painting import Align, change_hue, errors_hue

#: The priority of columns that are shown only if ``ui.columns`` has them.
ONLY_ASKED: Final = 99
#: A zero that is easily passed over.
ZERO: Final = "·"

#: Returns the text of a cell and its hue.
Cell = Callable[[EndpointStats, Units], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``sort`` is its name in ``view.sorts.SORTS`` and in ``ui.columns``."""

    sort: str
    title: str
    width: int  # minimum width in cells; 0: that of a latency in its unit
    priority: int  # lower ones are shown first; ONLY_ASKED: only if ui.columns has it
    meaning: str  # for the help screen
    cell: Cell
    align: Align = "right"

    def least(self, units: Units) -> int:
        """Return its minimum width in cells."""
        return self.width or units.latency_width


def _latency(field: str, least: int = 1) -> Cell:
    """Return the cell of a latency, which is dim if it is of fewer than ``least`` requests."""
    pick = attrgetter(field)

    def cell(row: EndpointStats, units: Units) -> tuple[str, str]:
        if not row.latency.count:
            return humanize.UNKNOWN, "faint"
        value = pick(row.latency)
        return units.duration(value), "muted" if row.latency.count < least else "text"

    return cell


_P99: Final = _latency("p99_ns", 100)


def _status(hundreds: int) -> Cell:
    hue = f"{hundreds}xx"
    low, high = hundreds * 100, hundreds * 100 + 100

    def cell(row: EndpointStats, _units: Units) -> tuple[str, str]:
        n = 0
        for code, responses in row.status.items():
            if low <= code < high or code == hundreds:
                n += responses
        return count_cell(n, hue)

    return cell


def _error_share(row: EndpointStats, _units: Units) -> tuple[str, str]:
    return error_share_cell(row.error_share)


def error_share_cell(share: float | None) -> tuple[str, str]:
    """Return the text of a share of errors and its hue."""
    return humanize.percent(share) if share or share is None else ZERO, errors_hue(share)


def _p99(row: EndpointStats, units: Units) -> tuple[str, str]:
    """Return the cell of P99, whose colour says how far it is from what is usual."""
    text, hue = _P99(row, units)
    return text, change_hue(row.p99_change) if hue == "text" else hue


def _oldest(row: EndpointStats, units: Units) -> tuple[str, str]:
    if row.oldest_in_flight_ns is None:
        return humanize.UNKNOWN, "faint"
    age_ns = row.oldest_in_flight_ns
    return units.age(age_ns), "bad" if hangs(age_ns, row.latency) else "text"


def count_cell(n: float, hue: str) -> tuple[str, str]:
    """Return the text of a count and its hue."""
    return (humanize.count(n), hue) if n else (ZERO, "faint")


def _size(field: str) -> Cell:
    pick = attrgetter(field)

    def cell(row: EndpointStats, units: Units) -> tuple[str, str]:
        if row.partial:
            return humanize.UNKNOWN, "faint"
        return (units.size(n), "text") if (n := pick(row)) else (ZERO, "faint")

    return cell


def _protocol(row: EndpointStats, _units: Units) -> tuple[str, str]:
    return row.key.protocol.removeprefix("HTTP/") + ("s" if row.key.tls else ""), "muted"


def in_flight_cell(n: int | None) -> tuple[str, str]:
    """Return the text and hue of requests in flight; None: not known."""
    return (humanize.UNKNOWN, "faint") if n is None else count_cell(n, "text")


def _host(row: EndpointStats, _units: Units) -> tuple[str, str]:
    return row.key.host or humanize.UNKNOWN, "bad" if row.stale else "muted"


def _container(row: EndpointStats) -> str:
    several = f"{len(row.containers)} of them"
    return several if len(row.containers) > 1 else "".join(row.containers)


def change_cell(change: float | None) -> tuple[str, str]:
    """Return the text and hue of a change, as a ratio; None: it is not known."""
    if change is None:
        return humanize.UNKNOWN, "faint"
    if change == 1:
        return "=", "faint"
    if change >= 2:
        return f"x{change:.1f}" if change < 100 else f"x{change:.0f}", change_hue(change)
    return f"{change - 1:+.0%}", change_hue(change) if change > 1 else "good"


COLUMNS: Final = (
    Column(
        "host",
        "HOST",
        12,
        ONLY_ASKED,
        "host, of a fleet; shown there",
        _host,
        "left",
    ),
    Column(
        "process",
        "PROCESS",
        10,
        0,
        "name of the process",
        lambda row, _: (row.key.process, "accent"),
        "left",
    ),
    Column(
        "user",
        "USER",
        8,
        ONLY_ASKED,
        "user that the process runs as; shown where several run processes of one name",
        lambda row, _: (row.key.user or humanize.UNKNOWN, "muted"),
        "left",
    ),
    Column(
        "container",
        "CONTAINER",
        12,
        ONLY_ASKED,
        "container that the process runs in, or how many",
        lambda row, _: (_container(row), "muted"),
        "left",
    ),
    Column(
        "port",
        "PORT",
        5,
        ONLY_ASKED,
        "port of the server; shown where rows look alike without it",
        lambda row, _: (str(row.key.port or humanize.UNKNOWN), "muted"),
        "left",
    ),
    Column("protocol", "VER", 4, ONLY_ASKED, "HTTP version; s: over TLS", _protocol, "left"),
    Column(
        "method", "METHOD", 7, 0, "request method", lambda row, _: (row.key.method, "muted"), "left"
    ),
    Column(
        "path",
        "PATH",
        16,
        0,
        "path template; {id}: a number or another id",
        lambda row, _: (row.shown_path, "strong"),
        "left",
    ),
    Column(
        "rps",
        "REQ/S",
        6,
        0,
        "requests per second over the window",
        lambda row, _: (humanize.rate(row.rps), "strong") if row.rps else (ZERO, "faint"),
    ),
    Column(
        "share",
        "SHARE",
        5,
        7,
        "share of the requests of its side in the window",
        lambda _row, _units: ("", "text"),  # the table draws it, as it knows the whole
    ),
    Column(
        "error_share",
        "ERR%",
        5,
        3,
        "share of errors in the window: statuses of 400 or more, and unanswered",
        _error_share,
    ),
    Column(
        "requests",
        "COUNT",
        6,
        ONLY_ASKED,
        "requests since start, unanswered ones included",
        lambda row, _: (humanize.count(row.requests), "text"),
    ),
    Column("2xx", "2XX", 5, ONLY_ASKED, "successes since start", _status(2)),
    Column("3xx", "3XX", 5, ONLY_ASKED, "redirects since start", _status(3)),
    Column("4xx", "4XX", 5, ONLY_ASKED, "client errors since start", _status(4)),
    Column("5xx", "5XX", 5, ONLY_ASKED, "server errors since start", _status(5)),
    Column(
        "unanswered",
        "NONE",
        5,
        ONLY_ASKED,
        "unanswered: the connection closed first",
        lambda row, _: count_cell(row.unanswered, "none"),
    ),
    Column("p50", "P50", 0, 2, "median latency over the window", _latency("p50_ns")),
    Column("p90", "P90", 0, 18, "90 % of requests took at most this", _latency("p90_ns", 10)),
    Column("p95", "P95", 0, 9, "95 % of requests took at most this", _latency("p95_ns", 20)),
    Column("p99", "P99", 0, 1, "99 % of requests took at most this", _p99),
    Column(
        "change",
        "CHANGE",
        6,
        5,
        "change of P99 against what is usual; =: within noise; -: too few requests, or too new",
        lambda row, _: change_cell(row.p99_change),
    ),
    Column(
        "p999", "P99.9", 0, 19, "99.9 % of requests took at most this", _latency("p999_ns", 1000)
    ),
    Column("mean", "MEAN", 0, 20, "mean latency over the window", _latency("mean_ns")),
    Column("max", "MAX", 0, 17, "highest latency in the window", _latency("max_ns")),
    Column(
        "in_flight",
        "IN FL",
        5,
        4,
        "in flight: the response has not begun",
        lambda row, _: in_flight_cell(row.in_flight),
    ),
    Column(
        "oldest",
        "OLDEST",
        0,
        10,
        "how long the oldest request in flight has waited",
        _oldest,
    ),
    Column(
        "request_bytes",
        "REQ BYTES",
        10,
        ONLY_ASKED,
        "request bytes since start",
        _size("request_bytes"),
    ),
    Column(
        "response_bytes",
        "BYTES",
        8,
        ONLY_ASKED,
        "response bytes since start",
        _size("response_bytes"),
    ),
    Column(
        "trend",
        "P99 TREND",
        9,
        8,
        "P99 of the window in the last ticks, the newest on the right",
        lambda _row, _units: ("", "trend"),  # the table draws it, in its own symbols
        "left",
    ),
)

_BY_NAME: Final = {column.sort: column for column in COLUMNS}
_WIDEST_PROCESS: Final = 15
_WIDE_HOST: Final = 20
_WIDE_TREND: Final = 30
_WIDEST_TREND: Final = 60
_LEAST_PATH: Final = 8
_FAIR_PATH: Final = 22
_GOOD_PATH: Final = 36
_WIDEST_SHARE: Final = 12
#: Columns of what is not known of other hosts.
_NOT_OF_FLEETS: Final = frozenset(("change", "in_flight", "oldest", "max"))
#: Columns of this priority and beyond appear once names, shares and trends have more room.
_RARE: Final = 13
_ROOM_OF_OTHERS: Final = 24


@lru_cache(64)
def layout(
    width: int,
    names: tuple[str, ...] = (),
    units: Units = DEFAULT_UNITS,
    needed: tuple[str, ...] = (),
    longest_path: int | None = None,
) -> tuple[tuple[Column, int], ...]:
    """Return the columns that fit into ``width`` cells, with their widths, in order.

    They are those in ``names``, without the last ones if they do not fit, or the default ones if it
    is empty, and then ``needed`` ones before others. One cell separates two columns. Spare cells go
    first to the path, which is never wider than ``longest_path`` (None: that is not known), and to
    the process name, then to the bars of shares, to the trend, and to the path again.
    """
    widest = max(longest_path, _LEAST_PATH) if longest_path is not None else width
    path = min(_BY_NAME["path"].width, widest)
    widths = _asked(width, names, units) if names else _chosen(width, units, needed, path, widest)
    left = max(width + 1 - sum(cells + 1 for cells in widths.values()), 0)
    for name, most in (
        ("path", min(_FAIR_PATH, widest)),
        ("host", _WIDE_HOST),
        ("process", _WIDEST_PROCESS),
        ("path", min(_GOOD_PATH, widest)),
        ("share", _WIDEST_SHARE),
        ("trend", 20),
    ):
        if name in widths:
            more = min(left, max(most - widths[name], 0))
            widths[name] += more
            left -= more
    for name, most, room in (
        ("trend", _WIDE_TREND, left // 3),
        ("path", widest, left),
        ("trend", _WIDEST_TREND, left),
    ):
        if name in widths:
            more = max(min(left, room, most - widths[name]), 0)
            widths[name] += more
            left -= more
    return tuple((_BY_NAME[name], cells) for name, cells in widths.items())


def _chosen(
    width: int, units: Units, needed: tuple[str, ...], least_path: int, widest_path: int
) -> dict[str, int]:
    """Return the default columns and minimum widths; the path grows before rare ones appear."""
    chosen: dict[str, int] = {}
    left = width + 1
    ranks = {column.sort: column.priority for column in COLUMNS} | dict.fromkeys(needed, 1)
    for column in sorted(COLUMNS, key=lambda column: ranks[column.sort]):
        cells, rank = column.least(units), ranks[column.sort]
        if column.sort == "path":
            cells = least_path
        more_path = 0 if rank < 9 else 8 if rank < 13 else 16 if rank < 18 else 60
        more = min(more_path, widest_path - least_path)
        more += _ROOM_OF_OTHERS if rank >= _RARE else 0
        if "host" in needed and column.sort in _NOT_OF_FLEETS:
            continue
        if rank == ONLY_ASKED or (cells + 1 + more > left and rank > 0):
            break
        chosen[column.sort] = cells
        left -= cells + 1
    return {column.sort: chosen[column.sort] for column in COLUMNS if column.sort in chosen}


def _asked(width: int, names: tuple[str, ...], units: Units) -> dict[str, int]:
    """Return the first of the user's columns that fit, and their minimum widths."""
    widths: dict[str, int] = {}
    left = width + 1
    for name in dict.fromkeys(names):
        cells = _LEAST_PATH if name == "path" else _BY_NAME[name].least(units)
        if cells + 1 > left and widths:
            break
        widths[name] = cells
        left -= cells + 1
    return widths
