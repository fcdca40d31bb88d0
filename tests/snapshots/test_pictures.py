"""What the screens look like. Each picture has a sentence that says what it must show.

After an intended change: ``pytest tests/snapshots --snapshot-update``, then look at every picture.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from httptop.app import HttptopApp
from httptop.capture.outline import Outline
from httptop.config.settings import Ui
from httptop.coverage.processes import Holder, Survey
from httptop.filters.on_screen import parse_for_screen, screen_filter
from httptop.model import Filtered, Health, Snapshot
from httptop.printable import clean
from httptop.screens.replaying import Player
from httptop.view.moment import Rate
from tests.factory import (
    NOON,
    OVERHEAD,
    busy,
    endpoint,
    key,
    later,
    looked_at,
    samples,
    shop,
    snapshot,
    totals,
    waiting,
    with_parties,
    with_times,
    with_usual,
)
from tests.fleet.pictured import fleet
from tests.screens.fake_run import FakeRun
from tests.screens.handles import settled, show, write
from tests.screens.test_replay import FakePlayer

Before = Callable[[Pilot[int]], Awaitable[None]]
Picture = Callable[..., bool]
WATCHING = "every process of this host"
NOTES = (
    "the kernel refused inet_sock_set_state: permission denied",
    "httptop does not see the names of this host's processes",
)


@pytest.fixture
def picture(snap_compare: Picture) -> Picture:
    """Compare a picture of the app after some snapshots and keys."""

    def compare(
        *snapshots: Snapshot,
        size: tuple[int, int] = (100, 32),
        press: tuple[str, ...] = (),
        then: Before | None = None,
        fixed: tuple[tuple[str, bool], ...] = (),
        survey: Callable[[], Survey] | None = None,
        player: Player | None = None,
        export: Callable[..., str] | None = None,
        **ui: Any,
    ) -> bool:
        app = HttptopApp(
            run=FakeRun(start_demo=lambda: None, survey=survey, export=export),
            watching=WATCHING,
            ui=Ui(**ui),
            fixed=fixed,
            player=player,
            clock=lambda: 0.0,  # however slow the machine is
        )
        app.animation_level = "none"

        async def before(pilot: Pilot[int]) -> None:
            for given in snapshots:
                await show(pilot, given)
            if then is not None:
                await then(pilot)
            if press:
                await pilot.press(*press)
            await pilot.pause()

        return snap_compare(app, terminal_size=size, run_before=before)

    return compare


def test_start(picture: Picture) -> None:
    """Before the first snapshot it says that it starts and what it is going to watch."""
    assert picture(size=(80, 24))


def test_empty(picture: Picture) -> None:
    """Without traffic it says what is watched, for how long, and how to get some."""
    assert picture(snapshot(tick=42, notes=NOTES))


def test_busy(picture: Picture) -> None:
    """At work: head with graphs, responses, endpoints by rate, live requests, cost, keys."""
    assert picture(busy(), size=(120, 40))


def test_narrow(picture: Picture) -> None:
    """80x24 has all of it: one line each for figures and responses, the columns that matter."""
    assert picture(busy(), size=(80, 24))


def test_wide(picture: Picture) -> None:
    """160x50 has every column, longer trends, whole paths and the peers."""
    assert picture(busy(), size=(160, 50))


def test_path_tree(picture: Picture) -> None:
    """The path tree, one node of it unfolded; the sum of what is shown, as a filter is on."""
    shown = with_parties()
    rows = [
        replace(row, key=replace(row.key, path=f"/api{row.key.path}")) if at % 3 else row
        for at, row in enumerate(shown.endpoints)
    ]
    press = ("slash", "p", "i", "enter", "f5", "space", "j")
    assert picture(replace(shown, endpoints=tuple(rows)), size=(120, 40), press=press)


def test_peers(picture: Picture) -> None:
    """By peer: requests since start, as title and sum say; what is not told apart has a row."""
    assert picture(with_parties(), size=(80, 24), press=("g", "5", "j"))


def test_filtered(picture: Picture) -> None:
    """Part of a path is typed; filters of the run look unlike those that an × removes.

    The title says how many of how many endpoints are left; the head is of these, since a moment.
    """
    fixed = (("pid = 1004,1010", True), ("method = GET,POST", False))
    text = "comm != node and peer = 203.0.113.0/24"
    snap = with_parties()
    ready = screen_filter(parse_for_screen(text), "r")
    whole = totals([row for row in snap.endpoints if ready.keeps_row(row)], "server")
    since = replace(whole, trend_rps=whole.trend_rps[-4:], trend_classes=whole.trend_classes[-4:],
                    trend_bands=whole.trend_bands[-4:])  # fmt: skip
    filtered = Filtered(ready.text, snap.uptime_s - 4, {"server": since})
    snap = replace(snap, filtered=filtered)
    assert picture(snap, fixed=fixed, filter=text, press=("slash", "r"))


def writing(text: str) -> Before:
    """Return what opens the editor and puts a text into it."""

    async def begin(pilot: Pilot[int]) -> None:
        await pilot.press("f")
        await write(pilot, text)

    return begin


def test_editor_with_an_error(picture: Picture) -> None:
    """An error in a filter is marked at its character and explained; the last valid text holds."""
    text = " and statsu = 5xx"
    assert picture(busy(), size=(80, 24), filter="comm = nginx", then=writing(text))


def test_editor_with_completion(picture: Picture) -> None:
    """Fields that may follow stand below the editor with what they take; one is selected."""
    text = "comm = nginx and not "
    assert picture(busy(), size=(140, 45), then=writing(text), press=("down", "down"))


def test_editor_on_the_smallest_screen(picture: Picture) -> None:
    """60x15 in ASCII: values that were seen, a note that a part reaches endpoints only."""
    text = "in_flight >= 0 and peer = 203.0.113.1"
    assert picture(with_parties(), size=(60, 15), symbols="ascii", then=writing(text))


def test_paused(picture: Picture) -> None:
    """Paused on the client side: a banner says how far the screen is behind what arrived since."""

    async def go_on(pilot: Pilot[int]) -> None:
        await pilot.press("tab", "p")
        await show(pilot, busy(315))

    assert picture(busy(), then=go_on, sort="p99")


def test_replay(picture: Picture) -> None:
    """A capture at 80x24: REPLAY with date, speed and keys, the whole of it as a line of time."""
    player = FakePlayer()
    player.recording = replace(player.recording, speed=4.0)
    rates = [400 + 9 * (tick % 7) + (700 if 280 < tick < 320 else 0) for tick in range(200, 500)]
    player.outline = Outline(
        {"server": tuple(Rate(NOON + 200 + at, float(rate)) for at, rate in enumerate(rates))}
    )
    assert picture(busy(), size=(80, 24), player=player)


def test_travel(picture: Picture) -> None:
    """A minute back: a banner, and a line of time with the baseline and where one is."""

    async def go_back(pilot: Pilot[int]) -> None:
        for tick in range(12, 253, 12):
            await show(pilot, busy(tick))
            if tick == 120:
                await pilot.press("b")
        await pilot.press("left_curly_bracket", "left_square_bracket")

    assert picture(size=(120, 30), then=go_back)


def test_detail(picture: Picture) -> None:
    """One endpoint in full: facts, trend, percentiles, each status, recent requests.

    Wait, sending and duration stand beside the latency, wait as what it is, a sample.
    """
    assert picture(with_times(), size=(120, 40), sort="max", press=("j", "j", "enter"))


def test_endpoint(picture: Picture) -> None:
    """A page that is open for a while: its latencies over time, and what is different now."""
    name = key("/search")

    async def wait(pilot: Pilot[int]) -> None:
        app = pilot.app
        assert isinstance(app, HttptopApp)
        app.open_endpoint(name)
        for tick in looked_at(name, range(172, 256, 4)):
            await show(pilot, tick)

    assert picture(with_times(), size=(120, 45), then=wait)


def test_detail_narrow(picture: Picture) -> None:
    """80x24, without these times: one block below the other, to scroll."""
    assert picture(busy(), size=(80, 24), sort="max", press=("enter", "j"))


def test_compare(picture: Picture) -> None:
    """What has changed against a baseline of half a minute ago, and how sure that is."""

    async def go_on(pilot: Pilot[int]) -> None:
        await pilot.press("b", "b")
        await show(pilot, later())

    assert picture(busy(), size=(120, 30), then=go_on)


def test_in_flight(picture: Picture) -> None:
    """What is in flight, the oldest first: 38 s against a p99 of 105 ms, and from whom.

    Those younger than usual are one line; ages below; the cursor is on the second.
    """
    assert picture(waiting(), size=(120, 24), press=("i", "j"))


def test_in_flight_narrow(picture: Picture) -> None:
    """80x24 in ASCII, with a filter: each column is there, the title says what is shown only."""
    assert picture(waiting(), size=(80, 24), symbols="ascii", filter="comm = nginx", press=("i",))


def test_help(picture: Picture) -> None:
    """Keys, columns and words explained above the dashboard."""
    assert picture(busy(), size=(100, 45), press=("question_mark",))


def test_export(picture: Picture) -> None:
    """The ways to export what is shown, in a box above it, and where files go."""
    assert picture(busy(), size=(80, 24), press=("e",), export=lambda *_: "/home/me/x")


def test_palette(picture: Picture) -> None:
    """All that can be done, found by a few letters, with its keys; ASCII has no other border."""
    assert picture(busy(), size=(80, 24), symbols="ascii", press=("colon", *"sort"))


def test_losses(picture: Picture) -> None:
    """Losses stand in the bottom line, loud, with what was shed and the number of notes."""
    health = Health(lost_samples=1_213, overflow_requests=88, late_ticks=3, orphan_responses=2)
    overhead = replace(OVERHEAD, shed=("samples", "pids"))
    shown = replace(busy(health=health, notes=NOTES), overhead=overhead)
    assert picture(shown, size=(140, 32))


def test_request(picture: Picture) -> None:
    """One request: all that is known of it, its header section, and that of its response."""
    rows = shop()
    found = samples(rows)
    head = (
        "HTTP/1.1 404 Not Found",
        "Server: shop",
        "Content-Type: application/json",
        "Set-Cookie: ***",
        clean(b"X-Odd: [b]\x1b[31m"),
    )
    chosen = replace(
        found[0],
        path="/static/9?of=***",
        status=404,
        latency_ns=612_345_678,
        slow=True,
        response_head=head,
        request_head=("Host: shop.example", "Authorization: ***", "Accept: */*"),
    )
    assert picture(snapshot(rows, [chosen, *found[1:]]), press=("4", "enter"))


def test_error(picture: Picture) -> None:
    """A failed feed is told in plain text above the last figures."""

    async def fail(pilot: Pilot[int]) -> None:
        assert isinstance(pilot.app, HttptopApp)
        pilot.app.fail(RuntimeError("The kernel closed the ring buffer [errno 9].\nStart again."))
        await pilot.pause()

    assert picture(busy(), size=(80, 24), then=fail)


def test_ascii(picture: Picture) -> None:
    """With ``tty`` symbols all lines, bars, trends and chips are ASCII, and the box above them.

    The box has the statuses of the selected row, the worst first, with their numbers.
    """
    press = ("j", "equals_sign", "s")
    assert picture(
        busy(), size=(120, 36), symbols="ascii", sort="5xx", filter="latency > 1ms", press=press
    )


def test_hostile(picture: Picture) -> None:
    """Markup, control characters, broken UTF-8 and wide characters stay text, and aligned."""
    paths = (
        b"/a[/b]",
        b"/items?f[bold]=1",
        b"/[red]x[/red]",
        b"/\x1b[31mred\x1b]0;title\x07",
        b"/\xff\xfe\x00\n\r",
        "/日本語/パス".encode(),
        "/日本語/とても長い道はここで切られる/日本語".encode(),
        "/\u202eevil\u200b".encode(),
        b"/" + b"A" * 500,
    )
    rows = [
        endpoint(key(clean(raw), process=clean(raw[1:14], 15)), rps=90.0 - i, seed=i)
        for i, raw in enumerate(paths)
    ]
    assert picture(snapshot(rows, samples(rows, 20)), size=(110, 32))


def test_light(picture: Picture) -> None:
    """The light theme; the live requests are held, with a cursor, as title and keys say."""
    assert picture(busy(), theme="light", symbols="block", press=("4", "j", "j"))


def test_watches(picture: Picture) -> None:
    """Watches with limits, values and for how long; events, one of which is over."""
    calm = snapshot([replace(row, p99_change=1.0) for row in shop()], tick=240)
    slow = [with_usual(row, 8.1) if row.key.path == "/search" else row for row in shop()]
    hangs = [
        replace(row, oldest_in_flight_ns=38.2e9) if row.key.path == "/payments" else row
        for row in slow
    ]
    ticks = [calm, *(snapshot(hangs, tick=tick) for tick in range(250, 292, 6))]
    ticks += [snapshot(slow, tick=tick) for tick in range(300, 330, 6)]
    known = [replace(tick, in_flight=()) for tick in ticks]
    assert picture(*known, size=(120, 30), press=("a", "j"))


def test_health(picture: Picture) -> None:
    """What was missed, own cost, and those first of whom no request is seen, workers as one row."""
    holders = (
        Holder(1003, "nginx", (80,), tcp_listening=1, tcp_connected=12, parent=1),
        *(Holder(n, "nginx", (80,), tcp_listening=1, parent=1003) for n in range(1004, 1008)),
        Holder(8, "a[/b]\\x1b", (8443,), tcp_listening=1, tls_ports=(8443,)),
        Holder(40, "gunicorn", (8000,), tcp_listening=1, tls_libraries=("libssl.so.3",)),
        Holder(41, "old-agent", (), tcp_connected=1, bits32=True),
        Holder(42, "node", (3000,), tcp_listening=1, tcp_connected=4, io_uring=2),
        Holder(43, "dbus-daemon", (), ("/run/dbus/system_bus_socket",), 0, 1, 0, 31),
    )

    async def open_page(pilot: Pilot[int]) -> None:
        await pilot.press("y")
        await settled(pilot)

    assert picture(
        snapshot([endpoint(key("/"), status={200: 1234}, seed=3)]),
        size=(100, 34),
        survey=lambda: Survey(NOON, holders, 1),
        then=open_page,
    )


def test_fleet(picture: Picture) -> None:
    """Many hosts: a column of them, one that is down in red; what is not known has no column."""
    assert picture(fleet(), size=(120, 36))


def test_fleet_by_host(picture: Picture) -> None:
    """Grouped by host: the sums are those of the hosts; requests in flight of each are unknown."""
    assert picture(fleet(), size=(100, 28), press=("g", "0"))


def test_fleet_health(picture: Picture) -> None:
    """The page of health lists the hosts, the one that is down first, with what each misses."""
    assert picture(fleet(), size=(120, 36), press=("n", "1"))
