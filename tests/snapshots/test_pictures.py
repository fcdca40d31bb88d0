"""What the screens look like. Each picture has a sentence that says what it must show.

After a wanted change: ``pytest tests/snapshots --snapshot-update``, then look at every picture.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from httptop.app import HttptopApp
from httptop.config.settings import Ui
from httptop.model import Health, Snapshot, clean
from tests.factory import OVERHEAD, busy, endpoint, key, latency, samples, shop, snapshot
from tests.screens.fake_run import FakeRun

Before = Callable[[Pilot[int]], Awaitable[None]]
WATCHING = "every process of this host"
NOTES = (
    "the kernel refused inet_sock_set_state: permission denied",
    "httptop does not see the names of this host's processes",
)


@pytest.fixture
def picture(snap_compare: Callable[..., bool]) -> Callable[..., bool]:
    """Compare a picture of the app after some snapshots and keys."""

    def compare(
        *snapshots: Snapshot,
        size: tuple[int, int] = (100, 32),
        press: tuple[str, ...] = (),
        then: Before | None = None,
        fixed: tuple[tuple[str, bool], ...] = (),
        **ui: Any,
    ) -> bool:
        app = HttptopApp(
            run=FakeRun(start_demo=lambda: None, change=lambda _: None),
            watching=WATCHING,
            ui=Ui(**ui),
            fixed=fixed,
        )
        app.animation_level = "none"

        async def before(pilot: Pilot[int]) -> None:
            for given in snapshots:
                app.publish(given)
                await pilot.pause()
            if then is not None:
                await then(pilot)
            if press:
                await pilot.press(*press)
            await pilot.pause()

        return snap_compare(app, terminal_size=size, run_before=before)

    return compare


def test_start(picture: Callable[..., bool]) -> None:
    """Before the first snapshot it says that it starts and what it is going to watch."""
    assert picture(size=(80, 24))


def test_empty(picture: Callable[..., bool]) -> None:
    """Without traffic it says what is watched, for how long, and how to get some."""
    assert picture(snapshot(tick=42, notes=NOTES))


def test_busy(picture: Callable[..., bool]) -> None:
    """At work: head with graphs, responses, endpoints by rate, live requests, cost, keys."""
    assert picture(busy(), size=(120, 40))


def test_narrow(picture: Callable[..., bool]) -> None:
    """80x24 has all of it: one line each for figures and responses, the columns that matter."""
    assert picture(busy(), size=(80, 24))


def test_wide(picture: Callable[..., bool]) -> None:
    """160x50 has every column, longer trends, whole paths and the peers."""
    assert picture(busy(), size=(160, 50))


def test_least(picture: Callable[..., bool]) -> None:
    """60x15 is the least: the table with rate and p99, no live requests."""
    assert picture(busy(), size=(60, 15))


def test_too_small(picture: Callable[..., bool]) -> None:
    """Below that it says which size it needs."""
    assert picture(busy(), size=(50, 12))


def test_filtered(picture: Callable[..., bool]) -> None:
    """A path filter has a chip and says how many of how many endpoints are left."""
    assert picture(busy(), press=("slash", *"users", "enter"))


def test_filter_without_a_match(picture: Callable[..., bool]) -> None:
    """While typing a filter that nothing matches, it says so and how to undo it."""
    assert picture(busy(), size=(80, 24), press=("slash", *"[x]"))


def writing(text: str) -> Before:
    """Return what opens the editor and puts a text into it."""

    async def write(pilot: Pilot[int]) -> None:
        await pilot.press("f")
        field = pilot.app.focused
        assert isinstance(field, Input)
        field.insert_text_at_cursor(text)
        await pilot.pause()

    return write


def test_editor_with_a_fault(picture: Callable[..., bool]) -> None:
    """A fault in a filter is marked at its character and explained; the last good text holds."""
    text = "comm = nginx and statsu = 5xx"
    assert picture(busy(), size=(80, 24), filter="comm = nginx", then=writing(text[12:]))


def test_editor_with_a_fault_wide(picture: Callable[..., bool]) -> None:
    """The same with room for live requests."""
    text = "comm = nginx and statsu = 5xx"
    assert picture(busy(), size=(140, 45), filter="comm = nginx", then=writing(text[12:]))


def test_editor_with_completion(picture: Callable[..., bool]) -> None:
    """Fields that may follow stand below the editor with what they take; one is chosen."""
    text = "comm = nginx and not "
    assert picture(busy(), size=(80, 24), then=writing(text), press=("down", "down"))


def test_editor_with_completion_wide(picture: Callable[..., bool]) -> None:
    """The same with room."""
    text = "comm = nginx and not "
    assert picture(busy(), size=(140, 45), then=writing(text), press=("down", "down"))


def test_editor_on_the_smallest_screen(picture: Callable[..., bool]) -> None:
    """60x15: values that were seen, a note that a part reaches live requests only, in ASCII."""
    text = "peer = 203.0.113.1"
    assert picture(busy(), size=(60, 15), symbols="tty", then=writing(text))


def test_chips(picture: Callable[..., bool]) -> None:
    """Filters of the run, one applied by the kernel, look unlike those that an x removes."""
    fixed = (("pid = 1004,1010", True), ("method = GET,POST", False))
    text = "comm != node and peer = 203.0.113.0/24"
    assert picture(busy(), size=(80, 24), fixed=fixed, filter=text, press=("slash", *"r", "enter"))


def test_chips_wide(picture: Callable[..., bool]) -> None:
    """The same on one line."""
    fixed = (("pid = 1004,1010", True), ("method = GET,POST", False))
    text = "comm != node and peer = 203.0.113.0/24"
    assert picture(busy(), size=(140, 45), fixed=fixed, filter=text, press=("slash", *"r", "enter"))


def test_chips_numbered(picture: Callable[..., bool]) -> None:
    """After x each chip has the number that removes it, in ASCII too."""
    text = "comm != node and latency > 1ms"
    assert picture(busy(), size=(80, 24), filter=text, press=("x",), symbols="tty")


def test_choosing_a_status(picture: Callable[..., bool]) -> None:
    """The statuses of the selected row, the worst first, with their numbers."""
    assert picture(busy(), size=(80, 24), sort="5xx", press=("j", "t"))


def test_merging(picture: Callable[..., bool]) -> None:
    """The pattern of paths to count together is asked for, with what is wrong with it."""
    assert picture(busy(), size=(100, 32), press=("j", "j", "m", "backspace", *"a*"))


def test_sorted(picture: Callable[..., bool]) -> None:
    """Sorted by p99 with an arrow; the selection stays with its endpoint."""
    assert picture(busy(), press=("j", "j", "s", "s", "s", "s", "s", "s"))


def test_client_side(picture: Callable[..., bool]) -> None:
    """The client side is named as such, with its own totals."""
    assert picture(busy(), press=("tab",))


def test_paused(picture: Callable[..., bool]) -> None:
    """Paused: a banner says how far the screen is behind what arrived since."""

    async def go_on(pilot: Pilot[int]) -> None:
        await pilot.press("p")
        assert isinstance(pilot.app, HttptopApp)
        pilot.app.publish(busy(315))
        await pilot.pause()

    assert picture(busy(), then=go_on)


def test_detail(picture: Callable[..., bool]) -> None:
    """One endpoint in full: facts, trend, percentiles, each status code, recent requests."""
    assert picture(busy(), size=(120, 40), sort="max", press=("j", "j", "enter"))


def test_detail_narrow(picture: Callable[..., bool]) -> None:
    """The same on 80x24, one block below the other, to scroll."""
    assert picture(busy(), size=(80, 24), sort="max", press=("enter", "j"))


def with_times() -> Snapshot:
    """Return a snapshot whose requests waited, and whose responses came in pieces."""
    shown = busy()
    rows = []
    for row in shown.endpoints:
        total = row.latency_total
        rows.append(
            replace(
                row,
                wait_total=latency(0.3, 1 + total.count // 10),
                sending_total=latency(4.0, total.count),
                duration_total=latency(4.0 + total.p50_ns / 1e6, total.count),
            )
        )
    return replace(shown, endpoints=tuple(rows))


def test_detail_with_times(picture: Callable[..., bool]) -> None:
    """Wait, sending and duration stand beside the latency, wait as what it is, a sample."""
    assert picture(with_times(), size=(120, 40), sort="max", press=("j", "j", "enter"))


def test_detail_with_times_narrow(picture: Callable[..., bool]) -> None:
    """The same on 80x24."""
    assert picture(with_times(), size=(80, 24), sort="max", press=("enter", *"jjjj"))


def test_help(picture: Callable[..., bool]) -> None:
    """Keys, columns and words explained above the dashboard."""
    assert picture(busy(), size=(100, 45), press=("question_mark",))


def test_losses(picture: Callable[..., bool]) -> None:
    """Losses stand in the bottom line, loud, with the number of notes."""
    health = Health(lost_samples=1_213, overflow_requests=88, late_ticks=3, orphan_responses=2)
    assert picture(busy(health=health, notes=NOTES), size=(120, 32))


def test_shed(picture: Callable[..., bool]) -> None:
    """What was left out to stay cheap stands in the bottom line, between losses and notes."""
    overhead = replace(OVERHEAD, shed=("samples", "pids"))
    assert picture(replace(busy(notes=NOTES), overhead=overhead), size=(100, 32))


def test_columns(picture: Callable[..., bool]) -> None:
    """Columns, units and order of the user's: wider latencies in ms, bytes of 1000."""
    columns = ("path", "rps", "p50", "p90", "p999", "mean", "request_bytes", "trend")
    assert picture(busy(), columns=columns, latency_unit="ms", byte_units="si", sort="p999")


def test_choosing_a_request(picture: Callable[..., bool]) -> None:
    """The live requests are held, with a cursor; title and keys say so."""
    assert picture(busy(), size=(120, 40), press=("L", "j", "j"))


def test_request(picture: Callable[..., bool]) -> None:
    """One request: all that is known of it, and the head of its response."""
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
    )
    assert picture(snapshot(rows, [chosen, *found[1:]]), press=("L", "enter"))


def test_notes(picture: Callable[..., bool]) -> None:
    """Every kind of loss in words, and what this kernel cannot show."""
    health = Health(lost_samples=1_213, late_ticks=3, orphan_responses=2)
    assert picture(busy(health=health, notes=NOTES), press=("n",))


def test_error(picture: Callable[..., bool]) -> None:
    """A failed feed is told in plain text above the last figures."""

    async def fail(pilot: Pilot[int]) -> None:
        assert isinstance(pilot.app, HttptopApp)
        pilot.app.fail(RuntimeError("The kernel closed the ring buffer [errno 9].\nStart again."))
        await pilot.pause()

    assert picture(busy(), size=(80, 24), then=fail)


def test_ascii(picture: Callable[..., bool]) -> None:
    """With ``tty`` symbols all lines, bars and trends are ASCII."""
    assert picture(busy(), size=(120, 36), symbols="tty")


def test_ascii_narrow(picture: Callable[..., bool]) -> None:
    """ASCII on 80x24."""
    assert picture(busy(), size=(80, 24), symbols="tty")


def test_hostile(picture: Callable[..., bool]) -> None:
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


def test_light(picture: Callable[..., bool]) -> None:
    """The light theme."""
    assert picture(busy(), size=(100, 32), theme="httptop-light", symbols="block")
