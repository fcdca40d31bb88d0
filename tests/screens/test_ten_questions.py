"""Ten questions that people on call ask: each is answered by so many keys at most."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from httptop.app import HttptopApp
from httptop.model import EndpointStats, PartyStats, Snapshot
from tests.factory import NOON, busy, key, later, looked_at, request, waiting, with_parties
from tests.screens.fake_run import FakeRun
from tests.screens.handles import settled, show, whole_screen


@dataclass(frozen=True)
class Question:
    text: str
    keys: tuple[str, ...]
    most_keys: int  # what is allowed
    answer: str  # a regular expression of a line of the screen
    before: Sequence[Snapshot]
    #: Arrive after the first key; then the rest is pressed.
    after: Sequence[Snapshot] = ()


SEARCH, USERS = key("/search"), key("/users/{id}")


def only_one_process_fails(tick: int) -> Snapshot:
    """Return the shop: of the two processes with /users/{id} one has all the errors."""
    failed = 20 * (tick - 240)

    def of(row: EndpointStats) -> EndpointStats:
        if row.key != USERS:
            return replace(row, status={200: row.requests}, unanswered=0, window_errors=0)
        halves = {1016: PartyStats(11_000 + 4 * failed, 0, 11_000, 3e6, 9e6)}
        halves[1017] = PartyStats(11_000 + failed, failed, 11_000, 3e6, 9e6)
        return replace(
            row,
            status={200: 22_000 + 4 * failed, 503: failed},
            requests=22_000 + 5 * failed,
            window_requests=5 * failed,
            window_errors=failed,
            window_status={200: 4 * failed, 503: failed},
            by_pid=halves,
            pids=(1016, 1017),
        )

    return replace(busy(tick), endpoints=tuple(map(of, busy().endpoints)))


def calls_of_a_slow_server() -> Snapshot:
    """Return the shop, whose process gunicorn calls two servers, of which one is slow."""
    shown = busy()
    peers = {
        "10.0.0.8": PartyStats(5000, 0, 5000, 2.4e6, 9e6),
        "10.0.0.9": PartyStats(4990, 0, 4990, 402e6, 1.1e9),
    }
    rows = [
        replace(row, by_peer=peers)
        if row.key.path == "/inventory/{id}"
        else replace(row, by_peer={})
        for row in shown.endpoints
        if row.key.side == "client"
    ]
    return replace(shown, endpoints=tuple(rows))


def half_below_api() -> Snapshot:
    """Return the shop with a part of its paths below /api."""
    rows = busy().endpoints
    renamed = (
        replace(row, key=replace(row.key, path=f"/api{row.key.path}")) if at % 3 == 2 else row
        for at, row in enumerate(rows)
    )
    return replace(busy(), endpoints=tuple(renamed))


def slow_once(tick: int) -> Snapshot:
    """Return the shop; the slowest request was four minutes before tick 480, with its headers."""
    slow = request(
        1,
        key("/static/{id}"),
        path="/static/9?v=***",
        started_at=NOON + 238,
        latency_ns=2_345_000_000,
        request_head=("Host: shop.example", "User-Agent: probe/7"),
    )
    fast = [
        replace(slow, serial=tick * 100 + n, started_at=NOON + tick - 1, latency_ns=1_000_000)
        for n in range(9, 0, -1)
    ]
    return replace(busy(tick), recent=(*fast, slow) if tick < 250 else tuple(fast))


QUESTIONS = (
    Question(
        "Which endpoint got slower in the last minute?",
        (),
        0,
        r"▲ [78]\.\dx slower, p99 91\.2→738ms: nginx GET /search, for 40s",
        [busy()],
    ),
    Question(
        "Which client hammers this server?",
        ("g", "5"),
        2,
        r"▌203\.0\.113\.2 .* 30%",
        [with_parties()],
    ),
    Question(
        "What hangs now, since when, from whom?",
        ("i",),
        1,
        r"38\.2s ▲×365 .*nginx:1010 .*POST .*/orders .*203\.0\.113\.7",
        [waiting()],
    ),
    Question(
        "Are the 5xx from one pid only?",
        (),
        2,
        r"5xx 20%: nginx GET /users/\{id\}, only pid 1017",
        [only_one_process_fails(tick) for tick in (240, 246, 252, 258)],
    ),
    Question(
        "Did the deploy make p99 worse?",
        ("b", "b"),
        2,
        r"nginx +/users/\{id\} .* 98\.8ms +12\.5ms +x7\.9••",
        [busy()],
        [later()],
    ),
    Question(
        "Which of the servers that are called is the slow one?",
        ("tab", "g", "5"),
        3,
        r"10\.0\.0\.9 .*gunicorn .*402ms",
        [calls_of_a_slow_server()],
    ),
    Question(
        "What share of the traffic is /api?",
        ("g", "2"),
        2,
        r"▸ ?/api .* \d+%",
        [half_below_api()],
    ),
    Question(
        "Which request was the slowest of the last five minutes, with its headers?",
        ("enter", "enter"),
        2,
        r"User-Agent: probe/7",
        [slow_once(240), *(slow_once(tick) for tick in range(250, 490, 40))],
    ),
    Question(
        "Does it wait in the queue or in the handler?",
        ("enter",),
        1,
        r"LAST 10s +SINCE START +WAIT",
        looked_at(SEARCH, range(240, 256, 4)),
    ),
)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text)
async def test_a_question_is_answered(question: Question) -> None:
    assert len(question.keys) <= question.most_keys
    first, rest = question.keys[:1], question.keys[1:]
    async with HttptopApp().run_test(size=(120, 40)) as pilot:
        for shown in question.before:
            app = await show(pilot, shown)
        await pilot.press(*first)
        for shown in question.after:
            await show(pilot, shown)
        await pilot.press(*rest)
        await pilot.pause()
        text = "\n".join(whole_screen(app))
        assert re.search(question.answer, text), text


async def test_send_me_what_you_see_as_a_file() -> None:
    written: list[tuple[str, str]] = []

    def export(kind: str, _host: str, _at: float, text: str) -> str:
        written.append((kind, text))
        return "/home/me/seen.txt"

    async with HttptopApp(run=FakeRun(export=export)).run_test(size=(120, 40)) as pilot:
        app = await show(pilot)
        await pilot.press("e", "t")
        await settled(pilot)
        await settled(pilot)
        ((kind, text),) = written
        assert kind == "txt"
        assert re.search(r"nginx .*GET .*/static/\{id\} .*1930", text)
        assert "Exported to /home/me/seen.txt" in "\n".join(whole_screen(app))
